"""Shared registries: found by discovery, asked under their own path, with references to their blobs."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.azure.arm import PROVIDER, RESOURCE_GROUP, SUBSCRIPTION, TENANT, ArmError, Body
from tests.azure.blobs import CONTAINER
from tests.azure.routes.paths import GROUP
from tests.azure.routes.versioned import newest_first
from tests.azure.standin import Answer, Cloud, answering, json_of

REGISTRY = "factory"
PLANE = "/mferp/managementfrontend"
REFERENCES = "references of registries"
"""In the cloud's notes: ``SAS`` (where nothing is noted) or ``NoCredentials``."""


def registry_path(name: str = REGISTRY) -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}{PROVIDER}/registries/{name}"


def blob_url(cloud: Cloud, path: str) -> str:
    """Return what a registry calls the place of a file or folder in its container."""
    return f"{cloud.blobs.account_url}/{CONTAINER}/{path}"


def put_model(cloud: Cloud, path: str, properties: Body) -> Body:
    """Keep a version as the service does: a registry knows no stages, and has ids of its own form."""
    kept = {"flavors": {}, "tags": {}, "properties": {}, "isArchived": False, **properties, "stage": None}
    kept["flavors"] = kept["flavors"] or {}
    body = cloud.resources.put(path, kept)
    body["id"] = f"azureml://registries/{path.partition('/registries/')[2]}"
    return body


def routes(cloud: Cloud) -> list[Route]:
    """Return discovery, models and data references."""
    root = f"{PLANE}{GROUP}{PROVIDER}/registries/{{registry}}"
    return [
        Route("/registrymanagement/v1.0/registries/{registry}/discovery", answering(_discovery(cloud))),
        *_model_routes(cloud, f"{root}/models/{{name}}/versions"),
        *_reference_routes(cloud, root),
    ]


def _discovery(cloud: Cloud) -> Answer:
    def discovery(request: Request) -> Mapping[str, Any]:
        name = request.path_params["registry"]
        if name != REGISTRY:
            raise ArmError(404, "RegistryNotFound", f"Registry {name} could not be found")
        return {
            "registryName": name,
            "tenantId": TENANT,
            "primaryRegion": "westeurope",
            "regions": ["westeurope"],
            "subscriptionId": SUBSCRIPTION,
            "resourceGroup": RESOURCE_GROUP,
            "workspaceName": "",
            "primaryRegionResourceProviderUri": f"{cloud.url}/",
        }

    return discovery


def _model_routes(cloud: Cloud, folder: str) -> list[Route]:
    def versions(request: Request) -> Mapping[str, Any]:
        found = newest_first(cloud.resources.below(_plain(request)))
        return {"value": [body for body in found if not body["properties"].get("isArchived")]}

    def get(request: Request) -> Mapping[str, Any]:
        return cloud.resources.get(_plain(request))

    def put(request: Request) -> Response:
        known = cloud.resources.has(_plain(request))
        body = put_model(cloud, _plain(request), json_of(request)["properties"])
        return JSONResponse(body, status_code=200 if known else 201)

    one = f"{folder}/{{version}}"
    return [
        Route(folder, answering(versions)),
        Route(one, answering(get)),
        Route(one, answering(put), methods=["PUT"]),
    ]


def _reference_routes(cloud: Cloud, root: str) -> list[Route]:
    container = f"{cloud.blobs.account_url}/{CONTAINER}"

    def place_to_upload(_request: Request) -> Mapping[str, Any]:
        credential = {"credentialType": "SAS", "sasUri": f"{container}?{cloud.blobs.sas()}"}
        return {"blobReferenceForConsumption": {"blobUri": container, "credential": credential}}

    def reference(request: Request) -> Mapping[str, Any]:
        credential = {"credentialType": cloud.notes.get(REFERENCES, "SAS")}
        if credential["credentialType"] == "SAS":
            credential["sasUri"] = f"{container}?{cloud.blobs.sas(permissions='rl')}"
        return {"blobReferenceForConsumption": {"blobUri": json_of(request)["blobUri"], "credential": credential}}

    one = "{name}/versions/{version}"
    return [
        Route(f"{root}/tempdatarefs/{one}", answering(place_to_upload), methods=["PUT"]),
        Route(f"{root}/datarefs/{one}", answering(reference), methods=["POST"]),
    ]


def _plain(request: Request) -> str:
    """Return the path under which a registry's resources are kept."""
    return request.url.path.removeprefix(PLANE)
