"""`automl-train azure deploy` as it is typed: what is asked of Azure, in which order, and what a person reads."""

import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE, WORKSPACE_PATH
from tests.azure.routes.endpoints import endpoints_of
from tests.azure.standin import Cloud
from tests.training.cli.azure.deployed import put_endpoint
from training.cli import main

IMAGE = "plant.azurecr.io/automl-edge:cpu"
BUNDLE_TAGS = {"bundle_schema": "automl-edge/bundle/1", "family": "classification"}
ENDPOINT = f"{WORKSPACE_PATH}/onlineEndpoints/line-one"


@pytest.fixture
def where(azure: Cloud, tmp_path: Path) -> list[str]:
    """A workspace with a bundle (defects:1) and a model of AutoML's own (defects-mlflow:3), and the way there."""
    register(azure, "defects", "1", "custom_model", BUNDLE_TAGS)
    register(azure, "defects-mlflow", "3", "mlflow_model")
    place = ["--subscription", SUBSCRIPTION, "--resource-group", RESOURCE_GROUP, "--workspace", WORKSPACE]
    return [*place, "--credential", "managed-identity", "--cloud", str(azure.cloud_file(tmp_path))]


def register(azure: Cloud, name: str, version: str, kind: str, tags: dict[str, str] | None = None) -> None:
    uri = f"azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/workspaceblobstore/paths/{name}"
    given = {"modelType": kind, "modelUri": uri, "flavors": {}, "tags": tags or {}, "properties": {}}
    azure.resources.put(f"{WORKSPACE_PATH}/models/{name}/versions/{version}", {**given, "isArchived": False})


def deploy(where: list[str], *words: object) -> Result:
    return CliRunner().invoke(main, ["azure", "deploy", *map(str, words), *where])


def put_bodies(azure: Cloud, pattern: str) -> list[Any]:
    return azure.wire.bodies("PUT", pattern)


def traffic_of(azure: Cloud) -> Any:
    return azure.resources.get(ENDPOINT)["properties"]["traffic"]


def test_our_runtime_becomes_the_server(azure: Cloud, where: list[str]) -> None:
    """Endpoint, environment and deployment are made in this order, and the requests are given last, after the wait."""
    endpoints_of(azure).looks = 2
    result = deploy(where, "defects:1", "--endpoint", "line-one", "--image", IMAGE)
    assert result.exit_code == 0, result.output
    puts = [re.sub(r".*/workspaces/\w+/", "", e.path) for e in azure.wire.exchanges if e.method == "PUT"]
    environment = puts[1]
    assert puts == [
        "onlineEndpoints/line-one",
        environment,
        "onlineEndpoints/line-one/deployments/blue",
        "onlineEndpoints/line-one",
    ]
    assert re.fullmatch(r"environments/automl-edge/versions/[0-9a-f]{12}", environment)
    [body] = put_bodies(azure, r"/environments/")
    assert body["properties"] == {
        "image": IMAGE,
        "isAnonymous": False,
        "isArchived": False,
        "inferenceConfig": {
            "livenessRoute": {"port": 8080, "path": "/livez"},
            "readinessRoute": {"port": 8080, "path": "/readyz"},
            "scoringRoute": {"port": 8080, "path": "/score"},
        },
    }
    [body] = put_bodies(azure, r"/deployments/blue")
    probe = {"successThreshold": 1, "timeout": "PT5S"}
    assert body == {
        "location": "westeurope",
        "tags": {},
        "sku": {"name": "Default", "capacity": 1},
        "properties": {
            "endpointComputeType": "Managed",
            "model": f"{WORKSPACE_PATH}/models/defects/versions/1",
            "environmentId": f"{WORKSPACE_PATH}/{environment}",
            "environmentVariables": {
                "EDGE_REGISTRY__KIND": "bundle",
                "EDGE_REGISTRY__PATH": "/var/azureml-app/azureml-models/defects/1",
                "EDGE_HTTP__HOST": "0.0.0.0",
                "EDGE_HTTP__PORT": "8080",
                "EDGE_HTTP__INSECURE": "true",
                "EDGE_MQTT__ENABLED": "false",
                "EDGE_MQTT__DEVICE": "line-one-blue",
                "EDGE_STORAGE__PATH": "/tmp/automl-edge",
                "EDGE_LOG__FORMAT": "json",
                "EDGE_LOG__RESULTS": "false",
            },
            "instanceType": "Standard_DS3_v2",
            "appInsightsEnabled": False,
            "properties": {},
            "requestSettings": {"maxConcurrentRequestsPerInstance": 32, "requestTimeout": "PT20S"},
            "livenessProbe": {**probe, "initialDelay": "PT10S", "period": "PT10S", "failureThreshold": 12},
            "readinessProbe": {**probe, "initialDelay": "PT5S", "period": "PT5S", "failureThreshold": 60},
        },
    }
    first, last = put_bodies(azure, r"/onlineEndpoints/line-one$")
    assert first["properties"] == {"authMode": "Key", "properties": {}, "traffic": {}, "mirrorTraffic": {}}
    assert last["properties"] == {"authMode": "Key", "properties": {}, "traffic": {"blue": 100}, "mirrorTraffic": {}}


