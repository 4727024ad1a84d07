"""`automl-train azure compute` over the real SDK: what is sent, and what a person reads."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.azure.commands import run
from tests.azure.routes.computes import PRINCIPAL, cluster, make_compute
from tests.azure.standin import Cloud
from training.cli import main

SIZE = "Standard_NC4as_T4_v3"
WISHED = ("--size", SIZE, "--min", 0, "--max", 4, "--idle", 1200)


def test_a_cluster_is_made_once(azure: Cloud, tmp_path: Path) -> None:
    """The body that Azure gets is the wish; asked again, nothing is sent."""
    made = run(azure, tmp_path, "compute", "ensure", "gpu", *WISHED)
    assert made.exit_code == 0, made.output
    assert made.stdout == f"cluster gpu is made\n{SIZE}, 0 to 4 nodes, dedicated, each kept for 1200 s without work\n"
    assert made.stderr == ""
    assert azure.wire.bodies("PUT", "/computes/gpu") == [
        {
            "location": "westeurope",
            "properties": {
                "computeType": "AmlCompute",
                "disableLocalAuth": True,
                "properties": {
                    "enableNodePublicIp": True,
                    "osType": "Linux",
                    "remoteLoginPortPublicAccess": "Disabled",
                    "scaleSettings": {
                        "maxNodeCount": 4,
                        "minNodeCount": 0,
                        "nodeIdleTimeBeforeScaleDown": "PT20M",
                    },
                    "vmPriority": "Dedicated",
                    "vmSize": SIZE,
                },
            },
        }
    ]
    again = run(azure, tmp_path, "compute", "ensure", "gpu", *WISHED)
    assert "cluster gpu is as wished" in again.stdout
    assert azure.wire.count("PUT", "/computes/gpu") == 1


def test_what_differs_is_changed_and_the_rest_stays(azure: Cloud, tmp_path: Path) -> None:
    """Tags that somebody else gave, and the size, go back as they came."""
    body = make_compute(azure, "gpu", **cluster(SIZE, high=2))
    body["tags"] = {"cost": "line 3"}
    body["properties"]["properties"]["enableNodePublicIp"] = True
    changed = run(azure, tmp_path, "compute", "ensure", "gpu", *WISHED, "--json")
    told = json.loads(changed.stdout)
    assert (told["outcome"], told["changes"], told["warning"]) == ("changed", ["max 2 to 4"], None)
    assert told["compute"]["high_nodes"] == 4
    (sent,) = azure.wire.bodies("PUT", "/computes/gpu")
    assert sent["tags"] == {"cost": "line 3"}
    assert sent["properties"]["properties"]["vmSize"] == SIZE
    assert sent["properties"]["properties"]["scaleSettings"]["maxNodeCount"] == 4


def test_a_cluster_gets_an_identity(azure: Cloud, tmp_path: Path) -> None:
    """A new one, and one that is there without; whoever gives it roles reads who it is. It is never taken away."""
    make_compute(azure, "old", **cluster())
    for name, said in (("new", "cluster new is made\n"), ("old", "cluster old is changed: an identity of its own\n")):
        made = run(azure, tmp_path, "compute", "ensure", name, *WISHED, "--identity")
        assert made.stdout.startswith(said)
        assert made.stdout.endswith(f"\nits identity, which needs roles: {PRINCIPAL}\n")
        (sent,) = azure.wire.bodies("PUT", f"/computes/{name}")
        assert sent["identity"]["type"] == "SystemAssigned"
        assert "is as wished" in run(azure, tmp_path, "compute", "ensure", name, *WISHED, "--identity").stdout
        assert "is as wished" in run(azure, tmp_path, "compute", "ensure", name, *WISHED).stdout
    assert f"system_assigned {PRINCIPAL}" in run(azure, tmp_path, "compute", "show", "new").stdout


def test_low_priority_is_asked_for_and_a_size_without_gpu_warned_about(azure: Cloud, tmp_path: Path) -> None:
    """It is made all the same: other jobs run there."""
    made = run(azure, tmp_path, "compute", "ensure", "cpu", "--size", "Standard_DS3_v2", "--priority", "low")
    assert "Standard_DS3_v2, 0 to 4 nodes, low, each kept for 1200 s" in made.stdout
    assert made.stderr.startswith("warning: Standard_DS3_v2 has no GPU")
    (sent,) = azure.wire.bodies("PUT", "/computes/cpu")
    assert sent["properties"]["properties"]["vmPriority"] == "LowPriority"


def test_a_cluster_that_fails_shows_azures_reason(azure: Cloud, tmp_path: Path) -> None:
    """A quota is called by its name; asked again, the failed one is made anew."""
    reason = "The specified subscription has a Standard NCASv3_T4 family vCPU quota of 0 and cannot accomodate a node."
    azure.notes["compute_fails"] = ("BadRequest", reason)
    failed = run(azure, tmp_path, "compute", "ensure", "gpu", *WISHED)
    assert failed.exit_code == 1
    assert "quota is used up" in failed.stderr
    assert "NCASv3_T4 family vCPU quota of 0" in failed.stderr
    assert len(failed.stderr.splitlines()) == 1
    del azure.notes["compute_fails"]
    again = run(azure, tmp_path, "compute", "ensure", "gpu", *WISHED)
    assert again.exit_code == 0, again.output
    assert "made again" in again.stdout


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"status": 409, "code": "Conflict", "message": "Another operation is in progress."}, "is being changed"),
        (
            {
                "status": 403,
                "code": "AuthorizationFailed",
                "message": (
                    "The client 'eva@plant' with object id 'o' does not have authorization to perform action "
                    "'Microsoft.MachineLearningServices/workspaces/computes/write' over scope '/s' or the scope is "
                    "invalid."
                ),
            },
            "eva@plant may not Microsoft.MachineLearningServices/workspaces/computes/write); "
            "give it the role AzureML Compute Operator",
        ),
    ],
)
def test_refusals_are_one_line_with_a_remedy(azure: Cloud, tmp_path: Path, fault: dict[str, Any], message: str) -> None:
    """The line names what was attempted and where."""
    azure.wire.break_("PUT .*/computes/gpu", **fault)
    failed = run(azure, tmp_path, "compute", "ensure", "gpu", *WISHED)
    assert failed.exit_code == 1
    (line,) = failed.stderr.splitlines()
    assert message in line
    assert line.startswith(f"error: making the cluster gpu ({SIZE}, up to 4 nodes): ")
    assert "[workspace vision (plant, " in line


@pytest.mark.parametrize("path", ["computes/gpu", "computes/gpu' under resource group 'plant"])
def test_a_missing_cluster_is_made_however_azure_words_that(azure: Cloud, tmp_path: Path, path: str) -> None:
    """ARM may name the cluster's whole path; where it names the workspace, that is missing and nothing is made."""
    resource = f"The Resource 'Microsoft.MachineLearningServices/workspaces/vision/{path}' was not found."
    azure.wire.break_("GET .*/computes/gpu", 404, code="ResourceNotFound", message=resource, times=1)
    made = run(azure, tmp_path, "compute", "ensure", "gpu", *WISHED)
    assert made.exit_code == 0, made.output
    assert "cluster gpu is made" in made.stdout
    above = "The Resource 'Microsoft.MachineLearningServices/workspaces/vision' was not found."
    azure.wire.break_("GET .*/computes/other", 404, code="ResourceNotFound", message=above, times=1)
    assert run(azure, tmp_path, "compute", "ensure", "other", *WISHED).exit_code == 1
    assert azure.wire.count("PUT", "/computes/other") == 0


