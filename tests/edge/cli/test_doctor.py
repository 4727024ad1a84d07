"""``automl-edge doctor``."""

import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from edge.cli.examination import clock_finding
from tests.edge.cli.conftest import Cli
from tests.fakes import make_bundle, truncate


@pytest.fixture
def busy_port() -> Iterator[int]:
    """A port of loopback that something listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def environ(registry: Path, tmp_path: Path) -> dict[str, str]:
    """A configuration whose every need is met."""
    return {
        "EDGE_REGISTRY__PATH": str(registry),
        "EDGE_STORAGE__PATH": str(tmp_path / "var"),
        "EDGE_HTTP__PORT": "0",
        "EDGE_MQTT__ENABLED": "false",
    }


def findings(cli: Cli, environ: dict[str, str], *arguments: object) -> tuple[int, dict[str, dict[str, Any]]]:
    result = cli("doctor", "--json", *arguments, **environ)
    report = json.loads(result.stdout)
    assert report["ok"] == (result.exit_code == 0)
    return result.exit_code, {finding["what"]: finding for finding in report["findings"]}


def test_a_device_that_can_do_it(cli: Cli, environ: dict[str, str]) -> None:
    """The model is proven, the provider timed; cores, memory, disk, clock and port are told; nothing is left behind."""
    exit_code, found = findings(cli, environ)
    assert exit_code == 0
    assert "CPUExecutionProvider runs the model" in found["CPU"]["found"]
    assert found["model"]["found"].startswith("colours:2 is proven on CPUExecutionProvider")
    assert {"onnxruntime", "cores", "memory", "storage", "clock", "HTTP port"} <= found.keys()
    assert not Path(environ["EDGE_STORAGE__PATH"]).exists()


def test_a_model_that_nobody_vouches_for(cli: Cli, environ: dict[str, str]) -> None:
    """With trusted keys an unsigned model fails, and is not loaded."""
    key = "ed25519:" + "A" * 43 + "="
    exit_code, found = findings(cli, {**environ, "EDGE_REGISTRY__TRUSTED_KEYS": f'["{key}"]'})
    assert exit_code == 1
    assert "colours:2 is not signed" in found["model"]["found"]
    assert "CPU" not in found


def test_a_table_for_people(cli: Cli, environ: dict[str, str]) -> None:
    """One line a finding, whole, where nobody looks."""
    lines = cli("doctor", **environ).stdout.splitlines()
    assert lines[0].split() == ["what", "state", "found"]
    assert all(line.split()[-1] for line in lines)
    assert any(line.startswith("clock") and " ok " in line for line in lines)


@pytest.mark.parametrize(
    ("change", "what", "text"),
    [
        ({"EDGE_REGISTRY__PATH": "/nowhere"}, "model", "cannot read the registry"),
        ({"EDGE_MODEL__NAME": "colors"}, "model", "there are colours"),
        ({"EDGE_SESSION__DEVICE": "require-gpu"}, "GPU", "onnxruntime"),
        ({"EDGE_STORAGE__PATH": "/proc/self/nothing"}, "storage", "storage.path"),
        ({"EDGE_MQTT__ENABLED": "true", "EDGE_MQTT__HOST": "127.0.0.1", "EDGE_MQTT__PORT": "1"}, "broker", "refused"),
    ],
)
def test_what_the_configuration_needs_fails(
    cli: Cli, environ: dict[str, str], change: dict[str, str], what: str, text: str
) -> None:
    """A need that is not met is a failure with its reason, and the exit code is 1."""
    exit_code, found = findings(cli, environ | change)
    assert exit_code == 1
    assert found[what]["state"] == "fail"
    assert text in found[what]["found"]


def test_a_taken_port_fails(cli: Cli, environ: dict[str, str], busy_port: int) -> None:
    """The port is named, and what may have it."""
    exit_code, found = findings(cli, environ | {"EDGE_HTTP__PORT": str(busy_port)})
    assert exit_code == 1
    assert found["HTTP port"]["found"].startswith(f"127.0.0.1:{busy_port} cannot be bound")


def test_a_running_daemon_has_its_port_rightly(cli: Cli, environ: dict[str, str]) -> None:
    """Where the port is taken by what answers as the daemon does, all is well."""

    class Live(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"status": "live"}')

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Live) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        exit_code, found = findings(cli, environ | {"EDGE_HTTP__PORT": str(server.server_port)})
        server.shutdown()
        thread.join()
    assert exit_code == 0
    assert found["HTTP port"]["found"].endswith("is taken, and a daemon is running")


def test_a_broker_that_answers(cli: Cli, environ: dict[str, str], busy_port: int) -> None:
    """A TCP connection is enough."""
    mqtt = {"EDGE_MQTT__ENABLED": "true", "EDGE_MQTT__HOST": "127.0.0.1", "EDGE_MQTT__PORT": str(busy_port)}
    assert findings(cli, environ | mqtt)[1]["broker"]["state"] == "ok"


def test_sources_are_looked_for(cli: Cli, environ: dict[str, str], pictures: Path, tmp_path: Path) -> None:
    """A folder that is there is ok, one that is not fails."""
    path = tmp_path / "edge.toml"
    path.write_text(
        f'[[source]]\nkind = "folder"\nname = "in"\npath = "{pictures}"\n'
        '[[source]]\nkind = "playback"\nname = "film"\npath = "film.mp4"\n'
    )
    exit_code, found = findings(cli, environ, "-c", path)
    assert exit_code == 1
    assert (found["source in"]["state"], found["source film"]["state"]) == ("ok", "fail")


def test_models_that_are_not_right(cli: Cli, environ: dict[str, str], registry: Path) -> None:
    """A broken version beside is a warning; an unproven model is one too."""
    make_bundle(registry / "colours/3", version="3", created_at=datetime(2026, 3, 1, tzinfo=UTC), golden=False)
    truncate(registry / "colours/2/model.onnx")
    exit_code, found = findings(cli, environ)
    assert exit_code == 0
    assert (found["registry"]["state"], found["model"]["state"]) == ("warn", "warn")
    assert "unproven" in found["model"]["found"]


def test_a_wrong_clock_fails() -> None:
    """A clock from before this program existed gives false times."""
    assert clock_finding(datetime(1970, 1, 1, tzinfo=UTC)).state == "fail"
    assert clock_finding(datetime(2030, 1, 1, tzinfo=UTC)).state == "ok"


def test_a_wrong_configuration_is_told_first(cli: Cli) -> None:
    """Nothing is examined for a configuration with problems."""
    result = cli("doctor", EDGE_HTTP__PORT="x")
    assert (result.exit_code, result.stdout) == (2, "")


def test_access_is_told(cli: Cli, environ: dict[str, str], tmp_path: Path) -> None:
    """Who gets in, and what is not safe about it; tokens that cannot be read fail."""
    assert findings(cli, environ)[1]["access"]["found"] == "anybody on this machine, over HTTP"
    open_to_all = {"EDGE_HTTP__HOST": "0.0.0.0", "EDGE_HTTP__TOKEN": "secret"}
    exit_code, found = findings(cli, environ | open_to_all)
    assert (exit_code, found["access"]["state"]) == (0, "warn")
    assert "in clear text" in found["access"]["found"]
    (tmp_path / "tokens.json").write_text("{")
    exit_code, found = findings(cli, environ | {"EDGE_HTTP__TOKENS_FILE": str(tmp_path / "tokens.json")})
    assert (exit_code, found["access"]["state"]) == (1, "fail")
    assert "tokens.json: is damaged" in found["access"]["found"]
    exit_code, found = findings(cli, environ | {"EDGE_HTTP__TOKENS_FILE": str(tmp_path / "none.json")})
    assert (exit_code, found["access"]["state"]) == (0, "warn")
    assert "automl-edge token new" in found["access"]["found"]


def test_a_certificate_that_cannot_be_read_is_one_finding_among_others(
    cli: Cli, environ: dict[str, str], tmp_path: Path
) -> None:
    """The rest of the device is examined all the same."""
    missing = str(tmp_path / "none.pem")
    exit_code, found = findings(cli, environ | {"EDGE_HTTP__CERT_FILE": missing, "EDGE_HTTP__KEY_FILE": missing})
    assert (exit_code, found["access"]["state"]) == (1, "fail")
    assert missing in found["access"]["found"]
    assert found["storage"]["state"] == "ok"
