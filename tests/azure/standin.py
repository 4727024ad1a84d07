"""A stand-in for Azure's control plane: identity, ARM, run history, over TLS; blobs are the real Azurite's.

It answers as the real SDK accepts it, which is no proof of what the service sends. Each kind of resource has a module
in :mod:`tests.azure.routes` whose ``routes(cloud)`` are served here.
"""

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, TENANT, WORKSPACE, WORKSPACE_PATH, ArmError, Resources
from tests.azure.blobs import ARTIFACTS, CONTAINER, Blobs, free_port
from tests.azure.wire import Exchange, Fault, Wire

NAME = "azure stand-in"
"""How threads and tasks of the stand-in are called: they outlive the test that they first served."""


@dataclass(slots=True)
class Cloud:
    """One test's Azure: what its control plane holds, what came over the wire, where blobs lie.

    ``denied`` are actions (``Microsoft.MachineLearningServices/...``) that the caller may not do. ``secrets`` is how
    the datastores are opened: ``Sas`` (with ``sas_permissions``), ``AccountKey`` or ``None`` (identity). ``notes`` is
    for the routes' own memory.
    """

    port: int
    ca: Path
    blobs: Blobs
    resources: Resources = field(default_factory=Resources)
    wire: Wire = field(default_factory=Wire)
    secrets: str = "Sas"
    sas_permissions: str = "rwdlac"
    denied: set[str] = field(default_factory=set)
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def metadata(self) -> Mapping[str, str]:
        """What a cloud file says about this cloud: see :mod:`edge.azureml.cloud`."""
        return {
            "azure_portal": self.url,
            "resource_manager": self.url,
            "active_directory": self.url,
            "aml_resource_id": self.url,
            "storage_endpoint": "core.localhost",
            "registry_discovery_endpoint": f"{self.url}/",
        }

    def cloud_file(self, folder: Path) -> Path:
        """Write the cloud file and return it."""
        file = folder / "cloud.json"
        file.write_text(json.dumps(self.metadata))
        return file

    def clear(self) -> None:
        """Be as new, but for what lies in Azurite."""
        self.wire.mend()
        self.resources, self.wire, self.secrets, self.sas_permissions = Resources(), Wire(), "Sas", "rwdlac"
        self.denied.clear()
        self.notes.clear()
        furnish(self)


def furnish(cloud: Cloud) -> None:
    """Make the workspace and its two datastores."""
    properties = {
        "friendlyName": WORKSPACE,
        "discoveryUrl": f"{cloud.url}/discovery",
        "mlFlowTrackingUri": f"azureml://localhost:{cloud.port}/mlflow/v2.0{WORKSPACE_PATH}?",
        "workspaceId": "11111111-1111-1111-1111-111111111111",
        "storageAccount": f"{WORKSPACE_PATH}/storage",
        "keyVault": f"{WORKSPACE_PATH}/vault",
        "provisioningState": "Succeeded",
    }
    top = {"location": "westeurope", "kind": "Default", "sku": {"name": "Basic", "tier": "Basic"}}
    identity = {"type": "SystemAssigned", "principalId": TENANT, "tenantId": TENANT}
    kind = "Microsoft.MachineLearningServices/workspaces"
    cloud.resources.put(WORKSPACE_PATH, properties, type=kind, tags={}, identity=identity, **top)
    for name, container in (("workspaceblobstore", CONTAINER), ("workspaceartifactstore", ARTIFACTS)):
        cloud.resources.put(
            f"{WORKSPACE_PATH}/datastores/{name}",
            {
                "datastoreType": "AzureBlob",
                "accountName": cloud.blobs.account_name,
                "containerName": container,
                "endpoint": "core.localhost",
                "protocol": "https",
                "isDefault": name == "workspaceblobstore",
                "credentials": {"credentialsType": "Sas"},
                "tags": {},
                "properties": {},
            },
        )


Answer = Callable[[Request], Response | Mapping[str, Any]]