@pytest.mark.parametrize("name", ["..", "../../x", "", "a b"])
def test_what_is_no_name_is_not_asked_for(azure: Cloud, tmp_path: Path, name: str) -> None:
    """Else the path would lead to something else, such as the workspace."""
    shown = run(azure, tmp_path, "compute", "show", name)
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert "is no compute's name" in shown.stderr
    assert azure.wire.exchanges == ()


def test_azures_words_are_shown_as_they_are(azure: Cloud, tmp_path: Path) -> None:
    """Brackets in them are no markup."""
    body = make_compute(azure, "gpu", state="Failed", **cluster())
    body["properties"]["provisioningErrors"] = [{"error": {"code": "Quota[/cores]", "message": "none [/left]"}}]
    for words in (("list",), ("show", "gpu")):
        shown = run(azure, tmp_path, "compute", *words)
        assert shown.exit_code == 0, shown.output
        assert "[/" in shown.stdout


def test_computes_are_listed_and_shown(azure: Cloud, tmp_path: Path) -> None:
    """Clusters with their numbers, others with their kind; nothing is wider than the terminal."""
    assert "no computes" in run(azure, tmp_path, "compute", "list").stdout
    make_compute(azure, "gpu", **cluster())
    make_compute(azure, "plant-k8s", "Kubernetes", namespace="vision")
    listed = run(azure, tmp_path, "compute", "list")
    assert listed.exit_code == 0, listed.output
    assert max(map(len, listed.stdout.splitlines())) <= 80
    assert listed.stdout.count("Succeeded") == 2
    assert "kubernetes" in listed.stdout
    assert "Standard_NC4as_T4_v3" in listed.stdout
    shown = run(azure, tmp_path, "compute", "show", "gpu")
    assert "0 to 4" in shown.stdout
    names = [one["name"] for one in json.loads(run(azure, tmp_path, "compute", "list", "--json").stdout)]
    assert names == ["gpu", "plant-k8s"]


def test_a_name_that_is_not_there_and_one_that_is_no_cluster(azure: Cloud, tmp_path: Path) -> None:
    """Both say what to do."""
    absent = run(azure, tmp_path, "compute", "show", "gone")
    assert (absent.exit_code, "compute list` shows what there is" in absent.stderr) == (1, True)
    make_compute(azure, "plant-k8s", "Kubernetes", namespace="vision")
    other = run(azure, tmp_path, "compute", "ensure", "plant-k8s", *WISHED)
    assert (other.exit_code, "no cluster but kubernetes" in other.stderr) == (2, True)


def test_help_tells_of_serverless() -> None:
    """Who needs no cluster learns it there."""
    assert "serverless" in CliRunner().invoke(main, ["azure", "compute", "--help"]).output
