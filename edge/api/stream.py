"""Server-sent events (WHATWG HTML, 9.2): results as they come, for as long as the client watches."""

import asyncio
from collections.abc import Callable, Iterator

import orjson
from starlette.types import Receive, Scope, Send

from edge.api.body import disconnected
from edge.api.feed import Batch, Feed, Watcher
from edge.results import result_json

HEARTBEAT_S = 15.0
RETRY_MS = 2000
ALLOWED_LOOK_S = 1.0
"""How often it is looked whether the client's token still holds."""


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
    """The answer to one client that watches (an ASGI application), as long as it is ``allowed`` to."""

    def __init__(
        self,
        feed: Feed,
        watcher: Watcher,
        *,
        heartbeat_s: float = HEARTBEAT_S,
        allowed: Callable[[], bool] = lambda: True,
    ) -> None:
        self._feed = feed
        self._watcher = watcher
        self._allowed = allowed
        self._heartbeat_s = heartbeat_s

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send events until the client leaves or the feed closes."""
        client = asyncio.ensure_future(disconnected(receive))
        client.add_done_callback(lambda _: self._watcher.close())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await _send(send, b"retry: %d\n\n" % RETRY_MS)
            while (batch := await self._next()) is not None:
                await _send(send, b"".join(events(batch)))
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            client.cancel()
            self._feed.leave(self._watcher)

    async def _next(self) -> Batch | None:
        """Return what has come, an empty batch when it is time for a heartbeat; None once closed, or not allowed."""
        silent_s = 0.0
        while silent_s < self._heartbeat_s:
            look_s = min(ALLOWED_LOOK_S, self._heartbeat_s - silent_s)
            batch = await self._watcher.next(timeout_s=look_s)
            if batch is None or not self._allowed():
                return None
            if batch.results or batch.dropped:
                return batch
            silent_s += look_s
        return Batch(0, ())


_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


async def _send(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})
