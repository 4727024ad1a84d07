"""The workspace, its datastores and their secrets, and what the caller may do."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.azure.arm import WORKSPACE_PATH
from tests.azure.blobs import KEY
from tests.azure.routes.paths import GROUP, WS
from tests.azure.standin import Cloud, answering

DEVELOPER_ACTIONS = ["Microsoft.MachineLearningServices/*"]
STORAGE_READER = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"

EMPTY_LISTING = (
    "<?xml version='1.0' encoding='utf-8'?><EnumerationResults ContainerName='azureml'><Blobs/><NextMarker/>"
    "</EnumerationResults>"
)


def refuse_blobs(cloud: Cloud, code: str, methods: str = "GET+HEAD+PUT") -> None:
    """Let the workspace's datastores lie in a storage account that refuses these methods with this code."""
    for name in ("workspaceblobstore", "workspaceartifactstore"):
        body = cloud.resources.get(f"{WORKSPACE_PATH}/datastores/{name}")
        body["properties"]["accountName"] = f"localhost:{cloud.port}/refusing/{methods}/{code}#"


def _refusing(request: Request) -> Response:
    """Answer as a storage account that lets nobody do what the address names, and is empty."""
    code, methods = request.path_params["code"], request.path_params["methods"]
    if request.method in methods.split("+"):
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code} of the test</Message></Error>"
        return Response(body, 403, {"x-ms-error-code": code}, media_type="application/xml")
    if request.method == "PUT":
        return Response("", 404, {"x-ms-error-code": "BlobNotFound"})
    return Response(EMPTY_LISTING, media_type="application/xml")


def _page(_request: Request) -> Response:
    """Answer as a network that wants to be signed in to does, whatever was asked."""
    return Response("<html><body>Welcome to the plant's guest network</body></html>", media_type="text/html")


def _permissions(cloud: Cloud) -> list[Route]:
    def permissions(_request: Request) -> Mapping[str, Any]:
        refused = sorted(cloud.denied)
        data = [] if STORAGE_READER in cloud.denied else ["Microsoft.Storage/storageAccounts/blobServices/*"]
        granted = {"actions": DEVELOPER_ACTIONS, "notActions": refused, "dataActions": data, "notDataActions": []}
        return {"value": [granted]}

    address = "/providers/Microsoft.Authorization/permissions"
    return [Route(f"{room}{address}", answering(permissions)) for room in (WS, GROUP)]


def routes(cloud: Cloud) -> list[Route]:
    """Return workspace, discovery, datastores and permissions."""

    def workspace(request: Request) -> Mapping[str, Any]:
        return cloud.resources.get(request.url.path)

    def discovery(_request: Request) -> Mapping[str, Any]:
        return {"api": cloud.url, "history": cloud.url}

    def datastores(request: Request) -> Mapping[str, Any]:
        found = cloud.resources.below(request.url.path)
        if request.query_params.get("isDefault", "").lower() == "true":
            found = [body for body in found if body["properties"]["isDefault"]]
        return {"value": found}

    def datastore(request: Request) -> Mapping[str, Any]:
        body = cloud.resources.get(request.url.path)
        credentials = {"credentialsType": cloud.secrets}
        return {**body, "properties": {**body["properties"], "credentials": credentials}}

    def secrets(request: Request) -> Mapping[str, Any]:
        cloud.resources.get(request.url.path.removesuffix("/listSecrets"))
        if cloud.secrets == "AccountKey":
            return {"secretsType": "AccountKey", "key": KEY}
        return {"secretsType": "Sas", "sasToken": cloud.blobs.sas(permissions=cloud.sas_permissions)}

    return [
        *_permissions(cloud),
        Route(WS, answering(workspace)),
        Route("/discovery", answering(discovery)),
        Route(f"{WS}/datastores", answering(datastores)),
        Route(f"{WS}/datastores/{{name}}", answering(datastore)),
        Route(f"{WS}/datastores/{{name}}/listSecrets", answering(secrets), methods=["POST"]),
        Route("/page/{path:path}", answering(_page)),
        Route("/refusing/{methods}/{code}/{path:path}", answering(_refusing), methods=["GET", "HEAD", "PUT"]),
    ]
