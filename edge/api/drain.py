"""No answer is lost because the body before it was left unread."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.api.body import header
from edge.api.limits import MIB

DRAIN_BYTES = 256 * MIB
DRAIN_S = 10.0


class Drain:
    """Reads what an answer left unread of the body, so that the client sees the answer and not a reset connection.

    Closing a socket that still holds unread bytes makes TCP reset it, which may discard the answer on its way
    (RFC 9112, 9.6). So the answer goes out first, then a bounded part of the rest is read and thrown away, then the
    connection is closed.
    """

    def __init__(self, app: ASGIApp, *, drain_bytes: int = DRAIN_BYTES, drain_s: float = DRAIN_S) -> None:
        self._app = app
        self._drain_bytes = drain_bytes
        self._drain_s = drain_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(receive, send, expects=header(scope, b"expect") is not None)
        await self._app(scope, exchange.receive, exchange.send)
        if exchange.answered_early:
            await self._discard(exchange)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _discard(self, exchange: "_Exchange") -> None:
        if exchange.waits_for_continue:
            return
        left = self._drain_bytes
        try:
            async with asyncio.timeout(self._drain_s):
                while exchange.unread and left > 0:
                    left -= len((await exchange.receive()).get("body", b""))
        except TimeoutError:
            return


def _has_body(scope: Scope) -> bool:
    length = header(scope, b"content-length")
    return length not in (None, b"0") or header(scope, b"transfer-encoding") is not None


class _Exchange:
    """Sees what is read and sent, and holds back the end of an answer that comes before the body's end."""

    def __init__(self, receive: Receive, send: Send, *, expects: bool) -> None:
        self._receive = receive
        self._send = send
        self._expects = expects
        self._touched = False
        self.unread = True
        self.answered_early = False

    @property
    def waits_for_continue(self) -> bool:
        """Whether the client still waits for ``100 Continue``, so that nothing of the body is on its way."""
        return self._expects and not self._touched

    async def receive(self) -> Message:
        self._touched = True
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self.unread = False
        return message

    async def send(self, message: Message) -> None:
        if self.unread:
            message = self._early(message)
        await self._send(message)

    def _early(self, message: Message) -> Message:
        if message["type"] == "http.response.start":
            return {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        if message.get("more_body", False):
            return message
        self.answered_early = True
        return {**message, "more_body": True}
