"""Where a command learns of the workspace and of who asks: options, environment, files."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.standin import Cloud
from training.cli import main

WRITTEN = {"subscription_id": SUBSCRIPTION, "resource_group": RESOURCE_GROUP, "workspace_name": WORKSPACE}


def listing(azure: Cloud, folder: Path, *words: str, **environment: str) -> Result:
    """List the computes with what the environment says."""
    told = {"AUTOML_AZURE_CLOUD": str(azure.cloud_file(folder)), "AUTOML_AZURE_CREDENTIAL": "managed-identity"}
    return CliRunner().invoke(main, ["azure", "compute", "list", *words], env={**told, **environment})


@pytest.mark.parametrize("command", ["watch", "leaderboard", "cancel"])
@pytest.mark.parametrize("job", ["", "..", "../../computes/gpu", "a/b", "a?b", "x" * 10_000])
def test_what_is_no_jobs_name_is_refused(azure: Cloud, command: str, job: str) -> None:
    """In an address it would lead to something else; nothing is asked."""
    result = CliRunner().invoke(main, ["azure", command, "--", job])
    assert (result.exit_code, "is no job's name" in result.stderr) == (2, True)
    assert (len(result.stderr) < 400, len(azure.wire.exchanges)) == (True, 0)


def test_the_environment_names_the_workspace(azure: Cloud, tmp_path: Path) -> None:
    """As it does in jobs in Azure."""
    names = {"SUBSCRIPTION": SUBSCRIPTION, "RESOURCEGROUP": RESOURCE_GROUP, "WORKSPACE_NAME": WORKSPACE}
    found = listing(azure, tmp_path, **{f"AZUREML_ARM_{key}": value for key, value in names.items()})
    assert found.exit_code == 0, found.output


def test_a_file_names_the_workspace(azure: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the folder in which the command runs, or the one that is told; an option counts before it."""
    (tmp_path / "config.json").write_text(json.dumps(WRITTEN))
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert listing(azure, tmp_path).exit_code == 0
    assert listing(azure, tmp_path, "--workspace", "other").exit_code == 0
    assert azure.wire.count("GET", f"/resourceGroups/{RESOURCE_GROUP}/.*/workspaces/other/computes") == 1
    (tmp_path / "mine.ini").write_text(f"workspace_name = {WORKSPACE}\n")
    assert (
        "subscription_id, resource_group missing"
        in listing(azure, tmp_path, "--config", str(tmp_path / "mine.ini")).stderr
    )


def test_without_a_workspace_nothing_is_asked(azure: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2, and all the ways to name one."""
    monkeypatch.chdir(tmp_path)
    lost = listing(azure, tmp_path)
    assert lost.exit_code == 2
    assert "AZUREML_ARM_SUBSCRIPTION" in lost.stderr
    assert azure.wire.exchanges == ()


@pytest.mark.parametrize("name", ["AZURE_CLIENT_ID", "DEFAULT_IDENTITY_CLIENT_ID"])
def test_the_managed_identity_may_have_a_name(
    azure: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Jobs in Azure Machine Learning have a variable of their own for it; one that is empty counts as none."""
    (tmp_path / "config.json").write_text(json.dumps(WRITTEN))
    monkeypatch.chdir(tmp_path)
    assert listing(azure, tmp_path, **{name: "the-one"}).exit_code == 0
    assert listing(azure, tmp_path, **{name: ""}).exit_code == 0
    asked = [exchange.query for exchange in azure.wire.exchanges if exchange.path == "/msi/token"]
    assert ["client_id=the-one" in query for query in asked] == [True, False]


def test_a_secret_is_no_option(azure: Cloud, tmp_path: Path) -> None:
    """Help does not offer it: others on a machine see the arguments of programs."""
    shown = listing(azure, tmp_path, "--help").output
    assert "--client-secret" not in shown
    assert "--certificate" in shown
