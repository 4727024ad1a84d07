"""``automl-edge models activate`` and ``rollback``, against a real HTTP server that answers as the daemon does."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.edge.cli.conftest import Cli

MODEL = {"model": {"name": "parts", "version": "2", "proven": True}}


@dataclass
class FakeDaemon:
    """Answers every POST with ``status`` and ``body`` and remembers what came."""

    status: int = 200
    body: bytes = json.dumps(MODEL).encode()
    requests: list[tuple[str, str | None, bytes]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def daemon() -> Iterator[FakeDaemon]:
    """A server on a free port of loopback."""
    fake = FakeDaemon()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            fake.requests.append((self.path, self.headers.get("Authorization"), body))
            self.send_response(fake.status)
            self.end_headers()
            self.wfile.write(fake.body)

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        fake.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield fake
        server.shutdown()
        thread.join()


def test_activate_names_model_and_version(cli: Cli, daemon: FakeDaemon) -> None:
    """The version goes into the body, the token into the header, and the answer is told."""
    result = cli("models", "activate", "parts:2", "--url", daemon.url, EDGE_HTTP__TOKEN="abc")
    assert (result.exit_code, result.stdout) == (0, "parts:2 serves now\n")
    assert daemon.requests == [("/v1/models/parts/activate", "Bearer abc", b'{"version": "2"}')]


def test_activate_without_version_follows_the_newest(cli: Cli, daemon: FakeDaemon) -> None:
    """No version, or `latest`, sends none."""
    cli("models", "activate", "parts", "--url", daemon.url)
    cli("models", "activate", "parts:latest", "--url", daemon.url)
    assert [body for _, _, body in daemon.requests] == [b"", b""]


def test_the_address_comes_from_the_configuration(cli: Cli, daemon: FakeDaemon) -> None:
    """Without --url the daemon is where [http] says."""
    result = cli("models", "rollback", "parts", "--json", EDGE_HTTP__PORT=daemon.url.rpartition(":")[2])
    assert json.loads(result.stdout) == MODEL["model"]
    assert daemon.requests[0][0] == "/v1/models/parts/rollback"


@pytest.mark.parametrize(
    ("status", "body", "exit_code", "text"),
    [
        (404, b'{"detail": "no model parts:9"}', 1, "error: no model parts:9"),
        (422, b'{"detail": "its golden pictures do not hold"}', 1, "error: its golden pictures do not hold"),
        (401, b'{"detail": "a token is wanted"}', 2, "EDGE_HTTP__TOKEN"),
        (503, b'{"detail": "stopping"}', 1, "the daemon says: stopping"),
        (200, b"<html>", 1, "is no daemon"),
        (500, b"[]", 1, "the daemon says: status 500"),
    ],
)
def test_refusals_are_told(cli: Cli, daemon: FakeDaemon, status: int, body: bytes, exit_code: int, text: str) -> None:
    """What the daemon says reaches the person, with an exit code."""
    daemon.status, daemon.body = status, body
    result = cli("models", "activate", "parts:9", "--url", daemon.url)
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert text in result.stderr


@pytest.mark.parametrize(
    ("arguments", "environ", "exit_code", "text"),
    [
        (["--url", "http://127.0.0.1:1"], {}, 1, "no daemon answers at http://127.0.0.1:1 (Connection refused)"),
        (["--url", "127.0.0.1:8080"], {}, 2, "is no URL of a daemon"),
        (["--url", "http://x:port"], {}, 2, "is no URL of a daemon"),
        ([], {"EDGE_HTTP__PORT": "0"}, 2, "give its --url"),
    ],
)
def test_no_daemon_is_a_clear_text(
    cli: Cli, arguments: list[str], environ: dict[str, str], exit_code: int, text: str
) -> None:
    """Whether it is away or its address wrong, the remedy is told."""
    invoke: Callable[..., Any] = cli
    result = invoke("models", "rollback", "parts", *arguments, **environ)
    assert result.exit_code == exit_code
    assert text in result.stderr
