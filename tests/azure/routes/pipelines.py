"""What pipelines need beside jobs: components, and schedules that start them."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.azure.routes.paths import WS
from tests.azure.routes.versioned import asset_routes
from tests.azure.standin import Cloud, answering, json_of


def routes(cloud: Cloud) -> list[Route]:
    """Return them."""

    def get(request: Request) -> Mapping[str, Any]:
        return cloud.resources.get(request.url.path)

    def schedules(request: Request) -> Mapping[str, Any]:
        return {"value": cloud.resources.below(request.url.path)}

    def put(request: Request) -> Response:
        properties = {**json_of(request)["properties"], "provisioningState": "Succeeded", "isEnabled": True}
        return JSONResponse(cloud.resources.put(request.url.path, properties), status_code=201)

    return [
        *asset_routes(cloud, "components"),
        Route(f"{WS}/schedules", answering(schedules)),
        Route(f"{WS}/schedules/{{name}}", answering(get)),
        Route(f"{WS}/schedules/{{name}}", answering(put), methods=["PUT"]),
    ]
