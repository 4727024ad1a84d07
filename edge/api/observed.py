"""What is counted of each request: a pure ASGI layer around all others."""

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ObserveRequest = Callable[[str, str, int, float], None]
"""Sees method, route (its template), status and the seconds until the answer began."""


class Observed:
    """Tells ``observe`` of each request, by the template of its route so that paths cannot grow the metrics."""

    def __init__(self, app: ASGIApp, *, observe: ObserveRequest) -> None:
        self._app = app
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._observe(_method(scope), _template(scope), message["status"], time.perf_counter() - started)
            await send(message)

        await self._app(scope, receive, observed)


def _template(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "unmatched")


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in {"GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"} else "other"
