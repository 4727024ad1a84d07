"""Request bodies: read in one go, bounded each and all together, and never left unread behind an answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.api.limits import MIB, Limits
from edge.errors import ImageTooLargeError, OverloadedError, RequestError

DRAIN_BYTES = 256 * MIB
DRAIN_S = 10.0


def header(scope: Scope, name: bytes) -> bytes | None:
    """Return the first header of that lower-case name."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


class Intake:
    """Reads bodies and counts the bytes of all that are held. Belongs to one event loop."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._all_bytes = max(limits.max_buffered_bytes, limits.max_body_bytes)  # a lone body always has room
        self._held_bytes = 0

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """Give the request's body and hold its share of the memory until the answer is made.

        Raises ImageTooLargeError, OverloadedError, RequestError, ClientDisconnect, HTTPException 408 for a slow one.
        """
        self._check_declared(header(request.scope, b"content-length"))
        body = _Body()
        try:
            await self._read(request.receive, body)
            yield body.chunks[0] if len(body.chunks) == 1 else b"".join(body.chunks)
        finally:
            self._held_bytes -= body.size_bytes

    def _check_declared(self, declared: bytes | None) -> None:
        if declared is None:
            return
        if not declared.isdigit():
            raise RequestError("Content-Length is no number")
        if int(declared) > self._limits.max_body_bytes:
            raise self._too_large(int(declared))

    async def _read(self, receive: Receive, body: "_Body") -> None:
        try:
            async with asyncio.timeout(self._limits.body_timeout_s):
                while await self._chunk(receive, body):
                    pass
        except TimeoutError as error:
            raise HTTPException(408, f"the body did not arrive within {self._limits.body_timeout_s:g} s") from error

    async def _chunk(self, receive: Receive, body: "_Body") -> bool:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        body.chunks.append(chunk)
        body.size_bytes += len(chunk)
        self._held_bytes += len(chunk)
        if body.size_bytes > self._limits.max_body_bytes:
            raise self._too_large()
        if self._held_bytes > self._all_bytes:
            raise OverloadedError("too many large requests at once; try again later")
        return bool(message.get("more_body", False))

    def _too_large(self, size: int | None = None) -> ImageTooLargeError:
        has = "more" if size is None else f"{size} bytes"
        limit = self._limits.max_body_bytes
        return ImageTooLargeError(
            f"a body may have {limit} bytes, this one has {has}; send smaller pictures or fewer at once"
        )


class _Body:
    """What has come of one body."""

    __slots__ = ("chunks", "size_bytes")

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.size_bytes = 0


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
