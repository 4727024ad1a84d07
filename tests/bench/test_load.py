"""The load generator against a real server on a socket."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.load import complete_status, drive, request


class _Answers(BaseHTTPRequestHandler):
    """Answers what the path says: /200 a small body, /500 an error, /hang-up nothing."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/hang-up":
            self.close_connection = True
            return
        answer = str(len(body)).encode()
        self.send_response(int(self.path[1:]))
        self.send_header("Content-Length", str(len(answer)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the standard library
        """Keep quiet."""


@contextmanager
def _server() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        server.daemon_threads = False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("clients", [1, 5])
def test_good_answers_are_counted(clients: int) -> None:
    """Every connection is used again and again; bodies larger than a socket takes at once arrive whole."""
    with _server() as port:
        load = drive(port, [request("/200", bytes(500_000))], clients=clients, seconds=0.3, warmup_s=0.05)
    assert load.failed == 0
    assert load.total >= len(load.latencies_ms) > clients
    assert load.per_s == pytest.approx(len(load.latencies_ms) / 0.3)
    assert 0 < load.quantile_ms(0.5) <= load.quantile_ms(0.99) <= load.quantile_ms(1.0)


def test_other_answers_are_failures() -> None:
    """A status other than 200 counts as failed and gives no latency."""
    with _server() as port:
        load = drive(port, [request("/500", b"x")], clients=2, seconds=0.2, warmup_s=0.0)
    assert load.failed > 0
    assert not load.latencies_ms


def test_a_server_that_hangs_up_ends_the_run() -> None:
    """A connection closed with a request under way is an error, not a quiet gap in the figures."""
    with _server() as port, pytest.raises(ConnectionError, match="closed a connection"):
        drive(port, [request("/hang-up", b"x")], clients=1, seconds=5, warmup_s=0.0)


def test_a_stubborn_client_comes_again() -> None:
    """Connections that are closed without an answer are counted, and made anew."""
    with _server() as port:
        load = drive(port, [request("/hang-up", b"x")], clients=3, seconds=0.3, warmup_s=0.0, stubborn=True)
    assert load.broken > 3
    assert (load.failed, load.good) == (0, 0)


def test_a_stubborn_client_connects_anew_where_it_is_told_to() -> None:
    """An answer that closes its connection is an answer."""
    with _server() as port:
        asked = request("/200", b"x", close=True)
        load = drive(port, [asked], clients=3, seconds=0.3, warmup_s=0.0, gap_s=0.0, stubborn=True)
    assert load.good > 3
    assert (load.failed, load.broken) == (0, 0)


def test_no_server_is_an_error() -> None:
    """Nothing listening is an error at once."""
    with _server() as port:
        pass
    with pytest.raises(ConnectionError):
        drive(port, [request("/200", b"x")], clients=1, seconds=5)


@pytest.mark.parametrize(
    ("received", "status"),
    [
        (b"", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nxy", 200),
        (b"HTTP/1.1 503 Busy\r\nContent-Type: text/plain\r\ncontent-length: 0\r\n\r\n", 503),
    ],
)
def test_an_answer_is_complete_with_its_body(received: bytes, status: int | None) -> None:
    """The status is known once head and body are there."""
    assert complete_status(bytearray(received)) == status


def test_an_answer_needs_a_length() -> None:
    """An answer of unknown length is refused by name."""
    with pytest.raises(ValueError, match="without Content-Length"):
        complete_status(bytearray(b"HTTP/1.1 200 OK\r\n\r\nxy"))
