"""The workspace, its datastores and their secrets, and what the caller may do."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from tests.azure.blobs import KEY
from tests.azure.routes.paths import GROUP, WS
from tests.azure.standin import Cloud, answering

DEVELOPER_ACTIONS = ["Microsoft.MachineLearningServices/*"]
STORAGE_READER = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"


def routes(cloud: Cloud) -> list[Route]:
    """Return workspace, discovery, datastores and permissions."""

    def workspace(request: Request) -> Mapping[str, Any]:
        return cloud.resources.get(request.url.path)

    def discovery(_request: Request) -> Mapping[str, Any]:
        return {"api": cloud.url, "history": cloud.url}

    def datastores(request: Request) -> Mapping[str, Any]:
        return {"value": cloud.resources.below(request.url.path)}

    def datastore(request: Request) -> Mapping[str, Any]:
        body = cloud.resources.get(request.url.path)
        credentials = {"credentialsType": cloud.secrets}
        return {**body, "properties": {**body["properties"], "credentials": credentials}}

    def secrets(request: Request) -> Mapping[str, Any]:
        cloud.resources.get(request.url.path.removesuffix("/listSecrets"))
        if cloud.secrets == "AccountKey":
            return {"secretsType": "AccountKey", "key": KEY}
        return {"secretsType": "Sas", "sasToken": cloud.blobs.sas()}

    def permissions(_request: Request) -> Mapping[str, Any]:
        refused = sorted(cloud.denied)
        data = [] if STORAGE_READER in cloud.denied else ["Microsoft.Storage/storageAccounts/blobServices/*"]
        granted = {"actions": DEVELOPER_ACTIONS, "notActions": refused, "dataActions": data, "notDataActions": []}
        return {"value": [granted]}

    allowed = "/providers/Microsoft.Authorization/permissions"
    return [
        Route(WS, answering(workspace)),
        Route("/discovery", answering(discovery)),
        Route(f"{WS}/datastores", answering(datastores)),
        Route(f"{WS}/datastores/{{name}}", answering(datastore)),
        Route(f"{WS}/datastores/{{name}}/listSecrets", answering(secrets), methods=["POST"]),
        Route(f"{WS}{allowed}", answering(permissions)),
        Route(f"{GROUP}{allowed}", answering(permissions)),
    ]
