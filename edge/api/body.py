"""Request bodies: read in one go, bounded each and all together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from edge.api.limits import Limits
from edge.errors import ImageTooLargeError, OverloadedError, RequestError


def header(scope: Scope, name: bytes) -> bytes | None:
    """Return the first header of that lower-case name."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


async def disconnected(receive: Receive) -> None:
    """Return once the client has left, or the answer is complete. For use after the body was read."""
    while (await receive())["type"] != "http.disconnect":
        pass


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
            f"a body may have {limit} bytes, this one has {has}; send smaller pictures or fewer at once, or "
            "raise http.max_body_mb"
        )


class _Body:
    """What has come of one body."""

    __slots__ = ("chunks", "size_bytes")

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.size_bytes = 0
