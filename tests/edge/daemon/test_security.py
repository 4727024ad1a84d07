"""Who gets in to the running daemon, and what it says where it is not as safe as it could be."""

import json
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from edge.tokens import ALL_SCOPES, Grant, TokensFile
from tests.daemon import STOP_S, RunningDaemon, running
from tests.edge.api.certificates import Pair, make_pair
from tests.edge.publishers.listener import Listener
from tests.fakes import COLOURS, encoded, make_bundle, picture
from tests.mosquitto import until

RED = encoded(picture(COLOURS["red"]))


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """A folder with a model."""
    make_bundle(tmp_path / "models" / "colours" / "1")
    return tmp_path


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_tokens_come_and_go_while_it_runs(device: Path) -> None:
    """Made, used, revoked within a second; the file broken, and gone: nobody gets in who could not before."""
    file = TokensFile(device / "tokens.json")
    with running(device, EDGE_HTTP__TOKENS_FILE=str(file.path)) as daemon:

        def status(token: str) -> httpx.Response:
            return httpx.get(f"{daemon.url}/v1/status", headers=bearer(token))

        assert httpx.get(f"{daemon.url}/v1/status").status_code == 401
        board, line = file.add(Grant("board", frozenset({"read"}))), file.add(Grant("line", frozenset({"predict"})))
        until(lambda: status(board).status_code == 200, within_s=3, what="the new token")
        assert status(line).status_code == 403
        assert httpx.post(f"{daemon.url}/v1/predict", content=RED, headers=bearer(line)).status_code == 200
        assert httpx.post(f"{daemon.url}/v1/predict", content=RED, headers=bearer(board)).status_code == 403
        file.revoke("line")
        until(lambda: status(line).status_code == 401, within_s=3, what="the revocation")
        file.path.write_text("{")
        until(lambda: "is damaged" in str(status(board).json()["warnings"]), within_s=3, what="the warning")
        file.path.unlink()
        until(lambda: status(board).status_code == 401, within_s=3, what="the end of all tokens")
        assert httpx.get(f"{daemon.url}/v1/status").status_code == 401
        assert daemon.stop() == 0
        assert board not in daemon.stderr


def refused(folder: Path, **settings: Any) -> str:
    """Return what a daemon says that does not start."""
    daemon = RunningDaemon(folder, **settings)
    try:
        assert daemon.process.wait(STOP_S) == 2
    finally:
        daemon.process.kill()
        daemon.process.wait()
    assert "Traceback" not in daemon.stderr
    return daemon.stderr


def test_beyond_loopback_it_wants_a_token(device: Path) -> None:
    """Else it does not start, and tells the keys."""
    said = refused(device, EDGE_HTTP__HOST="0.0.0.0")
    assert "no token is set: set http.token (EDGE_HTTP__TOKEN) or http.tokens_file, or http.insecure = true" in said


def test_files_that_cannot_be_used_end_the_start(device: Path) -> None:
    """Damaged tokens; a certificate that is not there, and one without its key."""
    (device / "tokens.json").write_text("{")
    assert "tokens.json: is damaged" in refused(device, EDGE_HTTP__TOKENS_FILE=str(device / "tokens.json"))
    lone = {"EDGE_HTTP__CERT_FILE": str(device / "no.pem")}
    assert "cert_file and key_file belong together" in refused(device, **lone)
    said = refused(device, EDGE_HTTP__KEY_FILE=str(device / "no.key"), **lone)
    assert "no.pem: cannot be read: No such file" in said


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"EDGE_HTTP__TOKEN": "secret"}, "tokens and pictures cross the network in clear text"),
        ({"EDGE_HTTP__TOKEN": "secret", "EDGE_HTTP__INSECURE": "true"}, "in clear text at http.host '0.0.0.0'"),
        ({"EDGE_HTTP__INSECURE": "true"}, "anybody who reaches http.host '0.0.0.0' may see and change everything"),
    ],
)
def test_what_is_not_safe_is_said_loudly_and_for_good(device: Path, settings: dict[str, str], says: str) -> None:
    """In the log, on the terminal, in the status and in the MQTT state."""
    pytest.importorskip("amqtt", reason="the embedded broker needs automl-edge[demo]")
    with running(device, mqtt=True, EDGE_HTTP__HOST="0.0.0.0", **settings) as daemon:
        until(lambda: says in daemon.stdout, what="the welcome")
        assert says in str([line for line in daemon.logged() if line["level"] == "warning"])
        assert says in str(httpx.get(f"{daemon.url}/v1/status", headers=bearer("secret")).json()["warnings"])
        with Listener(daemon.mqtt_port, "#") as listener:
            until(lambda: says in str(listener.json("state")), what="the state")
        assert _beyond_loopback(daemon) == {daemon.port}
        assert daemon.stop() == 0


