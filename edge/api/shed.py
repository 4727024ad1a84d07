"""Refuses pictures by their request's head while there is no room for them: nothing is read, parsed or awaited first.

A refused request costs the server a twentieth of what an answered one does, so that a flood of them leaves the cores to
the work that was accepted.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from edge.api.errors import problem_of
from edge.api.observed import ObserveRequest
from edge.errors import OverloadedError

ROUTES = {b"/v1/predict": "/v1/predict", b"/score": "/score"}
"""What is refused, with the name that the metrics have for it. Probes, status and metrics are always answered."""
LONGEST_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A whole answer with 503: one that keeps the connection, and one that ends it.

    ``pause_s`` is how long nothing more is read from a connection that is kept. A client that waits as long as
    Retry-After says, a second or more, never notices; one that asks again at once is slowed down.
    """

    keeping: bytes
    closing: bytes
    pause_s: float


class Shed:
    """Tells which requests are refused. Belongs to one event loop.

    ``full`` returns in how many seconds to come again while there is no room for a request, else None. ``observe`` sees
    each refusal.
    """

    def __init__(self, full: Callable[[], float | None], *, observe: ObserveRequest | None = None) -> None:
        self._full = full
        self._observe = observe
        self._answers: dict[int, tuple[bytes, bytes]] = {}

    def refusal(self, method: bytes, path: bytes) -> Refusal | None:
        """Return the answer to a request that is refused; None where it may come in."""
        if path not in ROUTES or method != b"POST" or (retry_s := self._full()) is None:
            return None
        if self._observe is not None:
            self._observe("POST", ROUTES[path], 503, 0.0)
        seconds = math.ceil(retry_s)
        if seconds not in self._answers:
            self._answers[seconds] = _answers(seconds)
        return Refusal(*self._answers[seconds], pause_s=min(retry_s, LONGEST_PAUSE_S))


def crowded(max_connections: int) -> bytes:
    """Return the answer to a connection too many; it ends the connection."""
    return _answer(
        OverloadedError(f"{max_connections} connections are open already; keep one and use it again"), close=True
    )


def _answers(seconds: int) -> tuple[bytes, bytes]:
    error = OverloadedError("the queue is full; come again when Retry-After has passed", retry_after_s=seconds)
    return _answer(error, close=False), _answer(error, close=True)


def _answer(error: OverloadedError, *, close: bool) -> bytes:
    """Return the problem as it goes over the wire."""
    response = problem_of(error)
    headers = [*response.raw_headers, *([(b"connection", b"close")] if close else [])]
    head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return b"HTTP/1.1 503 Service Unavailable\r\n" + head + b"\r\n" + bytes(response.body)
