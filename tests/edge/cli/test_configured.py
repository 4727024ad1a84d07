"""``models list``, ``pull`` and ``doctor`` where the configuration names another registry than a folder of versions."""

import json
from pathlib import Path

import pytest

from edge.bundle import open_bundle
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.standin import Cloud
from tests.edge.azureml.held import put_bundle
from tests.edge.cli.conftest import Cli
from tests.fakes import make_bundle, truncate


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """A configuration that means a single bundle, as an endpoint mounts it; the bundle lies in ``mounted``."""
    make_bundle(tmp_path / "mounted/colours/3/model", version="3")
    file = tmp_path / "edge.toml"
    file.write_text(
        '[registry]\nkind = "bundle"\npath = "mounted"\n[http]\nport = 0\n[mqtt]\nenabled = false\n', encoding="utf-8"
    )
    return file


def test_a_single_bundle_is_listed(cli: Cli, mounted: Path) -> None:
    """With what a look tells of it."""
    lines = cli("models", "list", "-c", mounted).stdout.splitlines()
    assert lines[0].split() == ["model", "created", "digest", "state"]
    assert lines[1].split()[:2] == ["colours:3", "2026-01-01"]
    (model,) = json.loads(cli("models", "list", "-c", mounted, "--json").stdout)["models"]
    assert (model["name"], model["version"], model["latest"], model["signed"]) == ("colours", "3", True, False)


def test_a_single_bundle_is_pulled(cli: Cli, mounted: Path, tmp_path: Path) -> None:
    """Whole, once, and under its name and version."""
    into = tmp_path / "here"
    assert "copied to" in cli("models", "pull", "-c", mounted, "--into", into).stdout
    assert "is already in" in cli("models", "pull", "-c", mounted, "--into", into).stdout
    assert open_bundle(into / "colours/3").manifest.version == "3"
    other = cli("models", "pull", "other", "-c", mounted, "--into", into)
    assert other.exit_code == 1
    assert "no model other:latest in" in other.stderr


def test_a_broken_bundle_is_not_pulled(cli: Cli, mounted: Path, tmp_path: Path) -> None:
    """The reason is told, and nothing appears."""
    truncate(tmp_path / "mounted/colours/3/model/model.onnx")
    result = cli("models", "pull", "-c", mounted, "--into", tmp_path / "here")
    assert result.exit_code == 1
    assert "not offered until it is whole" in result.stderr
    assert not (tmp_path / "here").exists()


def test_a_folder_may_come_from_the_configuration(cli: Cli, registry: Path, tmp_path: Path) -> None:
    """-c says which one; with --registry beside it, it is not clear which is meant."""
    file = tmp_path / "edge.toml"
    file.write_text('[registry]\npath = "models"\n')
    assert cli("models", "list", "-c", file).stdout == cli("models", "list", "--registry", registry).stdout
    both = cli("models", "list", "-c", file, "--registry", registry)
    assert both.exit_code == 2
    assert "give one of them" in both.stderr


def test_doctor_tries_a_single_bundle(cli: Cli, mounted: Path) -> None:
    """It looks where the configuration says and proves what is there."""
    result = cli("doctor", "-c", mounted, "--json")
    found = {finding["what"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert "offers colours:3 of 2026-01-01" in found["registry"]["found"]
    assert "colours:3 is proven" in found["model"]["found"]
    assert result.exit_code == 0


@pytest.fixture
def follows(azure: Cloud, tmp_path: Path) -> dict[str, str]:
    """Variables that let the edge follow the stand-in."""
    return {
        "EDGE_MODEL__NAME": "colours",
        "EDGE_REGISTRY__KIND": "azureml",
        "EDGE_AZURE__SUBSCRIPTION_ID": SUBSCRIPTION,
        "EDGE_AZURE__RESOURCE_GROUP": RESOURCE_GROUP,
        "EDGE_AZURE__WORKSPACE": WORKSPACE,
        "EDGE_AZURE__CREDENTIAL": "managed-identity",
        "EDGE_AZURE__CLOUD": str(azure.cloud_file(tmp_path)),
        "EDGE_STORAGE__PATH": str(tmp_path / "var"),
        "EDGE_HTTP__PORT": "0",
        "EDGE_MQTT__ENABLED": "false",
    }


def test_azure_is_listed_and_pulled_from(cli: Cli, azure: Cloud, tmp_path: Path, follows: dict[str, str]) -> None:
    """As a folder is; slow, for each look is a process with the real SDK."""
    put_bundle(azure, tmp_path, "1")
    folder = put_bundle(azure, tmp_path, "2", hour=1)
    config = tmp_path / "edge.toml"
    config.write_text("")
    listed = cli("models", "list", "-c", config, **follows)
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["model", "colours:2", "colours:1"]
    pulled = cli("models", "pull", "-c", config, "--into", tmp_path / "here", **follows)
    assert pulled.stdout.startswith("colours:2 copied to"), pulled.stderr
    assert open_bundle(tmp_path / "here/colours/2").digest == open_bundle(folder).digest


def test_doctor_asks_azure(cli: Cli, azure: Cloud, tmp_path: Path, follows: dict[str, str]) -> None:
    """What it answers, or why it does not; without a model in the store there is none to try."""
    put_bundle(azure, tmp_path, "1")
    azure.wire.break_("GET .*/models/", 403, code="AuthorizationFailed", message="no authorization", times=1)
    for exit_code, said in ((1, "no authorization"), (0, f"workspace {WORKSPACE} offers colours:1")):
        result = cli("doctor", "--json", **follows)
        found = {finding["what"]: finding for finding in json.loads(result.stdout)["findings"]}
        assert said in found["registry"]["found"]
        assert "none is in the store yet" in found["model"]["found"]
        assert result.exit_code == exit_code
