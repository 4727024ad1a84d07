"""Models of the workspace."""

import re

from starlette.routing import Route

from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE, ArmError, Body
from tests.azure.routes.versioned import asset_routes
from tests.azure.standin import Cloud

ARTIFACT_STORE = (
    f"azureml://subscriptions/{SUBSCRIPTION}/resourcegroups/{RESOURCE_GROUP}/workspaces/{WORKSPACE}"
    "/datastores/workspaceartifactstore"
)
ARTIFACT_URI = re.compile(r"azureml://jobs/(?P<job>[^/]+)/outputs/artifacts/(?:paths/)?(?P<path>.+)")


def registered(_path: str, properties: Body) -> Body:
    """Return what the service keeps: a job's output has become a path in the store of artifacts."""
    kept = {"flavors": {}, "tags": {}, "properties": {}, "stage": "Development", "isArchived": False, **properties}
    kept["flavors"] = kept["flavors"] or {}
    found = ARTIFACT_URI.match(str(kept.get("modelUri", "")))
    if found:
        kept["modelUri"] = f"{ARTIFACT_STORE}/paths/ExperimentRun/dcid.{found['job']}/{found['path']}"
        kept["jobName"] = found["job"]
    return kept


def routes(cloud: Cloud) -> list[Route]:
    """Return them; where a version's files lie never changes."""

    def accepted(path: str, properties: Body) -> Body:
        kept = registered(path, properties)
        if cloud.resources.has(path) and cloud.resources.get(path)["properties"]["modelUri"] != kept["modelUri"]:
            raise ArmError(400, "UserError", "Asset paths cannot be updated.")
        return kept

    return asset_routes(cloud, "models", accepted=accepted)
