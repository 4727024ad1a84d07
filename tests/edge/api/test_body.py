"""Bodies over a real socket: refused at once or on the way, never without the client seeing the answer."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from edge.api.limits import Limits
from tests.edge.api.conftest import Ask, Serve
from tests.edge.api.fakes import Echo, Held

HUGE = 200 * 1000 * 1000
PIECE = b"x" * (1 << 20)


def huge() -> Iterator[bytes]:
    for _ in range(HUGE // len(PIECE)):
        yield PIECE


def connect(client: httpx.Client) -> socket.socket:
    url = client.base_url
    return socket.create_connection((url.host, url.port or 80), timeout=20)


@pytest.mark.parametrize("path", ["/v1/predict", "/score"])
def test_two_hundred_megabytes_declared_are_refused(serve: Serve, echo: Echo, path: str) -> None:
    """The client reads 413 with the limit named, though it sends the whole body first."""
    size = HUGE // len(PIECE) * len(PIECE)
    answer = serve().post(path, content=huge(), headers={"content-length": str(size)})
    assert answer.status_code == 413
    assert f"20971520 bytes, this one has {size}" in answer.json()["detail"]
    assert answer.headers["connection"] == "close"
    assert not echo.frames


def test_two_hundred_megabytes_chunked_are_refused_on_the_way(serve: Serve) -> None:
    """Without a declared length the limit holds while streaming, and no more than it is held."""
    answer = serve().post("/v1/predict", content=huge())
    assert answer.status_code == 413
    assert "20971520 bytes, this one has more" in answer.json()["detail"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("header", ["Expect:", "Expect: 100-continue", "Transfer-Encoding: chunked"])
def test_curl_shows_the_refusal(serve: Serve, tmp_path: Path, header: str) -> None:
    """A person sees why, not a reset connection, whether curl waits for 100 Continue or not."""
    body = tmp_path / "body"
    with body.open("wb") as file:
        file.truncate(HUGE)
    url = str(serve().base_url.join("/v1/predict"))
    done = subprocess.run(
        ["curl", "-sS", "-H", header, "--data-binary", f"@{body}", url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"status":413' in done.stdout


def test_a_route_that_reads_no_body_answers_a_large_one_too(serve: Serve) -> None:
    """An unknown route says 404 to a client that sends 200 MB."""
    assert serve().post("/nothing", content=huge()).status_code == 404


def test_an_endless_body_is_cut_off(serve: Serve) -> None:
    """What is thrown away after a refusal is bounded: then the connection is closed."""
    client = serve(limits=Limits(max_body_bytes=1000))
    with connect(client) as connection:
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            connection.sendall(bytes(1 << 30))


def test_a_body_that_stalls_is_told_so(serve: Serve) -> None:
    """The answer comes while the connection is still open for writing."""
    client = serve(limits=Limits(body_timeout_s=0.2))
    with connect(client) as connection:
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive within 0.2 s" in answer


def test_a_client_that_leaves_within_its_body_leaves_nothing_behind(serve: Serve, echo: Echo) -> None:
    """Half a body is no picture; the next client is served."""
    client = serve()
    with connect(client) as connection:
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
    assert client.post("/v1/predict", content=b"next").status_code == 200
    assert [frame.image for frame in echo.frames] == [b"next"]


def test_all_bodies_together_are_bounded(serve: Serve) -> None:
    """A second large request is told to come back while the first holds the memory, and served afterwards."""
    held = Held()
    client = serve(submit=held, limits=Limits(max_body_bytes=1500, max_buffered_bytes=1500))
    with connect(client) as first:
        first.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"a" * 1000)
        assert held.arrived.acquire(timeout=10)
        refused = client.post("/v1/predict", content=b"b" * 1000)
        assert refused.status_code == 503
        assert "retry-after" in refused.headers
        held.let_go()
        assert first.recv(65536).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("length", [b"-1", b"x", b"1.5"])
def test_a_length_that_is_none_is_refused(ask: Ask, length: bytes) -> None:
    """Servers that do not check it themselves leave it to us."""
    answer = ask("POST", "/v1/predict", content=b"x", headers={b"content-length": length})
    assert answer.status_code == 400
