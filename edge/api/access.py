"""Who may ask, and what is counted of it: two pure ASGI layers around the routes."""

import hmac
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.api.body import header
from edge.api.errors import problem

OPEN_PATHS = frozenset({"/", "/livez", "/readyz", "/docs", "/openapi.json"})
"""What needs no token: probes, and pages that hold nothing but the product's own contract."""
OPEN_PREFIX = "/docs-assets/"

ObserveRequest = Callable[[str, str, int, float], None]
"""Sees method, route (its template), status and the seconds until the answer began."""


class Guard:
    """Asks for ``Authorization: Bearer <token>`` (RFC 6750) on every path that is not open."""

    def __init__(self, app: ASGIApp, *, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http" or self._open(scope["path"]) or self._known(header(scope, b"authorization")):
            await self._app(scope, receive, send)
            return
        refusal = problem(
            401, "this route wants the header 'Authorization: Bearer <token>'", headers={"WWW-Authenticate": "Bearer"}
        )
        await refusal(scope, receive, send)

    def _open(self, path: str) -> bool:
        return path in OPEN_PATHS or path.startswith(OPEN_PREFIX)

    def _known(self, given: bytes | None) -> bool:
        scheme, _, token = (given or b"").partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token)


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
