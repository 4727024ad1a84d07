"""compose.yaml: what it locks down, that its keys exist, and that its services really trust each other."""

import re
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
import yaml
from paho.mqtt.enums import CallbackAPIVersion

from edge.config import load
from edge.config.environment import known_variables
from tests.daemon import running
from tests.edge.daemon.test_run import RED, register
from tests.mosquitto import BINARY, free_port, needs_mosquitto, until

DOCKER = Path(__file__).parents[2] / "docker"
COMPOSE = shutil.which("docker-compose")
FILES = ["compose.yaml", "compose.gpu.yaml"]


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))["services"]
    return found


@pytest.mark.skipif(COMPOSE is None, reason="docker-compose is not installed (apt-get install docker-compose)")
@pytest.mark.parametrize("files", [FILES[:1], FILES], ids=["cpu", "gpu"])
def test_compose_understands_the_files(files: list[str]) -> None:
    """Alone, and with the GPU on top."""
    options = [part for file in files for part in ("-f", str(DOCKER / file))]
    done = subprocess.run([str(COMPOSE), *options, "config"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    resolved = yaml.safe_load(done.stdout)["services"]["automl-edge"]
    assert resolved["image"] == f"automl-edge:{'gpu' if len(files) > 1 else 'cpu'}"
    assert ("deploy" in resolved) == (len(files) > 1)


def test_every_service_is_locked_down(services: dict[str, Any]) -> None:
    """Read-only, without capabilities or the way to new ones; ports on this machine only; images with a tag."""
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert re.search(r":[\w.]+$", service["image"]), name
    for name in ("mosquitto", "automl-edge"):
        assert {"mem_limit", "pids_limit", "restart"} <= services[name].keys()
        assert services[name].get("user", "10001:10001").partition(":")[0] != "0"


def test_variables_are_keys_of_the_configuration() -> None:
    """In both files."""
    for file in FILES:
        document = yaml.safe_load((DOCKER / file).read_text(encoding="utf-8"))
        for service in document["services"].values():
            assert service.get("environment", {}).keys() <= known_variables().keys()


def test_the_daemon_has_the_time_that_its_stop_takes(services: dict[str, Any]) -> None:
    """The engine kills what has not ended by then."""
    grace_s = float(services["automl-edge"]["stop_grace_period"].removesuffix("s"))
    assert grace_s > load(None, {}).daemon.stop_timeout_s


class Made:
    """What credentials.py wrote, as the two services see it."""

    def __init__(self, folder: Path) -> None:
        self.broker, self.edge = folder / "broker", folder / "edge"
        self.make()

    def make(self) -> None:
        self._run("make")

    def access(self) -> dict[str, str]:
        lines = self._run("show").strip().splitlines()
        return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}

    def _run(self, what: str) -> str:
        command = [sys.executable, str(DOCKER / "credentials.py"), what, "--broker", str(self.broker)]
        done = subprocess.run(
            [*command, "--edge", str(self.edge)], capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout

    def contents(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for folder in (self.broker, self.edge) for path in folder.iterdir()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("credentials"))


def test_credentials_are_made_once(made: Made) -> None:
    """A second start changes nothing; nobody but the owner reads them."""
    before = made.contents()
    made.make()
    assert made.contents() == before
    assert {path.stat().st_mode & 0o777 for path in made.broker.iterdir()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in made.edge.iterdir()} == {0o600}


def test_the_daemons_file_is_a_configuration(made: Made, services: dict[str, Any]) -> None:
    """Together with the environment of compose.yaml."""
    config = load(made.edge / "edge.toml", services["automl-edge"]["environment"])
    assert config.mqtt.tls
    assert config.mqtt.username == "automl-edge"
    assert config.http.token is not None
    assert made.access()["HTTP token"] == tomllib.loads((made.edge / "edge.toml").read_text())["http"]["token"]


@pytest.fixture
def broker_port(made: Made, tmp_path: Path) -> Iterator[int]:
    """Run a real mosquitto with the file of compose.yaml, its paths and port turned to this machine's."""
    port = free_port()
    (tmp_path / "data").mkdir()
    text = (DOCKER / "mosquitto" / "mosquitto.conf").read_text(encoding="utf-8")
    text = text.replace("/secrets/", f"{made.broker}/").replace("/mosquitto/data/", f"{tmp_path}/data/")
    text = text.replace("/mosquitto/config/", f"{DOCKER}/mosquitto/").replace("listener 8883", f"listener {port}")
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"{text}\nuser root\n")
    with subprocess.Popen([str(BINARY), "-c", str(config)], stderr=subprocess.DEVNULL) as broker:
        try:
            until(lambda: listens(port), what="the broker")
            yield port
        finally:
            broker.kill()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def client(port: int, made: Made, name: str, password: str) -> paho.Client:
    made_client = paho.Client(CallbackAPIVersion.VERSION2)
    made_client.username_pw_set(name, password)
    made_client.tls_set(str(made.edge / "ca.pem"))
    made_client.connect("127.0.0.1", port)
    return made_client


@needs_mosquitto
def test_daemon_and_broker_trust_each_other(made: Made, broker_port: int, tmp_path: Path) -> None:
    """TLS, password, access list: the daemon publishes; the viewer reads and sends pictures, and nothing else."""
    register(tmp_path, "1")
    environment = {
        "EDGE_MQTT__HOST": "localhost",
        "EDGE_MQTT__PORT": str(broker_port),
        "EDGE_MQTT__TLS": "true",
        "EDGE_MQTT__CA_FILE": str(made.edge / "ca.pem"),
    }
    access = made.access()
    with running(tmp_path, config=made.edge / "edge.toml", mqtt=True, **environment) as daemon:
        until(lambda: "connected to MQTT broker" in daemon.stderr, what="the connection")
        viewer = client(broker_port, made, "viewer", access["broker password"])
        topics: list[str] = []
        viewer.on_message = lambda _c, _u, message: topics.append(message.topic)

        def subscribe(*_: object) -> None:
            viewer.subscribe("automl-edge/#")

        viewer.on_connect = subscribe
        viewer.loop_start()
        until(lambda: "automl-edge/press-7/state" in topics, what="the state")
        viewer.publish("automl-edge/press-7/cmd/reload", b'{"id": "no"}', 1)
        viewer.publish("automl-edge/press-7/bench/image/1", RED, 1)
        until(lambda: "automl-edge/press-7/bench/result" in topics, what="the result")
        viewer.disconnect()
        viewer.loop_stop()
        assert "automl-edge/press-7/ack/no" not in topics
        assert daemon.stop() == 0


@needs_mosquitto
def test_a_wrong_password_is_refused(made: Made, broker_port: int) -> None:
    """The hashes are those that mosquitto makes."""
    answers: list[bool] = []
    stranger = client(broker_port, made, "viewer", "guessed")
    stranger.on_connect = lambda _c, _u, _f, reason, _p: answers.append(reason.is_failure)
    stranger.loop_start()
    until(lambda: answers, what="the broker's answer")
    stranger.loop_stop()
    assert answers[0]
