"""``automl-edge models activate`` and ``rollback``, against a real HTTP server that answers as the daemon does."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.edge.api.certificates import Pair, make_pair
from tests.edge.cli.conftest import Cli

MODEL = {"model": {"name": "parts", "version": "2", "proven": True}}


@dataclass
class FakeDaemon:
    """Answers every POST with ``status`` and ``body`` and remembers what came."""

    status: int = 200
    body: bytes = json.dumps(MODEL).encode()
    requests: list[tuple[str, str | None, bytes]] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(pair: Pair | None = None) -> Iterator[FakeDaemon]:
    """Serve on a free port of loopback, over HTTPS with ``pair``."""
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
        if pair is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pair.cert, pair.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        fake.url = f"{'https' if pair else 'http'}://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield fake
        server.shutdown()
        thread.join()


@pytest.fixture
def daemon() -> Iterator[FakeDaemon]:
    """A server on a free port of loopback."""
    with serving() as fake:
        yield fake


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[FakeDaemon, Pair]]:
    """One that speaks HTTPS, and what it shows."""
    pair = make_pair(tmp_path)
    with serving(pair) as fake:
        yield fake, pair


def test_the_configured_certificate_is_trusted(cli: Cli, secure: tuple[FakeDaemon, Pair]) -> None:
    """The daemon of this configuration is known by it; no authority is needed."""
    daemon, pair = secure
    own = {"EDGE_HTTP__CERT_FILE": str(pair.cert), "EDGE_HTTP__KEY_FILE": str(pair.key)}
    result = cli("models", "rollback", "parts", EDGE_HTTP__PORT=daemon.url.rpartition(":")[2], **own)
    assert (result.exit_code, len(daemon.requests)) == (0, 1), result.stderr


def test_another_certificate_gets_no_token(cli: Cli, secure: tuple[FakeDaemon, Pair], tmp_path: Path) -> None:
    """Whoever answers with it, though it is valid in itself: nothing is sent."""
    daemon, _ = secure
    other = make_pair(tmp_path / "other")
    own = {"EDGE_HTTP__CERT_FILE": str(other.cert), "EDGE_HTTP__KEY_FILE": str(other.key), "EDGE_HTTP__TOKEN": "abc"}
    result = cli("models", "rollback", "parts", EDGE_HTTP__PORT=daemon.url.rpartition(":")[2], **own)
    assert (result.exit_code, daemon.requests) == (1, [])
    assert "is not trusted" in result.stderr


def test_an_authority_can_be_given(cli: Cli, secure: tuple[FakeDaemon, Pair]) -> None:
    """With --url the system's are trusted, or those of --ca, which the refusal names."""
    daemon, pair = secure
    refused = cli("models", "rollback", "parts", "--url", daemon.url)
    assert (refused.exit_code, daemon.requests) == (1, [])
    assert "is not trusted: self-signed certificate; give the authority's certificate with --ca" in refused.stderr
    assert cli("models", "rollback", "parts", "--url", daemon.url, "--ca", pair.cert).exit_code == 0


def test_plain_text_where_https_is_asked_for(cli: Cli, daemon: FakeDaemon, secure: tuple[FakeDaemon, Pair]) -> None:
    """And the other way round: a clear text each."""
    mixed = cli("models", "rollback", "parts", "--url", daemon.url.replace("http", "https"))
    assert "does the daemon speak HTTPS there?" in mixed.stderr
    mixed = cli("models", "rollback", "parts", "--url", secure[0].url.replace("https", "http"))
    assert "https where it has a certificate" in mixed.stderr


def test_the_token_comes_from_a_file(cli: Cli, daemon: FakeDaemon, tmp_path: Path) -> None:
    """So that it stands in no list of processes; it goes before the configuration's."""
    (tmp_path / "token").write_text("aedge_from-file\n")
    cli("models", "rollback", "parts", "--url", daemon.url, "--token-file", tmp_path / "token", EDGE_HTTP__TOKEN="abc")
    assert daemon.requests[0][1] == "Bearer aedge_from-file"


@pytest.mark.parametrize(
    ("text", "says"), [("", "one token"), ("a b", "one token"), ("ä", "one token"), (None, "No such")]
)
def test_a_file_that_holds_no_token_is_told(cli: Cli, tmp_path: Path, text: str | None, says: str) -> None:
    """Without repeating what it holds."""
    if text is not None:
        (tmp_path / "token").write_text(text)
    result = cli("models", "rollback", "parts", "--token-file", tmp_path / "token")
    assert result.exit_code == 2
    assert says in result.stderr


@pytest.mark.parametrize("option", ["--ca", "cert_file"])
def test_a_file_without_certificates_is_told(cli: Cli, tmp_path: Path, option: str) -> None:
    """With its name."""
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    files = {"EDGE_HTTP__CERT_FILE": str(empty), "EDGE_HTTP__KEY_FILE": str(empty)}
    given = ["--ca", empty, "--url", "https://127.0.0.1:1"] if option == "--ca" else []
    result = cli("models", "rollback", "parts", *given, **({} if given else files))
    assert result.exit_code == 2
    assert "empty.pem: cannot be used to check the daemon's certificate" in result.stderr


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
