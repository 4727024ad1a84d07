"""What one connection may cost: in number, in bytes, in time; and that none of it harms the others."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from edge.api.connections import Bounds
from edge.api.feed import Feed
from edge.api.limits import Limits
from edge.api.server import HttpServer, bind
from tests.edge.api.fakes import Held, result
from tests.edge.api.wire import Wire
from tests.mosquitto import until

Start = Callable[..., HttpServer]
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: edge\r\n\r\n"
SMALL_BUFFER = 4096


@pytest.fixture
def start(make_app: Callable[..., ASGIApp], feed: Feed) -> Iterator[Start]:
    """Serves an application with bounds that a test can wait for."""
    with ExitStack() as stack:

        def serve(app: ASGIApp | None = None, *, bounds: Bounds = Bounds(), **parts: object) -> HttpServer:
            made = HttpServer(app or make_app(**parts), feed=feed, host="127.0.0.1", port=0, bounds=bounds)
            return stack.enter_context(made)

        yield serve


def is_alive(server: HttpServer) -> bool:
    with Wire(server) as wire:
        wire.send(LIVEZ)
        return wire.answer().status == 200


def deaf_client(server: HttpServer, request: bytes) -> socket.socket:
    """Return a connection whose client asks and never reads; the kernel buffers little for it."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    client.connect(server.address)
    client.sendall(request)
    return client


@pytest.mark.parametrize("spare", [0, 5])
def test_a_connection_too_many_is_told_so_and_closed(start: Start, spare: int) -> None:
    """503 as a problem, though the client has sent its request already; those that are there are served on."""
    server = start(bounds=Bounds(max_connections=2, spare=spare))
    with Wire(server) as first, Wire(server) as second:
        for wire in (first, second):
            wire.send(LIVEZ)
            assert wire.answer().status == 200
        with Wire(server) as third:
            third.try_to_send(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n" + b"x" * 90_000)
            refused = third.answer()
            assert (refused.status, refused.headers["connection"]) == (503, "close")
            assert b"2 connections are open already" in refused.body
            assert third.at_end()
        first.send(LIVEZ)
        assert first.answer().status == 200
    until(lambda: is_alive(server), what="room again")


def test_a_probe_is_answered_on_a_connection_too_many(start: Start) -> None:
    """Once; an orchestrator shall not kill a daemon because others hold its connections."""
    server = start(bounds=Bounds(max_connections=1, spare_s=0.3))
    with Wire(server) as there, Wire(server) as probe, Wire(server) as silent:
        there.send(LIVEZ)
        assert there.answer().status == 200
        probe.send(LIVEZ * 2)
        answered = probe.answer()
        assert (answered.status, answered.headers["connection"]) == (200, "close")
        assert probe.at_end()
        assert silent.answer().status == 503
        assert silent.at_end()


def test_too_many_goodbyes_are_cut_short(start: Start) -> None:
    """Clients that are sent away and do not hang up are not waited for in any number."""
    server = start(bounds=Bounds(max_connections=1, spare=0, max_partings=1, parting_s=0.3))
    with Wire(server) as there:
        there.send(LIVEZ)
        assert there.answer().status == 200
        with Wire(server) as told:
            assert told.answer().status == 503
            with Wire(server) as not_waited_for:
                assert not_waited_for.answer().status == 503
                assert not_waited_for.at_end()
            told.try_to_send(b"still here")
            until(lambda: _is_reset(told), what="the end of a goodbye that is taken for a talk")


def _is_reset(wire: Wire) -> bool:
    try:
        wire.socket.sendall(b"x")
    except OSError:
        return True
    return False


def test_a_thousand_idle_connections_cost_nothing_but_themselves(start: Start) -> None:
    """Others are served meanwhile; those that never say anything are closed in time."""
    server = start(bounds=Bounds(head_s=1.0))
    with ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(server.address, timeout=20)) for _ in range(1000)]
        assert is_alive(server)
        assert {connection.recv(1) for connection in idle} == {b""}
    assert is_alive(server)


@pytest.mark.parametrize(
    "said", [b"GET /livez HTTP/1.1\r\nHost: edge\r\nX: " + b"a" * 1000, b"\r\n" * 1000], ids=["a head", "line breaks"]
)
@pytest.mark.parametrize("before", [b"", LIVEZ], ids=["first", "after a request"])
def test_a_head_that_dribbles_in_ends_the_connection(start: Start, before: bytes, said: bytes) -> None:
    """However steadily its bytes come; others are served meanwhile."""
    server = start(bounds=Bounds(head_s=0.5))
    with Wire(server) as slow:
        if before:
            slow.send(before)
            assert slow.answer().status == 200
        began = time.monotonic()
        try:
            for byte in said:
                slow.send(bytes([byte]))
                time.sleep(0.02)  # the pace of the slow client, not a wait for something
        except OSError:
            pass
        assert 0.4 < time.monotonic() - began < 5
        assert slow.at_end()
    assert is_alive(server)


