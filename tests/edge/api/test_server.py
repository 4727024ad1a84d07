"""The server on its socket: binding, serving in its own thread, stopping without losing an answer."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fastapi import FastAPI

from edge.api.feed import Feed
from edge.api.server import MAX_HEADER_BYTES, HttpServer, bind
from edge.errors import ConfigError
from tests.edge.api.conftest import Serve
from tests.edge.api.fakes import Held


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


def test_a_stopped_server_leaves_its_port_free(make_app: Callable[..., FastAPI]) -> None:
    """A restart may bind it again at once."""
    first = HttpServer(make_app(), feed=Feed(), host="127.0.0.1", port=0)
    with first:
        assert httpx.get(first.url + "livez").status_code == 200
    assert not first.alive
    with HttpServer(make_app(), feed=Feed(), host="127.0.0.1", port=first.address[1]) as second:
        assert httpx.get(second.url + "livez").status_code == 200


def test_ipv6_is_served(make_app: Callable[..., FastAPI]) -> None:
    """The URL carries brackets (RFC 3986, 3.2.2)."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with HttpServer(make_app(), feed=Feed(), host="::1", port=0) as server:
        assert server.url.startswith("http://[::1]:")
        assert httpx.get(server.url + "livez").status_code == 200


def test_closing_lets_a_request_in_flight_finish(make_app: Callable[..., FastAPI]) -> None:
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


def test_closing_does_not_wait_for_ever(make_app: Callable[..., FastAPI]) -> None:
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


def test_closing_ends_live_streams_and_idle_connections(make_app: Callable[..., FastAPI], feed: Feed) -> None:
    """Neither a watcher nor a kept connection holds up the end."""
    server = HttpServer(make_app(), feed=feed, host="127.0.0.1", port=0)
    server.start()
    with httpx.Client(base_url=server.url) as client, client.stream("GET", "/v1/results/stream") as stream:
        client.get("/livez")
        server.close()
        assert b"".join(stream.iter_bytes()).count(b"event:") == 0
    assert not server.alive


def test_a_server_that_was_never_started_closes(make_app: Callable[..., FastAPI]) -> None:
    """Its socket is given back."""
    server = HttpServer(make_app(), feed=Feed(), host="127.0.0.1", port=0)
    server.close()
    bind(*server.address).close()


def test_it_runs_beside_another_event_loop(make_app: Callable[..., FastAPI]) -> None:
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
