"""Components, environments, codes and schedules."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from tests.azure.blobs import CONTAINER
from tests.azure.routes.paths import WS
from tests.azure.routes.versioned import asset_routes
from tests.azure.standin import Cloud, answering


def routes(cloud: Cloud) -> list[Route]:
    """Return them."""

    def pending_upload(request: Request) -> Mapping[str, Any]:
        name, version = request.path_params["name"], request.path_params["version"]
        blob = f"{cloud.blobs.account_url}/{CONTAINER}"
        return {
            "blobReferenceForConsumption": {
                "blobUri": blob,
                "storageAccountArmId": f"{WS}/storage",
                "credential": {"credentialType": "SAS", "sasUri": f"{blob}?{cloud.blobs.sas()}"},
            },
            "pendingUploadId": f"{name}-{version}",
            "pendingUploadType": "TemporaryBlobReference",
        }

    upload = Route(
        f"{WS}/codes/{{name}}/versions/{{version}}/startPendingUpload", answering(pending_upload), methods=["POST"]
    )
    return [*asset_routes(cloud, "environments"), upload, *asset_routes(cloud, "codes")]
