"""Defects of the SDK around endpoints that this project works around: each test fails when its defect is gone."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.entities import ManagedOnlineDeployment

from edge.azureml.cloud import read_cloud
from edge.azureml.connection import connect
from edge.azureml.identity import Identity
from edge.azureml.place import Workspace
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE, WORKSPACE_PATH
from tests.azure.routes.endpoints import KEY, endpoints_of
from tests.azure.standin import Cloud
from tests.training.cli.azure.deployed import put_endpoint


@pytest.fixture
def client(azure: Cloud, tmp_path: Path) -> Iterator[MLClient]:
    place = Workspace(SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE)
    cloud = read_cloud(str(azure.cloud_file(tmp_path)))
    with closing(connect(place, Identity("managed-identity"), cloud, retries=0)) as connection:
        yield connection.client


def test_a_deployment_prints_dots_on_standard_output(
    azure: Cloud, client: MLClient, capfd: pytest.CaptureFixture[str]
) -> None:
    """`training.azure.operations.finish` keeps them from programs that read standard output."""
    put_endpoint(azure, blue=0)
    endpoints_of(azure).looks = 1
    deployment = ManagedOnlineDeployment(name="blue", endpoint_name="line-one", model="azureml:m:1", instance_count=1)
    client.online_deployments.begin_create_or_update(deployment).result()
    assert capfd.readouterr().out == "."


def test_what_was_read_of_an_endpoint_is_written_back_as_its_own(azure: Cloud, client: MLClient) -> None:
    """`training.azure.endpoints.share_out` takes who made it, and when, out of the properties again."""
    put_endpoint(azure, blue=0)
    endpoint = client.online_endpoints.get("line-one")
    client.online_endpoints.begin_create_or_update(endpoint).result()
    [body] = azure.wire.bodies("PUT", "/onlineEndpoints/line-one$")
    assert set(body["properties"]["properties"]) == {"createdBy", "createdAt", "lastModifiedAt"}


def test_traffic_is_written_in_small_letters(azure: Cloud, client: MLClient) -> None:
    """So `check_name` takes no capitals: `Blue` would be a deployment that is not there."""
    put_endpoint(azure, blue=0)
    endpoint = client.online_endpoints.get("line-one")
    endpoint.traffic = {"Blue": 100}
    client.online_endpoints.begin_create_or_update(endpoint).result()
    [body] = azure.wire.bodies("PUT", "/onlineEndpoints/line-one$")
    assert body["properties"]["traffic"] == {"blue": 100}


def test_invoke_keeps_the_headers_of_the_call_before(azure: Cloud, client: MLClient, tmp_path: Path) -> None:
    """A call without a deployment goes to the one of the call before: so pictures are posted without the SDK."""
    from azure.ai.ml.constants._endpoint import EndpointInvokeFields  # noqa: PLC0415 - to put back what the SDK spoils

    put_endpoint(azure, blue=100, green=0)
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"input_data": {"columns": ["image"], "data": []}}))
    seen: list[str] = []
    for name in ("blue", "green"):
        endpoints_of(azure).answers[name] = lambda _, name=name: seen.append(name)  # type: ignore[misc] # notes who was asked
    request.write_text(json.dumps({"input_data": {"columns": ["image"], "data": ["AA=="]}}))
    try:
        for deployment in ("green", None):
            client.online_endpoints.invoke("line-one", request_file=str(request), deployment_name=deployment)
        assert seen == ["green", "green"]
        assert EndpointInvokeFields.DEFAULT_HEADER["Authorization"] == f"Bearer {KEY}"
    finally:
        for header in ("Authorization", "azureml-model-deployment"):
            EndpointInvokeFields.DEFAULT_HEADER.pop(header, None)


def test_a_deployment_on_kubernetes_without_resources_cannot_be_read(azure: Cloud, client: MLClient) -> None:
    """Whether Azure ever answers so is not known; a deploy that succeeded would be told as a defect of the SDK."""
    put_endpoint(azure, blue=0)
    body = azure.resources.get(f"{WORKSPACE_PATH}/onlineEndpoints/line-one/deployments/blue")
    body["properties"]["endpointComputeType"] = "Kubernetes"
    with pytest.raises(AttributeError, match="container_resource_requests"):
        list(client.online_deployments.list("line-one"))
