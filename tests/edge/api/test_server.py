"""The server on its socket: binding, serving in its own thread, stopping without losing an answer."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from starlette.types import ASGIApp

from edge.api.feed import Feed
from edge.api.protocol import MAX_HEADER_BYTES
from edge.api.server import HttpServer, bind
from edge.errors import ConfigError
from edge.results import ModelRef
from tests.edge.api.conftest import Serve
from tests.edge.api.fakes import FakeControl, Held


def test_a_taken_port_is_named_with_the_remedy() -> None:
    """ConfigError before anything is served."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1, port {port}: another program has the port") as caught:
            bind("127.0.0.1", port)
    assert "EDGE_HTTP__PORT" in str(caught.value)


@pytest.mark.parametrize(
    ("host", "port", "says"),
    [
        ("192.0.2.1", 0, "does not have that address"),
        ("no such host.invalid", 0, "no address to listen on"),
        ("127.0.0.1", 70_000, "0..65535"),
        ("127.0.0.1", -1, "0..65535"),
        ("a" * 70 + ".example", 0, "no address to listen on"),
    ],
)
def test_a_wrong_address_is_named(host: str, port: int, says: str) -> None:
    """Whatever is wrong with it."""
    with pytest.raises(ConfigError, match=says):
        bind(host, port).close()


def test_a_stopped_server_leaves_its_port_free(make_app: Callable[..., ASGIApp]) -> None:
    """A restart may bind it again at once."""
    first = HttpServer(make_app(), feed=Feed(), host="127.0.0.1", port=0)
    with first:
        assert httpx.get(first.url + "livez").status_code == 200
    assert not first.alive
    with HttpServer(make_app(), feed=Feed(), host="127.0.0.1", port=first.address[1]) as second:
        assert httpx.get(second.url + "livez").status_code == 200


def test_ipv6_is_served(make_app: Callable[..., ASGIApp]) -> None:
    """The URL carries brackets (RFC 3986, 3.2.2)."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with HttpServer(make_app(), feed=Feed(), host="::1", port=0) as server:
        assert server.url.startswith("http://[::1]:")
        assert httpx.get(server.url + "livez").status_code == 200


def test_closing_lets_a_request_in_flight_finish(make_app: Callable[..., ASGIApp]) -> None:
    """It is answered though the server takes no more."""
    held, feed = Held(), Feed()
    server = HttpServer(make_app(submit=held, feed=feed), feed=feed, host="127.0.0.1", port=0)
    server.start()
    with ThreadPoolExecutor(2) as pool:
        answer = pool.submit(httpx.post, server.url + "v1/predict", content=b"last", timeout=20)
        assert held.arrived.acquire(timeout=10)
        closing = pool.submit(server.close)
        deadline = time.monotonic() + 10
        while _accepts(server.address) and time.monotonic() < deadline:
            time.sleep(0.01)
        held.let_go()
        assert answer.result(timeout=10).json()["predictions"][0]["label"] == "last"
        closing.result(timeout=10)


def _accepts(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError:
        return False
    return True


def test_closing_does_not_wait_for_ever(make_app: Callable[..., ASGIApp]) -> None:
    """A request that never ends is cancelled after the timeout, and its picture with it."""
    held, feed = Held(), Feed()
    server = HttpServer(make_app(submit=held, feed=feed), feed=feed, host="127.0.0.1", port=0)
    server.start()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.post, server.url + "v1/predict", content=b"x", timeout=20)
        assert held.arrived.acquire(timeout=10)
        server.close(timeout_s=0.5)
        assert held.cancelled.acquire(timeout=10)
        failure = answer.exception(timeout=10)
    assert isinstance(failure, httpx.HTTPError) or answer.result().status_code >= 500


def test_closing_does_not_wait_for_a_change_of_the_model(make_app: Callable[..., ASGIApp]) -> None:
    """Proving a model cannot be interrupted, but the rest of the daemon can stop meanwhile."""
    feed, control = Feed(), SlowControl()
    server = HttpServer(make_app(control=control, feed=feed), feed=feed, host="127.0.0.1", port=0)
    server.start()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.post, server.url + "v1/models/metal/activate", timeout=20)
        assert control.begun.wait(timeout=10)
        server.close(timeout_s=0.1)
        control.proved.set()
        assert isinstance(answer.exception(timeout=10), httpx.HTTPError) or answer.result().status_code >= 500


class SlowControl(FakeControl):
    """Activates only when told."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.proved = threading.Event(), threading.Event()

    def activate(self, name: str, version: str | None = None) -> ModelRef:
        self.begun.set()
        assert self.proved.wait(timeout=20)
        return super().activate(name, version)


def test_changes_do_not_starve_the_probes(make_app: Callable[..., ASGIApp]) -> None:
    """However many clients ask for changes, which wait for each other, readiness is answered."""
    feed, control = Feed(), SlowControl()
    with (
        HttpServer(make_app(control=control, feed=feed), feed=feed, host="127.0.0.1", port=0) as server,
        ThreadPoolExecutor(60) as pool,
    ):
        changes = [pool.submit(httpx.post, server.url + "v1/models/metal/activate", timeout=20) for _ in range(60)]
        assert control.begun.wait(timeout=10)
        assert httpx.get(server.url + "readyz", timeout=10).status_code == 200
        control.proved.set()
        assert {change.result(timeout=20).status_code for change in changes} == {200}


def test_closing_ends_live_streams_and_idle_connections(make_app: Callable[..., ASGIApp], feed: Feed) -> None:
    """Neither a watcher nor a kept connection holds up the end."""
    server = HttpServer(make_app(), feed=feed, host="127.0.0.1", port=0)
    server.start()
    with httpx.Client(base_url=server.url) as client, client.stream("GET", "/v1/results/stream") as stream:
        client.get("/livez")
        server.close()
        assert b"".join(stream.iter_bytes()).count(b"event:") == 0
    assert not server.alive


def test_a_server_that_was_never_started_closes(make_app: Callable[..., ASGIApp]) -> None:
    """Its socket is given back."""
    server = HttpServer(make_app(), feed=Feed(), host="127.0.0.1", port=0)
    server.close()
    assert not server.alive
    with bind(*server.address) as again:
        assert again.getsockname()[:2] == server.address


def test_it_runs_beside_another_event_loop(make_app: Callable[..., ASGIApp]) -> None:
    """Its loop is its own, in its own thread; signals stay with the main thread."""

    async def go() -> int:
        with HttpServer(make_app(), feed=Feed(), host="127.0.0.1", port=0) as server:
            assert any(thread.name == "http" for thread in threading.enumerate())
            async with httpx.AsyncClient() as client:
                return (await client.get(server.url + "livez")).status_code

    assert asyncio.run(go()) == 200


@pytest.mark.parametrize(
    "request_", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 2 * MAX_HEADER_BYTES]
)
def test_a_head_that_is_none_or_too_large_is_refused(serve: Serve, request_: bytes) -> None:
    """400, and the connection is closed; others are served on."""
    client = serve()
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=20) as connection:
        connection.sendall(request_)
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")
    assert client.get("/livez").status_code == 200


def test_garbage_after_a_request_leaves_no_traceback(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """A request whose answer is being made when garbage follows on its connection is dropped without a word."""
    held = Held()
    client = serve(submit=held)
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=20) as connection:
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
        assert held.arrived.acquire(timeout=10)
        connection.sendall(b"\x00\xff no request\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")
    held.let_go()
    assert client.get("/livez").status_code == 200
    assert not [record for record in caplog.records if record.exc_info]
