"""`automl-train azure login-check` over the real SDK: what is tried, what is missing, and how long it takes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, TENANT, WORKSPACE, WORKSPACE_PATH
from tests.azure.commands import run
from tests.azure.routes.identity import token
from tests.azure.routes.workspace import refuse_blobs
from tests.azure.standin import Cloud

ROOM = "Microsoft.MachineLearningServices/workspaces/"


def check(azure: Cloud, tmp_path: Path, **how: str) -> Any:
    """Return what the command says as JSON, with its exit code."""
    result = run(azure, tmp_path, "login-check", "--json", **how)
    return {**json.loads(result.stdout), "exit": result.exit_code, "stderr": result.stderr}


def test_all_is_well(azure: Cloud, tmp_path: Path) -> None:
    """Who, for which workspace; exit code 0; the table fits the terminal; no token is shown."""
    result = run(azure, tmp_path, "login-check")
    assert result.exit_code == 0, result.output
    assert "All is well." in result.stdout
    assert "application the-application" in result.stdout
    assert f"{WORKSPACE} in westeurope" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    told = check(azure, tmp_path)
    assert (told["ok"], told["exit"], told["missing"], told["problems"]) == (True, 0, [], [])
    assert told["identity"]["tenant_id"] == TENANT
    assert [store["opened_by"] for store in told["datastores"]] == ["SAS", "SAS"]
    for part in token("x").split(".")[:2]:
        assert part[:12] not in result.output + json.dumps(told)


def test_with_default_each_identity_is_tried_in_turn(azure: Cloud, tmp_path: Path) -> None:
    """The one that works is named, to be chosen in production."""
    told = check(azure, tmp_path, credential="default")
    tried = {each["credential"]: each for each in told["tried"]}
    assert list(tried) == ["environment", "workload-identity", "managed-identity", "az-cli"]
    assert [name for name, each in tried.items() if each["used"]] == ["managed-identity"]
    assert tried["environment"]["reason"] == "not set up here"
    assert (
        "In production name one: --credential managed-identity"
        in run(azure, tmp_path, "login-check", credential="default").stdout
    )


def test_missing_rights_are_named_with_what_they_break_and_the_role(azure: Cloud, tmp_path: Path) -> None:
    """In the control plane, as ARM tells them."""
    azure.denied.update({f"{ROOM}computes/*/write", f"{ROOM}onlineEndpoints/*"})
    told = check(azure, tmp_path)
    assert told["exit"] == 1
    assert {"right": f"{ROOM}computes/write", "breaks": "compute ensure", "role": "AzureML Compute Operator"} in told[
        "missing"
    ]
    result = run(azure, tmp_path, "login-check")
    assert "onlineEndpoints/deployments/write" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("methods", "roles"),
    [
        ("GET+HEAD+PUT", ["Storage Blob Data Reader", "Storage Blob Data Contributor"]),
        ("PUT", ["Storage Blob Data Contributor"]),
    ],
)
def test_missing_rights_to_the_files_are_found_by_trying(
    azure: Cloud, tmp_path: Path, methods: str, roles: list[str]
) -> None:
    """The usual one: rights to the workspace are none to its storage."""
    azure.secrets = "None"
    refuse_blobs(azure, "AuthorizationPermissionMismatch", methods)
    told = check(azure, tmp_path)
    assert [missing["role"] for missing in told["missing"]] == roles
    assert told["exit"] == 1


def test_trying_to_write_changes_nothing(azure: Cloud, tmp_path: Path) -> None:
    """In the real storage, where it would have been allowed."""
    azure.secrets = "None"
    before = azure.blobs.names()
    told = check(azure, tmp_path)
    assert told["ok"]
    assert [store["opened_by"] for store in told["datastores"]] == ["identity", "identity"]
    assert azure.blobs.names() == before


def test_a_key_opens_the_door_without_rights(azure: Cloud, tmp_path: Path) -> None:
    """Then the identity's rights to the files are told, and not missing; a key that opens nothing is a problem."""
    refuse_blobs(azure, "AuthorizationPermissionMismatch", "PUT")
    told = check(azure, tmp_path)
    assert told["ok"]
    assert "not needed, SAS opens it" in " ".join(run(azure, tmp_path, "login-check").stdout.split())
    refuse_blobs(azure, "KeyBasedAuthenticationNotPermitted")
    told = check(azure, tmp_path)
    assert told["exit"] == 1
    assert any("takes no keys" in problem for problem in told["problems"])


def test_a_storage_account_behind_a_firewall_is_no_missing_role(azure: Cloud, tmp_path: Path) -> None:
    """No role would help."""
    azure.secrets = "None"
    refuse_blobs(azure, "AuthorizationFailure")
    told = check(azure, tmp_path)
    assert told["missing"] == []
    assert any("Networking" in problem for problem in told["problems"])


def test_a_default_datastore_that_is_a_file_share_is_a_problem(azure: Cloud, tmp_path: Path) -> None:
    """Nothing of ours can be kept there."""
    for body in azure.resources.below(f"{WORKSPACE_PATH}/datastores"):
        body["properties"].update(datastoreType="AzureFile", fileShareName="share")
    told = check(azure, tmp_path)
    assert any("in which no blobs are kept" in problem for problem in told["problems"])


@pytest.mark.parametrize(
    ("pattern", "status", "code", "words"),
    [
        ("GET .*/workspaces/[^/]+$", 404, "ResourceNotFound", "no such workspace"),
        ("GET .*/permissions", 403, "AuthorizationFailed", "asking which rights there are"),
        ("GET .*/workspaceartifactstore$", 500, "InternalServerError", "opening the datastore workspaceartifactstore"),
        ("GET .*/msi/token", 400, "invalid_request", "signing in"),
    ],
)
def test_what_cannot_be_found_out_is_a_problem_and_the_rest_goes_on(
    azure: Cloud, tmp_path: Path, pattern: str, status: int, code: str, words: str
) -> None:
    """One line each, exit code 1."""
    azure.wire.break_(pattern, status, code=code, message="/workspaces/x not found")
    told = check(azure, tmp_path)
    assert told["exit"] == 1
    assert any(words in problem for problem in told["problems"]), told


def test_standard_error_holds_our_line_and_nothing_of_the_sdks(azure: Cloud, tmp_path: Path) -> None:
    """As a program of its own, where the SDK's log would show."""
    azure.wire.break_("GET .*/workspaceartifactstore$", 400, code="UserError", message="Strange.")
    where = ["--subscription", SUBSCRIPTION, "--resource-group", RESOURCE_GROUP, "--workspace", WORKSPACE]
    words = ["azure", "login-check", "--cloud", str(azure.cloud_file(tmp_path)), *where]
    result = subprocess.run(
        [sys.executable, "-m", "training.cli", *words], check=False, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 1, result.stdout
    (line,) = result.stderr.splitlines()
    assert line.startswith(
        "error: opening the datastore workspaceartifactstore: Azure finds the request wrong (Strange)"
    )
