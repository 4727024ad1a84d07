"""Signing in with azure-identity's real credentials over the real wire, and within bounds where nobody answers."""

import base64
import json
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceResponseError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from edge.azureml.cloud import Cloud as AzureCloud
from edge.azureml.cloud import read_cloud
from edge.azureml.faults import explain
from edge.azureml.identity import KINDS, LIMIT_S, BoundedCredential, Identity, Kind, make_credential, within
from edge.errors import ConfigError
from tests.azure.arm import TENANT
from tests.azure.routes.identity import token
from tests.azure.standin import Cloud

CLIENT = "22222222-2222-2222-2222-222222222222"
SCOPE = "https://management.example/.default"


@pytest.fixture
def cloud(azure: Cloud, tmp_path: Path) -> AzureCloud:
    return read_cloud(str(azure.cloud_file(tmp_path)))


def ask(identity: Identity, cloud: AzureCloud, limit_s: float = LIMIT_S) -> AccessToken:
    """Return a token, and close what was opened for it."""
    with closing(make_credential(identity, cloud, limit_s=limit_s)) as credential:
        return credential.get_token(SCOPE)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A PEM file with a key and its certificate."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "device-7")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    file = tmp_path / "device.pem"
    form = serialization.PrivateFormat.PKCS8
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that accepts and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(16)
        yield server.getsockname()[1]