def test_automls_own_model_needs_no_environment(azure: Cloud, where: list[str]) -> None:
    """The no-code deployment has 90 s for an answer, half an hour to come up, and no image of ours."""
    result = deploy(
        where, "defects-mlflow:3", "--endpoint", "line-one", "--mlflow", "--instances", 2, "--auth", "aml_token"
    )
    assert result.exit_code == 0, result.output
    assert put_bodies(azure, r"/environments/") == []
    [body] = put_bodies(azure, r"/deployments/blue")
    properties = body["properties"]
    assert "environmentId" not in properties
    assert properties["environmentVariables"] == {}
    assert properties["model"] == f"{WORKSPACE_PATH}/models/defects-mlflow/versions/3"
    assert properties["requestSettings"]["requestTimeout"] == "PT1M30S"
    assert properties["readinessProbe"]["failureThreshold"] == 180
    assert properties["instanceType"] == "Standard_DS4_v2"
    assert body["sku"]["capacity"] == 2
    assert put_bodies(azure, r"/onlineEndpoints/line-one$")[0]["properties"]["authMode"] == "AMLToken"


def test_a_cluster_of_the_workspace_serves(azure: Cloud, where: list[str]) -> None:
    """On Kubernetes the endpoint names the cluster, and the machine is what the cluster calls so, or its default."""
    result = deploy(where, "defects:1", "--endpoint", "line-one", "--image", IMAGE, "--kubernetes", "plant-cluster")
    assert result.exit_code == 0, result.output
    first, last = put_bodies(azure, r"/onlineEndpoints/line-one$")
    for body in (first, last):
        assert body["properties"]["compute"] == f"{WORKSPACE_PATH}/computes/plant-cluster"
    [body] = put_bodies(azure, r"/deployments/blue")
    assert body["properties"]["endpointComputeType"] == "Kubernetes"
    assert "instanceType" not in body["properties"]
    assert body["properties"]["environmentVariables"]["EDGE_HTTP__INSECURE"] == "true"
    refused = deploy(where, "defects:1", "--endpoint", "line-one", "--image", IMAGE)
    assert refused.exit_code == 2
    assert "is there already, as kubernetes" in refused.output


def test_a_second_deployment_gets_its_share(azure: Cloud, where: list[str]) -> None:
    """A share shrinks the others; the table tells who answers what, and what could be deleted."""
    assert deploy(where, "defects:1", "--endpoint", "line-one", "--image", IMAGE).exit_code == 0
    register(azure, "defects", "2", "custom_model", BUNDLE_TAGS)
    green = ("defects:2", "--endpoint", "line-one", "--deployment", "green", "--image", IMAGE)
    assert deploy(where, *green, "--traffic", 10).exit_code == 0
    assert traffic_of(azure) == {"green": 10, "blue": 90}
    result = deploy(where, *green, "--traffic", "blue=0,green=100", "--env", "EDGE_LOG__LEVEL=debug")
    assert result.exit_code == 0, result.output
    assert traffic_of(azure) == {"green": 100}
    assert "green answers 10 % of the requests and is updated in place" in result.stderr
    assert re.search(r"blue +0 % +defects:1 +1 x Standard_DS3_v2 +Succeeded", result.stdout)
    assert max(len(line) for line in result.stdout.splitlines()) <= 80
    assert "without requests: blue" in result.stdout
    assert (
        put_bodies(azure, "/deployments/green")[-1]["properties"]["environmentVariables"]["EDGE_LOG__LEVEL"] == "debug"
    )
    refused = deploy(where, "--endpoint", "line-one", "--remove", "green")
    assert refused.exit_code == 2
    assert "green answers 100 % of the requests" in refused.stderr
    removed = deploy(where, "--endpoint", "line-one", "--remove", "blue", "--json")
    assert removed.exit_code == 0, removed.output
    assert [one["name"] for one in json.loads(removed.stdout)["deployments"]] == ["green"]


