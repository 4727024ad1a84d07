"""Named, versioned assets, as models, data, environments, components and codes all are."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.azure.arm import ArmError, Body
from tests.azure.routes.paths import WS
from tests.azure.standin import Cloud, answering, json_of

PAGE = 30
"""How many versions one answer holds."""
Change = Callable[[str, Body], Body]
"""What the service makes of the properties that were put at a path."""


def newest_first(versions: list[Body]) -> list[Body]:
    return sorted(versions, key=lambda body: str(body["systemData"]["createdAt"]), reverse=True)


def _next(versions: list[Body]) -> str:
    return str(max((int(v["name"]) for v in versions if v["name"].isdecimal()), default=0) + 1)


def _asked_for(found: list[Body], query: Mapping[str, str]) -> list[Body]:
    """Return the versions that a query names, at most as many as it wants."""
    view = query.get("listViewType", "ActiveOnly")
    if view != "All":
        found = [body for body in found if bool(body["properties"].get("isArchived")) == (view == "ArchivedOnly")]
    if stage := query.get("stage"):
        found = [body for body in found if body["properties"].get("stage") == stage]
    if wanted := query.get("hash"):
        found = [body for body in found if body["properties"].get("properties", {}).get("hash_sha256") == wanted]
    return found[: int(query["$top"])] if "$top" in query else found


def _page(cloud: Cloud, request: Request, versions: list[Body]) -> Body:
    """Return one answer's part of what is asked for, and where the next part is."""
    query = request.query_params
    found, begin = _asked_for(versions, query), int(query.get("$skip", 0))
    answer: Body = {"value": found[begin : begin + PAGE]}
    if begin + PAGE < len(found):
        following = urlencode({**query, "$skip": str(begin + PAGE)})
        answer["nextLink"] = f"{cloud.url}{request.url.path}?{following}"
    return answer


def asset_routes(cloud: Cloud, kind: str, *, accepted: Change = lambda _, properties: properties) -> list[Route]:
    """Return the routes of one kind of asset in a workspace: containers, versions, archive by ``isArchived``."""
    folder = f"{WS}/{kind}"

    def container(path: str) -> Body:
        versions = cloud.resources.below(f"{path}/versions")
        if not versions:
            raise ArmError(404, "UserError", f"Not found: {kind}/{path.rsplit('/', 1)[-1]}")
        newest = newest_first(versions)[0]
        properties = {"latestVersion": newest["name"], "nextVersion": _next(versions), "isArchived": False, "tags": {}}
        return {
            "id": path,
            "name": path.rsplit("/", 1)[-1],
            "properties": properties,
            "systemData": newest["systemData"],
        }

    def containers(request: Request) -> Mapping[str, Any]:
        prefix = request.url.path.lower()
        names = {b["id"].rsplit("/", 2)[0] for b in cloud.resources if b["id"].lower().startswith(f"{prefix}/")}
        return {"value": [container(path) for path in sorted(names)]}

    def one_container(request: Request) -> Mapping[str, Any]:
        return container(request.url.path)

    def versions(request: Request) -> Mapping[str, Any]:
        return _page(cloud, request, newest_first(cloud.resources.below(request.url.path)))

    def get(request: Request) -> Mapping[str, Any]:
        return cloud.resources.get(request.url.path)

    def put(request: Request) -> Response:
        known = cloud.resources.has(request.url.path)
        body = cloud.resources.put(request.url.path, accepted(request.url.path, json_of(request)["properties"]))
        return JSONResponse(body, status_code=200 if known else 201)

    return [
        Route(folder, answering(containers)),
        Route(f"{folder}/{{name}}", answering(one_container)),
        Route(f"{folder}/{{name}}/versions", answering(versions)),
        Route(f"{folder}/{{name}}/versions/{{version}}", answering(get)),
        Route(f"{folder}/{{name}}/versions/{{version}}", answering(put), methods=["PUT"]),
    ]
