"""The one route that must be quick goes past the framework's layers, which would cost it as much as its own work.

FastAPI keeps the same endpoint for its OpenAPI document; what is said there holds here too, errors included.
"""

from collections.abc import Awaitable, Callable

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from edge.api.errors import answer_of

Endpoint = Callable[[Request], Awaitable[Response]]


class Direct:
    """Answers ``POST path`` with ``endpoint`` and hands everything else to ``app``."""

    def __init__(self, app: ASGIApp, *, path: str, endpoint: Endpoint) -> None:
        self.path = path
        self._app = app
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http" or scope["path"] != self.path or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        scope["route"] = self  # its path is the template that the metrics count by
        request = Request(scope, receive)
        try:
            response = await self._endpoint(request)
        except Exception as error:  # noqa: BLE001 - answered as the framework's handlers would, and logged if ours
            response = await answer_of(request, error)
        await response(scope, receive, send)