def test_an_update_keeps_the_machines_that_it_does_not_name(azure: Cloud, where: list[str]) -> None:
    """What answers with three machines does so after it too; AutoML's own server gets a size of its own."""
    words = ("--endpoint", "line-one")
    size = ("--instance-type", "Standard_F8s_v2")
    assert deploy(where, "defects:1", *words, "--image", IMAGE, "--instances", 3, *size).exit_code == 0
    assert deploy(where, "defects:1", *words, "--image", f"{IMAGE}-2").exit_code == 0
    assert deploy(where, "defects:1", *words, "--image", IMAGE, "--instances", 2).exit_code == 0
    assert deploy(where, "defects-mlflow:3", *words, "--mlflow").exit_code == 0
    bodies = put_bodies(azure, r"/deployments/blue$")
    assert [body["sku"]["capacity"] for body in bodies] == [3, 3, 2, 2]
    sizes = [body["properties"]["instanceType"] for body in bodies]
    assert sizes == ["Standard_F8s_v2"] * 3 + ["Standard_DS4_v2"]


def test_requests_that_others_moved_meanwhile_are_not_moved_back(azure: Cloud, where: list[str]) -> None:
    """A deployment takes minutes: shares are planned from those that the endpoint has after it."""
    put_endpoint(azure, blue=100, red=0)
    endpoints_of(azure).looks = 4
    moved = threading.Timer(1.0, lambda: azure.resources.get(ENDPOINT)["properties"].update(traffic={"red": 100}))
    moved.start()
    words = ("--endpoint", "line-one", "--deployment", "green", "--image", IMAGE, "--traffic", 10)
    result = deploy(where, "defects:1", *words)
    moved.join()
    assert result.exit_code == 0, result.output
    assert put_bodies(azure, r"/onlineEndpoints/line-one$")[-1]["properties"]["traffic"] == {"red": 90, "green": 10}


def test_no_requests_go_to_a_deployment_that_has_failed(azure: Cloud, where: list[str]) -> None:
    """Refused before anything is made; one that answers already keeps what it has."""
    put_endpoint(azure, blue=90, red=10)
    azure.resources.get(f"{ENDPOINT}/deployments/red")["properties"]["provisioningState"] = "Failed"
    words = ("defects:1", "--endpoint", "line-one", "--deployment", "green", "--image", IMAGE)
    refused = deploy(where, *words, "--traffic", "red=50,green=50")
    assert refused.exit_code == 2
    assert "the deployment red has failed: deploy it again first" in refused.stderr
    assert put_bodies(azure, "") == []
    assert deploy(where, *words, "--traffic", "blue=80,red=10,green=10").exit_code == 0
    assert traffic_of(azure) == {"blue": 80, "red": 10, "green": 10}


def test_no_share_leaves_the_requests_where_they_are(azure: Cloud, where: list[str]) -> None:
    """With `--traffic 0` the endpoint is not touched after the deployment."""
    result = deploy(where, "defects:1", "--endpoint", "line-one", "--image", IMAGE, "--traffic", 0)
    assert result.exit_code == 0, result.output
    assert azure.wire.count("PUT", r"/onlineEndpoints/line-one$") == 1
    shown = deploy(where, "--list", "line-one", "--json")
    assert json.loads(shown.stdout)["deployments"][0]["share"] == 0


