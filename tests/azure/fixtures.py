"""Fixtures: one Azurite and one control plane for all tests, as new for each."""

import os
from collections.abc import Iterator

import pytest

from tests.azure.blobs import Blobs, azurite, azurite_command
from tests.azure.certificates import Certificate, issue
from tests.azure.routes.identity import MSI_HEADER
from tests.azure.standin import Cloud, serving


@pytest.fixture(scope="session")
def azure_certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return issue(tmp_path_factory.mktemp("azure-tls"))


@pytest.fixture(scope="session")
def blobs(azure_certificate: Certificate) -> Iterator[Blobs]:
    command = azurite_command()
    if command is None:
        pytest.skip("Azurite is not installed: make setup")
    with azurite(
        command, certificate=azure_certificate.certificate, key=azure_certificate.key, ca=azure_certificate.ca
    ) as running:
        yield running


@pytest.fixture(scope="session")
def azure_for_all(blobs: Blobs, azure_certificate: Certificate) -> Iterator[Cloud]:
    with serving(
        blobs, certificate=azure_certificate.certificate, key=azure_certificate.key, ca=azure_certificate.ca
    ) as cloud:
        yield cloud


@pytest.fixture
def azure(azure_for_all: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A control plane as new; this process and those that it starts trust it, and have a machine's own identity."""
    for name in [n for n in os.environ if n.startswith(("AZURE_", "AZUREML_", "ARM_", "IDENTITY_", "MSI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(azure_for_all.ca))
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{azure_for_all.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", MSI_HEADER)
    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "AzureCloud")  # the SDK sets it too: so it is put back
    azure_for_all.clear()
    yield azure_for_all
    azure_for_all.wire.mend()