def az_program(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program `az` first on PATH; ``$@`` in the script are its arguments."""
    program = folder / "bin" / "az"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


def audience_of(made: str) -> str:
    """Return whom a token is for."""
    part = made.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(part + "=="))["aud"])


def az_answer(audience: str = "https://management.example") -> str:
    """What the real program prints."""
    expires = datetime.now() + timedelta(hours=1)  # noqa: DTZ005 - az prints local time beside the seconds
    return json.dumps(
        {
            "accessToken": token(audience, upn="eva@plant.example"),
            "expiresOn": expires.strftime("%Y-%m-%d %H:%M:%S.%f"),
            "expires_on": int(expires.timestamp()),
            "subscription": "00000000-0000-0000-0000-000000000001",
            "tenant": TENANT,
            "tokenType": "Bearer",
        }
    )


def test_a_secret_and_a_certificate_sign_in(azure: Cloud, cloud: AzureCloud, certificate: Path) -> None:
    """The certificate's key signs an assertion; it does not travel, and no secret does."""
    identity = Identity("secret", TENANT, CLIENT, secret="s3cret")
    assert audience_of(ask(identity, cloud).token) == "https://management.example"
    ask(Identity("certificate", TENANT, CLIENT, certificate), cloud)
    by_secret, by_certificate = azure.notes["sign-ins"]
    assert (by_secret["client_id"], by_secret["client_secret"]) == (CLIENT, "s3cret")
    assert by_certificate["client_assertion_type"].endswith("jwt-bearer")
    assert "client_secret" not in by_certificate
    assert "s3cret" not in repr(identity)


@pytest.mark.parametrize("kind", ["managed-identity", "default"])
def test_the_machines_own_identity_signs_in(azure: Cloud, cloud: AzureCloud, kind: Kind) -> None:
    """Also where nothing is named."""
    assert ask(Identity(kind), cloud).expires_on > 0
    assert azure.wire.count("GET", "/msi/token") == 1


@pytest.mark.parametrize("kind", ["environment", "default"])
def test_the_environment_signs_in(
    azure: Cloud, cloud: AzureCloud, certificate: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    """Before the machine's own identity, where both are there."""
    monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)
    monkeypatch.setenv("AZURE_CLIENT_CERTIFICATE_PATH", str(certificate))
    ask(Identity(kind), cloud)
    assert "client_assertion" in azure.notes["sign-ins"][0]
    assert azure.wire.count("GET", "/msi/token") == 0


def test_a_workload_signs_in_with_the_token_of_its_cluster(
    azure: Cloud, cloud: AzureCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in Kubernetes: a file that the cluster renews."""
    file = tmp_path / "federated"
    file.write_text("from-the-cluster")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(file))
    ask(Identity("workload-identity", TENANT, CLIENT), cloud)
    assert azure.notes["sign-ins"][0]["client_assertion"] == "from-the-cluster"


def test_az_signs_in(cloud: AzureCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program is asked for the resource and the tenant; it may take its time, but not for ever."""
    az_program(tmp_path, f"echo \"$@\" > {tmp_path}/asked; cat <<'END'\n{az_answer()}\nEND", monkeypatch)
    found = ask(Identity("az-cli", TENANT), cloud)
    assert audience_of(found.token) == "https://management.example"
    asked = (tmp_path / "asked").read_text().split()
    assert asked[:2] == ["account", "get-access-token"]
    assert asked[-4:] == ["--resource", "https://management.example", "--tenant", TENANT]


def test_az_that_nobody_signed_in_to_says_so(
    cloud: AzureCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own advice comes through."""
    az_program(tmp_path, "echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1", monkeypatch)
    with pytest.raises(ClientAuthenticationError) as raised:
        ask(Identity("az-cli"), cloud)
    fault = explain(raised.value, "signing in")
    assert fault is not None
    assert (fault.kind, fault.rule) == ("signed-out", "no identity")
    assert "az login" in fault.text


def test_az_that_hangs_is_ended(cloud: AzureCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its process, so that none is left behind."""
    az_program(tmp_path, "exec sleep 60", monkeypatch)
    begun = time.monotonic()
    with pytest.raises(ClientAuthenticationError):
        ask(Identity("az-cli"), cloud, limit_s=0.5)
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        (Identity("certificate", TENANT, CLIENT), "needs tenant_id, client_id and certificate"),
        (Identity("certificate", TENANT, CLIENT, Path("/nowhere.pem")), "certificate /nowhere.pem: cannot be used"),
        (Identity("secret", TENANT, CLIENT), "needs tenant_id, client_id and client_secret"),
        (Identity("workload-identity"), "'workload-identity' cannot be used: .*token_file_path"),
        (Identity("secret", "no tenant!", CLIENT, secret="s"), "'secret' cannot be used: Invalid tenant"),
    ],
)
@pytest.mark.usefixtures("azure")
def test_what_is_missing_is_named_before_anybody_is_asked(cloud: AzureCloud, identity: Identity, message: str) -> None:
    """As an error of the configuration."""
    with pytest.raises(ConfigError, match=message):
        make_credential(identity, cloud)


def test_a_chain_that_the_environment_forbids_is_an_error_of_the_configuration(
    cloud: AzureCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK raises a bare ValueError for a name that it does not know."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "Nonsense")
    with pytest.raises(ConfigError, match=r"'default' cannot be used: .*AZURE_TOKEN_CREDENTIALS"):
        make_credential(Identity(), cloud)


@pytest.mark.parametrize("kind", ["secret", "managed-identity", "default"])
def test_an_endpoint_that_never_answers_is_given_up(azure: Cloud, cloud: AzureCloud, kind: Kind) -> None:
    """After the limit, not after the SDK's; the SDK does not try again, and it counts as out of reach."""
    azure.wire.break_("/oauth2/v2.0/token|/msi/token", hang_s=30)
    begun = time.monotonic()
    with pytest.raises(ClientAuthenticationError, match=f"'{kind}' gave no token within 0.5 s") as raised:
        ask(Identity(kind, TENANT, CLIENT, secret="s"), cloud, limit_s=0.5)
    assert time.monotonic() - begun < 12
    fault = explain(raised.value, "signing in")
    assert fault is not None
    assert (fault.kind, fault.rule, fault.passes) == ("unreachable", "time-out", True)
    azure.wire.mend()


@pytest.mark.usefixtures("azure")
def test_a_metadata_service_that_accepts_and_is_silent_is_given_up(
    cloud: AzureCloud, silent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that every machine in Azure has may lead anywhere else; the SDK alone takes over two minutes."""
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", f"http://127.0.0.1:{silent}")
    begun = time.monotonic()
    with pytest.raises(ClientAuthenticationError):
        ask(Identity("managed-identity"), cloud, limit_s=0.5)
    assert time.monotonic() - begun < 12
    with socket.create_connection(("127.0.0.1", silent)):
        pass


class Silent:
    """A credential that raises what some of the SDK's do where nobody answers."""

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        raise ServiceResponseError("Read timed out. (read timeout=4)")


def test_silence_while_signing_in_is_waited_for_once() -> None:
    """The SDK signs in again after every error but one."""
    with pytest.raises(ClientAuthenticationError) as raised:
        BoundedCredential(Silent(), "managed-identity").get_token(SCOPE)
    fault = explain(raised.value, "looking")
    assert fault is not None
    assert fault.rule == "time-out"


def test_an_authority_without_a_name_is_out_of_reach(azure: Cloud) -> None:
    """A name that does not resolve is no wrong password."""
    endpoints = {**azure.metadata, "active_directory": "https://nowhere.invalid"}
    identity = Identity("secret", TENANT, CLIENT, secret="s")
    with pytest.raises(ClientAuthenticationError) as raised:
        ask(identity, AzureCloud("Nowhere", endpoints))
    fault = explain(raised.value, "signing in")
    assert fault is not None
    assert (fault.kind, fault.rule) == ("unreachable", "DNS")


def test_failures_do_not_flood_the_log(azure: Cloud, cloud: AzureCloud, caplog: pytest.LogCaptureFixture) -> None:
    """The SDK writes a page for each failure; the error says it in a line."""
    azure.wire.break_("/msi/token", 500)
    with caplog.at_level(logging.WARNING), pytest.raises(ClientAuthenticationError) as raised:
        ask(Identity(), cloud)
    assert [record for record in caplog.records if record.name.startswith(("azure.identity", "msal"))] == []
    fault = explain(raised.value, "signing in")
    assert fault is not None
    assert len(fault.text.splitlines()) == 1
    assert "tried: Environment, WorkloadIdentity, ManagedIdentity" in fault.text


def test_what_is_raised_within_a_limit_comes_through() -> None:
    """As if it had been called."""
    with pytest.raises(ZeroDivisionError):
        within(5.0, lambda: 1 // 0)
    assert within(5.0, lambda: "done") == "done"
    assert len(set(KINDS)) == len(KINDS)