def test_a_deployment_that_fails_changes_no_traffic(azure: Cloud, where: list[str]) -> None:
    """Azure's reason, the end of the container's log and the remedy are shown; requests go where they went."""
    assert deploy(where, "defects:1", "--endpoint", "line-one", "--image", IMAGE).exit_code == 0
    behaviour = endpoints_of(azure)
    behaviour.failing["green"] = ("ResourceNotReady", "User container has crashed or terminated.")
    behaviour.logs["InferenceServer"] = "\n".join(f"line {n}" for n in range(100))
    before = azure.wire.count("PUT", r"/onlineEndpoints/line-one$")
    result = deploy(where, "defects:1", "--endpoint", "line-one", "--deployment", "green", "--image", IMAGE)
    assert result.exit_code == 1
    assert "line 99" in result.stderr
    assert "line 59" not in result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("error: deploying defects:1 as green: (ResourceNotReady) User container has crashed")
    assert "its log says why; traffic stays as it was (blue 100 %)" in last
    assert azure.wire.count("PUT", r"/onlineEndpoints/line-one$") == before
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("code", "message", "words"),
    [
        ("OutOfQuota", "Not enough quota", "ask for more cores of this size at https://ml.azure.com/quota"),
        ("BadRequest", "The request exceeds the Quota of cores", "ask for more cores of this size"),
        ("BadArgument", "Unable to download user container image", "AcrPull"),
        ("Surprise", "Something new", "Something new"),
    ],
)
def test_azures_reasons_come_with_a_remedy(azure: Cloud, where: list[str], code: str, message: str, words: str) -> None:
    """Quota is named by its code or by its text; what is not known is shown as Azure says it."""
    endpoints_of(azure).failing["blue"] = (code, message)
    result = deploy(where, "defects:1", "--endpoint", "line-one", "--image", IMAGE)
    assert result.exit_code == 1
    assert words in result.stderr
    assert "traffic stays as it was (none)" in result.stderr
    assert "the container has written nothing" in result.stderr


def test_a_log_that_cannot_be_read_hides_no_reason(azure: Cloud, where: list[str]) -> None:
    """Where the log is refused too, the deployment's own fault is still what is told."""
    endpoints_of(azure).failing["blue"] = ("ResourceNotReady", "crashed")
    azure.wire.break_(r"POST .*/getLogs", 403)
    result = deploy(where, "defects:1", "--endpoint", "line-one", "--image", IMAGE)
    assert result.exit_code == 1
    assert "the container's log cannot be read" in result.stderr
    assert "(ResourceNotReady) crashed" in result.stderr


def test_a_dry_run_asks_nothing(azure: Cloud, where: list[str]) -> None:
    """What is printed is YAML that `az ml` takes, or JSON; not one request goes out."""
    words = ("defects:1", "--endpoint", "line-one", "--image", IMAGE, "--dry-run")
    result = deploy(where, *words)
    assert result.exit_code == 0, result.output
    assert "auth_mode: key" in result.stdout
    assert "EDGE_REGISTRY__PATH: /var/azureml-app/azureml-models/defects/1" in result.stdout
    shown = json.loads(deploy(where, *words, "--json").stdout)
    assert shown["deployment"]["model"] == "azureml:defects:1"
    assert shown["endpoint"] == {"name": "line-one", "auth_mode": "key"}
    assert azure.wire.exchanges == ()


def test_a_dry_run_in_a_terminal(where: list[str]) -> None:
    """There the program's output is another kind of file."""
    words = [sys.executable, "-m", "training.cli", "azure", "deploy", "defects:1", "--endpoint", "line-one"]
    ours, theirs = os.openpty()
    whole = [*words, "--image", IMAGE, "--dry-run", *where]
    ended = subprocess.run(whole, stdout=theirs, stderr=theirs, timeout=30, check=False)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert ended.returncode == 0, shown
    assert "EDGE_REGISTRY__PATH: /var/azureml-app/azureml-models/defects/1" in shown