def test_by_default_nothing_listens_beyond_loopback(device: Path) -> None:
    """Neither HTTP nor the embedded broker; and no page of another name gets an answer."""
    pytest.importorskip("amqtt", reason="the embedded broker needs automl-edge[demo]")
    with running(device, mqtt=True) as daemon:
        assert _beyond_loopback(daemon) == set()
        rebound = {"host": f"evil.example:{daemon.port}", "origin": f"http://evil.example:{daemon.port}"}
        assert httpx.post(f"{daemon.url}/v1/predict", content=RED, headers=rebound).status_code == 421
        assert httpx.get(f"{daemon.url}/v1/status", headers=rebound).status_code == 421
        assert not [text for text in daemon.status()["warnings"] if "http.host" in text]
        assert httpx.get(f"http://localhost:{daemon.port}/v1/status").status_code == 200
        assert daemon.stop() == 0


def _beyond_loopback(daemon: RunningDaemon) -> set[int]:
    """Return the ports that other machines can reach."""
    sockets = psutil.Process(daemon.process.pid).net_connections(kind="inet")
    listening = [one.laddr for one in sockets if one.status == psutil.CONN_LISTEN]
    assert listening
    return {address.port for address in listening if not ip_address(address.ip).is_loopback}


def test_a_limit_of_rate_holds_for_each_token(device: Path) -> None:
    """As configured; probes are always answered."""
    file = TokensFile(device / "tokens.json")
    tokens = [file.add(Grant(name, ALL_SCOPES)) for name in "ab"]
    settings = {"EDGE_HTTP__TOKENS_FILE": str(file.path), "EDGE_HTTP__RATE_LIMIT": "0.01"}
    with running(device, **settings) as daemon, httpx.Client(base_url=daemon.url) as client:
        answers = [client.get("/v1/models", headers=bearer(tokens[0])) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 429, 429]
        assert 90 <= int(answers[-1].headers["retry-after"]) <= 100
        assert client.get("/v1/models", headers=bearer(tokens[1])).status_code == 200
        assert client.get("/readyz").status_code == 200
        assert daemon.stop() == 0


@contextmanager
def https_daemon(folder: Path, pair: Pair, **settings: Any) -> Iterator[tuple[RunningDaemon, httpx.Client]]:
    """Give a ready daemon that speaks HTTPS, and a client that trusts it."""
    daemon = RunningDaemon(folder, EDGE_HTTP__CERT_FILE=str(pair.cert), EDGE_HTTP__KEY_FILE=str(pair.key), **settings)
    url = daemon.url.replace("http", "https")
    try:
        with httpx.Client(base_url=url, verify=ssl.create_default_context(cafile=pair.cert)) as client:
            until(lambda: daemon.process.poll() is not None or _ready(client), within_s=30, what="readiness")
            yield daemon, client
    finally:
        daemon.process.kill()
        daemon.process.wait()


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_https_with_all_that_belongs_to_it(device: Path, tmp_path: Path) -> None:
    """What the daemon prints works as it stands; a command of the same configuration reaches it; no warning is left."""
    pair = make_pair(tmp_path / "tls")
    settings = {"EDGE_HTTP__HOST": "localhost", "EDGE_HTTP__TOKEN": "secret"}
    with https_daemon(device, pair, **settings) as (daemon, client):
        assert client.get("/v1/status", headers=bearer("secret")).json()["warnings"] == []
        until(lambda: "curl" in daemon.stdout, what="the welcome")
        (curl,) = [line.strip() for line in daemon.stdout.splitlines() if "curl" in line]
        (device / "picture.jpg").write_bytes(RED)
        shown = curl.removeprefix("predict").strip()
        assert f"--cacert {pair.cert}" in shown
        done = _shell(shown, device, TOKEN="secret")
        assert json.loads(done.stdout)["predictions"][0]["label"] == "red", done.stderr
        assert daemon.stop() == 0
        assert "secret" not in daemon.stdout


def _shell(command: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    words = ["/bin/sh", "-c", command.replace("curl ", "curl -sS ")]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=30, check=False)


def test_a_silent_client_holds_up_no_stop(device: Path, tmp_path: Path) -> None:
    """One that never shakes hands, and one that keeps its connection open."""
    with (
        https_daemon(device, make_pair(tmp_path / "tls")) as (daemon, client),
        socket.create_connection(("127.0.0.1", daemon.port)),
    ):
        assert client.get("/livez").status_code == 200
        assert daemon.stop() == 0
