"""A way to Azurite that leads through the stand-in, so that the wire's faults hit blobs too."""

import ssl

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.azure.arm import WORKSPACE_PATH
from tests.azure.blobs import ACCOUNT
from tests.azure.standin import Cloud, answering, body_of

STORAGE = "/storage"
CUT = "blobs that lose their last byte on the way"
"""In the cloud's notes: how the names of such blobs end."""
OWN = ("host", "connection", "transfer-encoding", "content-length", "content-encoding", "keep-alive")
"""Headers of one connection, which are not handed on."""


def lead_through(cloud: Cloud, *datastores: str) -> None:
    """Let the SDK ask for the blobs of these datastores (none named: the default one) through the stand-in."""
    for name in datastores or ("workspaceblobstore",):
        path = f"{WORKSPACE_PATH}/datastores/{name}"
        properties = cloud.resources.get(path)["properties"]
        cloud.resources.put(path, {**properties, "accountName": f"localhost:{cloud.port}{STORAGE}/{ACCOUNT}#"})


def routes(cloud: Cloud) -> list[Route]:
    """Return the way."""

    trusted = ssl.create_default_context(cafile=str(cloud.ca))

    def hand_on(request: Request) -> Response:
        url = f"https://127.0.0.1:{cloud.blobs.port}/{request.path_params['path']}?{request.url.query}"
        headers = {key: value for key, value in request.headers.items() if key not in OWN}
        with httpx.Client(verify=trusted) as client:
            answer = client.request(request.method, url, headers=headers, content=body_of(request))
        kept = {key: value for key, value in answer.headers.items() if key not in OWN}
        lost = 1 if cloud.notes.get(CUT) and request.url.path.endswith(cloud.notes[CUT]) else 0
        return Response(answer.content[: len(answer.content) - lost], answer.status_code, kept)

    return [Route(f"{STORAGE}/{{path:path}}", answering(hand_on), methods=["GET", "HEAD", "PUT"])]
