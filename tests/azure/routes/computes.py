"""Compute clusters: made, changed and looked at; making one takes a while, and may fail."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.azure.arm import SUBSCRIPTION, TENANT, WORKSPACE_PATH, ArmError, Body
from tests.azure.routes.paths import WS
from tests.azure.standin import Cloud, answering, json_of

OPERATIONS = (
    f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.MachineLearningServices/locations/westeurope/computeOps"
)
SOON = {"Retry-After": "1"}
PRINCIPAL = "00000000-0000-0000-0000-0000000000c1"
"""Who every identity is that the service makes for a cluster."""
"""The SDK asks again after 30 s unless both the first and the next answer carry this."""


def kept(properties: Body, state: str) -> Body:
    """Return what the service keeps of a compute's properties: it fills in what nobody said."""
    inner = {"vmPriority": "Dedicated", "allocationState": "Steady", "currentNodeCount": 0, "targetNodeCount": 0}
    given = {key: value for key, value in (properties.get("properties") or {}).items() if value is not None}
    return {**properties, "provisioningState": state, "properties": {**inner, **given}}


def make_compute(cloud: Cloud, name: str, kind: str = "AmlCompute", state: str = "Succeeded", **inner: Any) -> Body:
    """Put a compute there; ``inner`` are the properties of its kind."""
    return cloud.resources.put(
        f"{WORKSPACE_PATH}/computes/{name}",
        kept({"computeType": kind, "computeLocation": "westeurope", "properties": inner}, state),
        location="westeurope",
        tags={},
    )


def cluster(size: str = "Standard_NC4as_T4_v3", low: int = 0, high: int = 4, idle: str = "PT1200S") -> Body:
    """Return the inner properties of a cluster."""
    scale = {"minNodeCount": low, "maxNodeCount": high, "nodeIdleTimeBeforeScaleDown": idle}
    return {"vmSize": size, "scaleSettings": scale, "osType": "Linux", "remoteLoginPortPublicAccess": "Disabled"}


def _around(body: Body) -> dict[str, Any]:
    """Return what stands around a compute's properties; an identity that the service makes has an object."""
    around = {key: body[key] for key in ("location", "tags", "identity") if body.get(key)}
    if "SystemAssigned" in around.get("identity", {}).get("type", ""):
        around["identity"] = {**around["identity"], "principalId": PRINCIPAL, "tenantId": TENANT}
    return around


def routes(cloud: Cloud) -> list[Route]:
    """Return them.

    ``notes["compute_fails"]`` is the error (code, message) that making one ends with, ``notes["compute_polls"]`` how
    often somebody has to ask before it ends.
    """

    def listed(request: Request) -> Mapping[str, Any]:
        return {"value": cloud.resources.below(request.url.path)}

    def get(request: Request) -> Mapping[str, Any]:
        return cloud.resources.get(request.url.path)

    def put(request: Request) -> Response:
        body, path = json_of(request), request.url.path
        if "location" not in body:
            raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
        made = cloud.resources.put(path, kept(body["properties"], "Creating"), **_around(body))
        operation = f"{OPERATIONS}/{uuid4()}"
        cloud.notes[operation] = path
        return JSONResponse(made, 201, {"Azure-AsyncOperation": f"{cloud.url}{operation}?api-version=x", **SOON})

    def operation(request: Request) -> Response:
        body = cloud.resources.get(cloud.notes[request.url.path])
        if cloud.notes.get("compute_polls", 0) > 0:
            cloud.notes["compute_polls"] -= 1
            return JSONResponse({"status": "InProgress"}, headers=SOON)
        fails = cloud.notes.get("compute_fails")
        body["properties"]["provisioningState"] = "Failed" if fails else "Succeeded"
        if fails:
            code, message = fails
            return JSONResponse({"status": "Failed", "error": {"code": code, "message": message}}, headers=SOON)
        return JSONResponse({"status": "Succeeded"}, headers=SOON)

    return [
        Route(f"{WS}/computes", answering(listed)),
        Route(f"{WS}/computes/{{name}}", answering(get)),
        Route(f"{WS}/computes/{{name}}", answering(put), methods=["PUT"]),
        Route(f"{OPERATIONS}/{{operation}}", answering(operation)),
    ]