def test_a_body_that_dribbles_in_is_told_that_it_took_too_long(start: Start) -> None:
    """408, and the connection is closed."""
    server = start(limits=Limits(body_timeout_s=0.3))
    with Wire(server) as slow:
        slow.send(b"POST /v1/predict HTTP/1.1\r\nHost: edge\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(20):
            slow.try_to_send(b"x")
            time.sleep(0.02)  # the pace of the slow client, not a wait for something
        refused = slow.answer()
        assert (refused.status, refused.headers["connection"]) == (408, "close")
    assert is_alive(server)


class LongAnswer:
    """Answers with far more than any buffer takes; remembers that it came to its end."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % (64 << 20))]})
        for _ in range(64):
            await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})
        self.ended.set()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def test_a_client_that_does_not_read_its_answer_is_cut_off(start: Start) -> None:
    """What is kept for it is bounded, and let go after a while."""
    app = LongAnswer()
    server = start(app, bounds=Bounds(stalled_s=0.6))
    with deaf_client(server, LIVEZ):
        assert app.ended.wait(20)


def test_a_slow_reader_is_not_cut_off(start: Start) -> None:
    """As long as it takes something now and then, though what waits for it never gets less."""
    app = LongAnswer()
    server = start(app, bounds=Bounds(stalled_s=1.2))
    received = 0
    with httpx.stream("GET", server.url, timeout=20) as answer:
        for chunk in answer.iter_raw(1 << 20):
            received += len(chunk)
            time.sleep(0.03)  # the pace of the slow client, not a wait for something
    assert received == 64 << 20


def test_watchers_that_never_read_give_their_places_back(start: Start, feed: Feed) -> None:
    """Two of them would otherwise keep everybody else from watching, for ever."""
    server = start(bounds=Bounds(stalled_s=0.6))
    watch = b"GET /v1/results/stream HTTP/1.1\r\nHost: edge\r\n\r\n"
    with (
        deaf_client(server, watch),
        deaf_client(server, watch),
        httpx.Client(base_url=server.url, timeout=20) as client,
    ):
        until(lambda: _watchable(client, feed) == 503, what="two watchers")
        until(lambda: _watchable(client, feed) == 200, within_s=20, what="a free place")


def _watchable(client: httpx.Client, feed: Feed) -> int:
    """Publish something large, and return what one more watcher is told."""
    for number in range(20):
        feed.observe(result("x" * 50_000, number=number))
    with client.stream("GET", "/v1/results/stream") as stream:
        return stream.status_code


def test_requests_sent_without_waiting_are_answered_in_order_up_to_a_bound(start: Start) -> None:
    """Those beyond it are not worked on; the last answer says that the connection ends."""
    held = Held()
    server = start(submit=held, bounds=Bounds(max_pipelined=3))
    with Wire(server) as wire:
        for number in range(50):
            wire.send(b"POST /v1/predict HTTP/1.1\r\nHost: edge\r\nContent-Length: 2\r\n\r\n%02d" % number)
        said = []
        for _ in range(4):
            assert held.arrived.acquire(timeout=20)
            held.let_go()
            held.pending.clear()
            said.append(wire.answer())
        assert [answer.body[answer.body.find(b'"label":"') + 9 :][:2] for answer in said] == [
            b"00",
            b"01",
            b"02",
            b"03",
        ]
        assert ["connection" in answer.headers for answer in said] == [False, False, False, True]
        assert wire.at_end()
    assert is_alive(server)


def test_a_peer_that_is_gone_is_noticed() -> None:
    """The kernel ends connections whose peer acknowledges nothing; accepted sockets inherit what is set here."""
    with bind("127.0.0.1", 0) as listening:
        listening.listen()
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000


def test_clients_that_hang_up_in_the_middle_leave_nothing(start: Start) -> None:
    """In the head, in the body, before and while they are answered: the server goes on."""
    held = Held()
    server = start(submit=held)
    post = b"POST /v1/predict HTTP/1.1\r\nHost: edge\r\nContent-Length: 4\r\n\r\nabcd"
    for cut in (1, 10, len(post) - 2, len(post)):
        with socket.create_connection(server.address) as client:
            client.sendall(post[:cut])
    assert held.arrived.acquire(timeout=20)
    assert held.cancelled.acquire(timeout=20)
    assert is_alive(server)