def answering(handler: Answer) -> Callable[[Request], Awaitable[Response]]:
    """Make a route's endpoint of a plain function, which runs in a thread; its ArmErrors are worded as ARM does."""

    async def endpoint(request: Request) -> Response:
        try:
            await request.body()
            answer = await asyncio.get_running_loop().run_in_executor(None, handler, request)
        except ArmError as error:
            return arm_error(error.status, error.code, str(error))
        except ClientDisconnect:
            return Response(status_code=499)  # whoever asked has gone
        return answer if isinstance(answer, Response) else JSONResponse(dict(answer))

    return endpoint


def body_of(request: Request) -> bytes:
    """Return the body; it was read before the handler began."""
    body: bytes = request._body  # noqa: SLF001 - Starlette keeps what was read there and has no other way to it
    return body


def json_of(request: Request) -> Any:
    """Return the body's JSON."""
    body = body_of(request)
    return json.loads(body) if body else None


def arm_error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status, headers=dict(headers or {}))


class _Recorded:
    """Records every exchange and lets those go wrong that shall."""

    def __init__(self, app: ASGIApp, cloud: Cloud) -> None:
        self._app = app
        self._cloud = cloud

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body, status = b"", 0

        async def reading() -> Message:
            nonlocal body
            message = await receive()
            body += message.get("body", b"")
            return message

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                # before it is answered: whoever hears the answer may look at once
                status = message["status"]
                note()
            await send(message)

        def note() -> None:
            wire.note(Exchange(request.method, request.url.path, request.url.query, _parsed(body), status))

        request = Request(scope, reading)
        wire = self._cloud.wire
        fault = wire.fault(request.method, request.url.path)
        try:
            await self._answer(request, fault, scope, reading, sending)
        finally:
            if not status:
                note()

    async def _answer(
        self, request: Request, fault: Fault | None, scope: Scope, reading: Receive, sending: Send
    ) -> None:
        """Go on as usual, or as a fault wants it."""
        if fault is not None and fault.hang_s:
            released = self._cloud.wire.released
            await asyncio.get_running_loop().run_in_executor(None, released.wait, fault.hang_s)
        if fault is not None and fault.status is not None:
            await request.body()
            await arm_error(fault.status, fault.code, fault.message, fault.headers)(scope, reading, sending)
        else:
            await self._app(scope, reading, sending)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace") or None


async def _unknown(request: Request, _error: Exception) -> Response:
    text = f"the stand-in has no {request.method} {request.url.path}"
    return arm_error(404, "NoSuchRoute", text)


def make_app(cloud: Cloud) -> ASGIApp:
    """Return the whole control plane."""
    from tests.azure.routes import all_routes  # noqa: PLC0415 - the routes import this module

    return _Recorded(Starlette(routes=all_routes(cloud), exception_handlers={404: _unknown, 405: _unknown}), cloud)


class _Server(uvicorn.Server):
    """Ends without waiting for clients that keep their connections."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await super().shutdown(sockets)


def _named(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    return asyncio.Task(coroutine, loop=loop, **{**options, "name": NAME})


def _run(server: uvicorn.Server) -> None:
    with ThreadPoolExecutor(32, NAME) as workers, asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.get_loop().set_default_executor(workers)
        runner.get_loop().set_task_factory(_named)
        runner.run(server.serve())


@contextmanager
def serving(blobs: Blobs, *, certificate: Path, key: Path, ca: Path) -> Iterator[Cloud]:
    """Serve a control plane until the end."""
    cloud = Cloud(free_port(), ca, blobs)
    furnish(cloud)
    config = uvicorn.Config(
        make_app(cloud),
        host="127.0.0.1",
        port=cloud.port,
        log_level="error",
        ssl_certfile=str(certificate),
        ssl_keyfile=str(key),
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    thread = threading.Thread(target=_run, args=(server,), name=NAME, daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.01)
        yield cloud
    finally:
        cloud.wire.mend()
        server.should_exit = True
        thread.join(10)


__all__ = [
    "RESOURCE_GROUP",
    "SUBSCRIPTION",
    "TENANT",
    "WORKSPACE",
    "Cloud",
    "answering",
    "body_of",
    "json_of",
    "serving",
]