@pytest.mark.parametrize(
    ("words", "exit_code", "message"),
    [
        (("defects:1", "--image", IMAGE), 2, "which endpoint?"),
        (("--endpoint", "line-one", "--image", IMAGE), 2, "which model?"),
        (("defects:1", "--endpoint", "line-one"), 2, "who answers?"),
        (("defects:1", "--endpoint", "line-one", "--image", IMAGE, "--mlflow"), 2, "who answers?"),
        (("defects", "--endpoint", "line-one", "--image", IMAGE), 2, "is not NAME:VERSION"),
        (("defects:1", "--endpoint", "Line", "--image", IMAGE), 2, "small letters, digits"),
        (("defects:1", "--endpoint", "line-one", "--deployment", "b", "--image", IMAGE), 2, "3 to 32"),
        (("defects:1", "--endpoint", "line-one", "--image", IMAGE, "--traffic", "101"), 2, "must be 0 to 100"),
        (("defects:1", "--endpoint", "line-one", "--image", IMAGE, "--traffic", "blue=60"), 2, "sum to 60"),
        (("defects:1", "--endpoint", "line-one", "--image", IMAGE, "--traffic", "50"), 2, "no other deployment"),
        (("defects:1", "--endpoint", "line-one", "--image", IMAGE, "--traffic", "red=100"), 2, "no deployment red"),
        (("defects:1", "--endpoint", "line-one", "--image", IMAGE, "--env", "X"), 2, "is not KEY=VALUE"),
        (("defects-mlflow:3", "--endpoint", "line-one", "--mlflow", "--env", "A=b"), 2, "--env is for our runtime"),
        (("defects:1", "--list", "line-one"), 2, "take no model"),
        (("--list", "line-one", "--remove", "blue", "--endpoint", "line-one"), 2, "either --list or --remove"),
        (("--endpoint", "line-one", "--remove", "blue", "--dry-run"), 2, "--dry-run is for deploying"),
        (("--list", ".."), 2, "'..' is no endpoint's name"),
        (("--list", "Their-Endpoint"), 1, "there is no endpoint Their-Endpoint"),
        (("--list", "line-one"), 1, "there is no endpoint line-one"),
        (("--endpoint", "line-one", "--remove", "blue"), 1, "there is no endpoint line-one"),
        (("defects:9", "--endpoint", "line-one", "--image", IMAGE), 1, "looking up the model defects:9"),
        (("defects:1", "--endpoint", "line-one", "--mlflow"), 2, "is no MLflow model but custom_model"),
        (("defects-mlflow:3", "--endpoint", "line-one", "--image", IMAGE), 2, "which holds no ONNX"),
        (("detector:1", "--endpoint", "line-one", "--image", IMAGE), 2, "our runtime does not run yet"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    azure: Cloud, where: list[str], words: tuple[object, ...], exit_code: int, message: str
) -> None:
    """One line says what is wrong; nothing is put."""
    register(azure, "detector", "1", "custom_model", {**BUNDLE_TAGS, "family": "fasterrcnn"})
    result = deploy(where, *words)
    assert message in result.stderr
    assert result.exit_code == exit_code
    assert result.stderr.count("\n") == 1
    assert put_bodies(azure, "") == []


def test_an_endpoint_that_asks_for_something_else_is_left_alone(azure: Cloud, where: list[str]) -> None:
    """`--auth` does not change an endpoint that is there, and one that is being changed is not changed again."""
    words = ("defects:1", "--endpoint", "line-one", "--image", IMAGE)
    assert deploy(where, *words).exit_code == 0
    refused = deploy(where, *words, "--auth", "aad_token")
    assert refused.exit_code == 2
    assert "asks for key" in refused.stderr
    azure.resources.get(ENDPOINT)["properties"]["provisioningState"] = "Updating"
    busy = deploy(where, *words)
    assert busy.exit_code == 1
    assert "is being changed (Updating): try again later" in busy.stderr


@pytest.mark.parametrize("status", [401, 403, 409])
def test_faults_of_the_control_plane_are_told(azure: Cloud, where: list[str], status: int) -> None:
    """What was attempted is named, and nothing is left half told."""
    azure.wire.break_(r"PUT .*/onlineEndpoints/line-one$", status)
    result = deploy(where, "defects:1", "--endpoint", "line-one", "--image", IMAGE)
    assert result.exit_code == 1
    assert "creating the endpoint line-one" in result.stderr
    assert put_bodies(azure, "/deployments/") == []
