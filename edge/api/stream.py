"""Server-sent events (WHATWG HTML, 9.2): results as they come, for as long as the client watches."""

import asyncio
from collections.abc import Iterator

import orjson
from starlette.types import Receive, Scope, Send

from edge.api.body import disconnected
from edge.api.feed import Batch, Feed, Watcher
from edge.results import result_json

HEARTBEAT_S = 15.0
RETRY_MS = 2000


def events(batch: Batch) -> Iterator[bytes]:
    """Yield a batch as events: ``dropped`` with a count where results were lost, then one ``result`` each.

    An empty batch is a comment, which keeps the connection from looking dead.
    """
    if batch.dropped:
        yield b"event: dropped\ndata: " + orjson.dumps({"count": batch.dropped}) + b"\n\n"
    for result in batch.results:
        yield b"id: " + result.id.encode() + b"\nevent: result\ndata: " + orjson.dumps(result_json(result)) + b"\n\n"
    if not batch.dropped and not batch.results:
        yield b": heartbeat\n\n"


class EventStream:
    """The answer to one client that watches (an ASGI application)."""

    def __init__(self, feed: Feed, watcher: Watcher, *, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._feed = feed
        self._watcher = watcher
        self._heartbeat_s = heartbeat_s

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send events until the client leaves or the feed closes."""
        client = asyncio.ensure_future(disconnected(receive))
        client.add_done_callback(lambda _: self._watcher.close())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await _send(send, b"retry: %d\n\n" % RETRY_MS)
            while (batch := await self._watcher.next(timeout_s=self._heartbeat_s)) is not None:
                await _send(send, b"".join(events(batch)))
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            client.cancel()
            self._feed.leave(self._watcher)


_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


async def _send(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})
