"""An endpoint of the stand-in with a deployment behind it, as it is after a deploy."""

from pathlib import Path

from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE, WORKSPACE_PATH
from tests.azure.standin import Cloud


def where(azure: Cloud, folder: Path) -> list[str]:
    """Return the words by which a command finds the stand-in."""
    place = ["--subscription", SUBSCRIPTION, "--resource-group", RESOURCE_GROUP, "--workspace", WORKSPACE]
    return [*place, "--credential", "managed-identity", "--cloud", str(azure.cloud_file(folder))]


def put_endpoint(azure: Cloud, name: str = "line-one", *, auth: str = "Key", **traffic: int) -> None:
    """Make an endpoint whose deployments have these shares."""
    path = f"{WORKSPACE_PATH}/onlineEndpoints/{name}"
    given = {
        "authMode": auth,
        "traffic": {key: share for key, share in traffic.items() if share},
        "mirrorTraffic": {},
        "properties": {},
        "provisioningState": "Succeeded",
        "scoringUri": f"{azure.url}/endpoints/{name}/score",
    }
    azure.resources.put(path, given, location="westeurope", tags={}, identity={"type": "SystemAssigned"})
    for deployment in traffic:
        azure.resources.put(
            f"{path}/deployments/{deployment}",
            {
                "endpointComputeType": "Managed",
                "model": f"{WORKSPACE_PATH}/models/colours/versions/1",
                "scaleSettings": {"scaleType": "Default"},
                "instanceType": "Standard_DS3_v2",
                "properties": {},
                "provisioningState": "Succeeded",
            },
            location="westeurope",
            sku={"name": "Default", "capacity": 1},
        )
