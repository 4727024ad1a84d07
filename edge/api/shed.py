"""Refuses pictures by their request's head while there is no room for them: nothing is read, parsed or awaited first.

Refusals cost little, but clients that ask again at once would have the server do nothing else. So refusals go out at a
steady pace: at once while they are few, and held back for some seconds where they are a flood.
"""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.api.errors import problem_of
from edge.api.observed import ObserveRequest
from edge.errors import OverloadedError, StoppingError

ROUTES = {b"/v1/predict": "/v1/predict", b"/score": "/score"}
"""What is refused, with the name that the metrics have for it. Probes, status and metrics are always answered."""
SERVICE_UNAVAILABLE = 503
PER_S = 50.0
"""Refusals a second."""
AT_ONCE = 50
"""Refusals that may go out at once after a quiet time."""
LONGEST_HOLD_S = 5.0
"""Longest that a refusal is held back."""
LONGEST_LATE_HOLD_S = 1.0
"""The same for one whose body was read already: the queue filled up meanwhile."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A whole answer with 503, to be sent in ``hold_s`` seconds: one that keeps the connection, one that ends it."""

    keeping: bytes
    closing: bytes
    hold_s: float


class Shed:
    """Tells which requests are refused, and when. Belongs to one event loop.

    ``full`` returns in how many seconds to come again while there is no room for a request, else None. ``observe`` sees
    each refusal.
    """

    def __init__(
        self,
        full: Callable[[], float | None],
        *,
        observe: ObserveRequest | None = None,
        per_s: float = PER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._full = full
        self._observe = observe
        self._period_s = 1 / per_s
        self._clock = clock
        self._next_at = -math.inf
        self._answers: dict[int, tuple[bytes, bytes]] = {}

    def refusal(self, method: bytes, path: bytes) -> Refusal | None:
        """Return the answer to a request that is refused; None where it may come in."""
        if path not in ROUTES or method != b"POST" or (retry_s := self._full()) is None:
            return None
        hold_s = self._hold_s()
        if self._observe is not None:
            self._observe("POST", ROUTES[path], SERVICE_UNAVAILABLE, hold_s)
        seconds = math.ceil(retry_s)
        if seconds not in self._answers:
            self._answers[seconds] = _answers(seconds)
        return Refusal(*self._answers[seconds], hold_s=hold_s)

    def paced(self, app: ASGIApp) -> ASGIApp:
        """Return ``app`` with its own refusals at the same pace: those of requests that found no room any more."""

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            async def hold_back(message: Message) -> None:
                if message.get("status") == SERVICE_UNAVAILABLE and self._full() is not None:
                    await asyncio.sleep(min(self._hold_s(), LONGEST_LATE_HOLD_S))
                await send(message)

            await app(scope, receive, hold_back if scope.get("path") in ROUTES.values() else send)

        return serve

    def _hold_s(self) -> float:
        """Return when it is the turn of one more refusal: each has a place in time, ``1 / per_s`` after the last."""
        now = self._clock()
        latest = now + LONGEST_HOLD_S
        self._next_at = min(max(self._next_at, now - AT_ONCE * self._period_s) + self._period_s, latest)
        return max(0.0, self._next_at - now)


def crowded(max_connections: int) -> bytes:
    """Return the answer to a connection too many; it ends the connection."""
    return _answer(
        OverloadedError(f"{max_connections} connections are open already; keep one and use it again"), close=True
    )


def leaving() -> bytes:
    """Return the answer to a request that was not complete when the daemon stopped; it ends the connection."""
    return _answer(StoppingError("the daemon is stopping and takes no new work"), close=False)  # closes by itself


def _answers(seconds: int) -> tuple[bytes, bytes]:
    error = OverloadedError("the queue is full; come again when Retry-After has passed", retry_after_s=seconds)
    return _answer(error, close=False), _answer(error, close=True)


def _answer(error: OverloadedError | StoppingError, *, close: bool) -> bytes:
    """Return the problem as it goes over the wire."""
    response = problem_of(error)
    headers = [*response.raw_headers, *([(b"connection", b"close")] if close else [])]
    head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return b"HTTP/1.1 503 Service Unavailable\r\n" + head + b"\r\n" + bytes(response.body)
