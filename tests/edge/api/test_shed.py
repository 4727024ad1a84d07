"""Refusing by the head: what is refused, how fast, and what becomes of the connection."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import orjson
import pytest
from starlette.types import ASGIApp

from edge.api.connections import Bounds
from edge.api.feed import Feed
from edge.api.server import HttpServer
from edge.api.shed import AT_ONCE, LONGEST_HOLD_S, Shed
from edge.errors import OverloadedError
from tests.edge.api.fakes import Held
from tests.edge.api.wire import Wire

Start = Callable[..., HttpServer]
PICTURE = b"x" * 1000
POST = b"POST /v1/predict HTTP/1.1\r\nHost: edge\r\nContent-Length: 1000\r\n\r\n"


class Queue:
    """Full, or not."""

    def __init__(self, *, retry_s: float | None = 2.5) -> None:
        self.retry_s = retry_s

    def __call__(self) -> float | None:
        return self.retry_s


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def start(make_app: Callable[..., ASGIApp]) -> Iterator[Start]:
    """Serves an application that refuses while the queue is full."""
    with ExitStack() as stack:

        def serve(queue: Queue, *, per_s: float = 1e6, bounds: Bounds = Bounds(), **parts: object) -> HttpServer:
            shed = Shed(queue, per_s=per_s)
            made = HttpServer(make_app(**parts), feed=Feed(), host="127.0.0.1", port=0, bounds=bounds, shed=shed)
            return stack.enter_context(made)

        yield serve


@pytest.mark.parametrize("path", [b"/v1/predict", b"/score", b"/v1/predict?a=1"])
def test_a_picture_is_refused_before_its_body_is_sent(start: Start, queue: Queue, path: bytes) -> None:
    """503 as a problem, with the time to come again; the connection can be used again once the body was sent."""
    with Wire(start(queue)) as wire:
        wire.send(POST.replace(b"/v1/predict", path))
        refused = wire.answer()
        assert (refused.status, refused.headers["retry-after"]) == (503, "3")
        assert refused.headers["content-type"] == "application/problem+json"
        assert orjson.loads(refused.body)["type"] == "urn:automl-edge:error:OverloadedError"
        queue.retry_s = None
        wire.send(PICTURE + POST + PICTURE)
        assert wire.answer().status == 200


@pytest.mark.parametrize("request_", [b"GET /livez", b"GET /readyz", b"GET /metrics", b"GET /v1/status", b"GET /score"])
def test_everything_else_is_answered(start: Start, queue: Queue, request_: bytes) -> None:
    """Probes, status and metrics tell of the overload; they do not share in it."""
    with Wire(start(queue)) as wire:
        wire.send(request_ + b" HTTP/1.1\r\nHost: edge\r\n\r\n")
        assert wire.answer().status == 200


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 3000000\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Length: 5\r\nExpect: 100-continue\r\n",
        b"Content-Length: 5\r\nConnection: close\r\n",
        b"Content-Length: nonsense\r\n",
    ],
)
def test_a_body_that_may_be_long_ends_the_connection(start: Start, queue: Queue, head: bytes) -> None:
    """The answer arrives, though the client goes on sending; then the connection is closed."""
    with Wire(start(queue)) as wire:
        wire.send(b"POST /score HTTP/1.1\r\nHost: edge\r\n" + head + b"\r\n")
        wire.try_to_send(b"y" * 300_000)
        refused = wire.answer()
        assert refused.status == (400 if b"nonsense" in head else 503)
        assert refused.headers["connection"] == "close"
        assert wire.at_end()


def test_several_requests_at_once_are_refused_in_order(start: Start, queue: Queue) -> None:
    """Each gets its own answer on the one connection."""
    with Wire(start(queue)) as wire:
        wire.send((POST + PICTURE) * 3 + b"GET /livez HTTP/1.1\r\nHost: edge\r\n\r\n")
        assert [wire.answer().status for _ in range(4)] == [503, 503, 503, 200]


def test_a_held_back_refusal_ends_the_connection_of_who_did_not_wait(start: Start, queue: Queue) -> None:
    """Who sends the next request before the answer came gets one answer, and then the end."""
    with Wire(start(queue, per_s=0.5)) as wire:
        with Wire(wire.server) as others:
            others.send((POST + PICTURE) * AT_ONCE)
            assert [others.answer().status for _ in range(AT_ONCE)] == [503] * AT_ONCE
        began = time.monotonic()
        wire.send((POST + PICTURE) * 3)
        refused = wire.answer()
        assert time.monotonic() - began > 1
        assert (refused.status, refused.headers["connection"]) == (503, "close")
        assert wire.at_end()


def test_a_request_that_found_no_room_any_more_is_refused_after_its_body(start: Start, queue: Queue) -> None:
    """The queue filled up while the body came."""
    held = Held(refuse_from=0, error=OverloadedError("full", retry_after_s=2.5))
    queue.retry_s = None
    with Wire(start(queue, submit=held)) as wire:
        wire.send(POST + PICTURE)
        refused = wire.answer()
        assert (refused.status, refused.headers["retry-after"]) == (503, "3")


def test_a_client_that_hangs_up_while_it_is_held_back_leaves_nothing(start: Start, queue: Queue) -> None:
    """Its refusal is dropped, others are served."""
    server = start(queue, per_s=1.0)
    for _ in range(AT_ONCE + 5):
        with socket.create_connection(server.address) as gone:
            gone.sendall(POST)
    queue.retry_s = None
    with Wire(server) as wire:
        wire.send(POST + PICTURE)
        assert wire.answer().status == 200


class Clock:
    """Stands still unless moved."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_refusals_go_out_at_a_steady_pace() -> None:
    """A few at once, then one after the other, never later than the longest hold; quiet times are not saved up."""
    clock = Clock()
    shed = Shed(Queue(), per_s=10, clock=clock)

    def hold_s() -> float:
        refusal = shed.refusal(b"POST", b"/score")
        assert refusal is not None
        return round(refusal.hold_s, 6)

    clock.now_s += 1000
    assert [hold_s() for _ in range(AT_ONCE)] == [0.0] * AT_ONCE
    assert [hold_s() for _ in range(3)] == [0.1, 0.2, 0.3]
    clock.now_s += 0.3
    assert hold_s() == 0.1
    assert max(hold_s() for _ in range(1000)) == LONGEST_HOLD_S


@pytest.mark.parametrize(
    ("method", "path"), [(b"GET", b"/score"), (b"POST", b"/v1/models/a/rollback"), (b"POST", b"/")]
)
def test_only_pictures_are_refused(method: bytes, path: bytes) -> None:
    """Whatever the queue says."""
    assert Shed(Queue()).refusal(method, path) is None


def test_refusals_are_counted() -> None:
    """By route, as other requests are."""
    seen: list[tuple[str, str, int, float]] = []
    Shed(Queue(), observe=lambda *each: seen.append(each)).refusal(b"POST", b"/v1/predict")
    assert seen == [("POST", "/v1/predict", 503, 0.0)]
