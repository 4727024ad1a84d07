"""The daemon as a process: the main job end to end, over real HTTP and a real broker."""

import json
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.daemon import STOP_S, RunningDaemon, running
from tests.edge.rollout.test_rollout import break_golden
from tests.fakes import COLOURS, CREATED_AT, encoded, make_bundle, picture
from tests.mosquitto import until

RED, BLUE = encoded(picture(COLOURS["red"])), encoded(picture(COLOURS["blue"]))


def register(folder: Path, version: str, *, spoil: Callable[[Path], object] = lambda _: None) -> Path:
    """Make a bundle beside the registry and move it in, as a careful copy does."""
    staged = folder / f"staged-{version}"
    make_bundle(staged, version=version, created_at=CREATED_AT + timedelta(days=int(version)))
    spoil(staged)
    target = folder / "models" / "colours" / version
    target.parent.mkdir(parents=True, exist_ok=True)
    return staged.rename(target)


class Listener:
    """Everything that a broker sends about one device."""

    def __init__(self, port: int) -> None:
        self.messages: list[tuple[str, Any, bool]] = []
        self._subscribed = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = lambda _c, _u, m: self.messages.append((m.topic, json.loads(m.payload), m.retain))
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.connect("127.0.0.1", port)
        for pattern in ("+/result", "state", "model", "ack/+"):
            self.client.subscribe(f"automl-edge/press-7/{pattern}", 1)
        self.client.loop_start()
        assert self._subscribed.wait(10)

    def on(self, topic: str) -> list[Any]:
        return [payload for t, payload, _ in self.messages if t == f"automl-edge/press-7/{topic}"]

    def send(self, topic: str, payload: bytes) -> None:
        self.client.publish(f"automl-edge/press-7/{topic}", payload, 1).wait_for_publish(10)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RunningDaemon]:
    register(tmp_path, "1")
    with running(tmp_path) as started:
        yield started


def test_a_picture_is_answered(daemon: RunningDaemon) -> None:
    """A picture's bytes come back as label and probabilities, with the model and the provider that answered."""
    answer = daemon.predict(RED)
    assert answer["predictions"][0]["label"] == "red"
    assert answer["model"] == {"name": "colours", "version": "1", "proven": True}
    assert answer["provider"] == "CPUExecutionProvider"


def test_the_first_lines_tell_where_to_look(daemon: RunningDaemon) -> None:
    """What runs, the docs and a command to try are the first things on standard output."""
    until(lambda: "predict" in daemon.stdout, what="the welcome")
    assert daemon.stdout.startswith("automl-edge ")
    assert "on press-7: colours:1, CPUExecutionProvider, lanes" in daemon.stdout
    assert f"curl --data-binary @picture.jpg {daemon.url}/v1/predict" in daemon.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_stop(daemon: RunningDaemon, number: signal.Signals) -> None:
    """A signal ends the daemon with exit code 0 and no traceback."""
    daemon.predict(BLUE)
    assert daemon.stop(number) == 0
    assert "Traceback" not in daemon.stderr
    assert daemon.logged()[-1]["event"] == "stopped"


class Clients:
    """Requests without a pause from several threads; ``outcomes`` holds every status and label."""

    def __init__(self, url: str, count: int = 4) -> None:
        self.outcomes: list[tuple[int, str, str]] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(url,)) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _ask(self, url: str) -> None:
        with httpx.Client() as client:
            while not self._stop.is_set():
                answer = client.post(f"{url}/v1/predict", content=RED)
                body = answer.json()
                label = body["predictions"][0]["label"] if answer.status_code == 200 else answer.text
                self.outcomes.append((answer.status_code, label, body.get("model", {}).get("version", "")))

    def versions(self) -> set[str]:
        return {version for _, _, version in self.outcomes}

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_a_new_version_is_swapped_in_under_load(daemon: RunningDaemon, tmp_path: Path) -> None:
    """Copying versions into the registry while clients ask: each is taken, a broken one is not, no request fails."""
    clients = Clients(daemon.url)
    try:
        register(tmp_path, "2")
        until(lambda: "2" in clients.versions(), what="version 2")
        register(tmp_path, "3", spoil=break_golden)
        until(lambda: "a model is refused" in daemon.stderr, what="the refusal")
        register(tmp_path, "4")
        until(lambda: "4" in clients.versions(), what="version 4")
        assert httpx.post(f"{daemon.url}/v1/models/colours/rollback").json()["model"]["version"] == "2"
        seen = len(clients.outcomes)
        until(lambda: "2" in {v for _, _, v in clients.outcomes[seen:]}, what="version 2 again")
    finally:
        clients.close()
    assert {(status, label) for status, label, _ in clients.outcomes} == {(200, "red")}
    assert clients.versions() == {"1", "2", "4"}
    states = {m["version"]: m["state"] for m in httpx.get(f"{daemon.url}/v1/models").json()["models"]}
    assert states == {"1": "previous", "2": "current", "3": "refused", "4": "skipped"}


def test_a_version_copied_file_by_file(daemon: RunningDaemon, tmp_path: Path) -> None:
    """A slow copy, manifest first or last, is taken when it is whole and not before."""
    staged = make_bundle(tmp_path / "slow", version="2", created_at=CREATED_AT + timedelta(days=2))
    target = tmp_path / "models" / "colours" / "2"
    (target / "golden").mkdir(parents=True)
    for file in ["manifest.json", "labels.json", *(f"golden/{p.name}" for p in (staged / "golden").iterdir())]:
        shutil.copy(staged / file, target / file)
    until(lambda: "not offered until it is whole" in daemon.stderr, what="the half copy to be seen")
    assert daemon.predict(RED)["model"]["version"] == "1"
    shutil.copy(staged / "model.onnx", target / "model.onnx")
    until(lambda: daemon.predict(RED)["model"]["version"] == "2", what="version 2")


def test_requests_in_flight_are_answered_when_stopping(tmp_path: Path) -> None:
    """SIGTERM under load: what was accepted is answered, nothing is answered with a fault."""
    register(tmp_path, "1")
    with running(tmp_path) as daemon:
        statuses: list[int] = []
        done = threading.Event()

        def ask() -> None:
            with httpx.Client() as client:
                while not done.is_set():
                    try:
                        statuses.append(client.post(f"{daemon.url}/v1/predict", content=RED).status_code)
                    except httpx.TransportError:
                        return  # the listening socket is gone

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        until(lambda: len(statuses) > 50, what="load")
        assert daemon.stop() == 0
        done.set()
        for thread in threads:
            thread.join()
        assert set(statuses) <= {200, 503}
        assert "Traceback" not in daemon.stderr


CONFIG = """
[[source]]
kind = "folder"
name = "inbox"
path = "{folder}/inbox"
poll_s = 0.05

[[source]]
kind = "playback"
name = "line"
path = "{folder}/played"
fps = 20.0
loop = true
"""


def plant(folder: Path) -> Path:
    """Return the configuration of a device with a model, a watched folder and a folder that is played."""
    pytest.importorskip("amqtt", reason="the embedded broker needs automl-edge[demo]")
    register(folder, "1")
    for name in ("inbox", "played"):
        (folder / name).mkdir()
    (folder / "played" / "a.png").write_bytes(BLUE)
    config = folder / "edge.toml"
    config.write_text(CONFIG.format(folder=folder))
    return config


@contextmanager
def listening(daemon: RunningDaemon) -> Iterator[Listener]:
    listener = Listener(daemon.mqtt_port)
    try:
        yield listener
    finally:
        listener.close()


def test_pictures_in_results_out_over_mqtt(tmp_path: Path) -> None:
    """Dropped into a folder, played, or sent to a topic: each picture's result comes out on MQTT, numbered in order."""
    with running(tmp_path, config=plant(tmp_path), mqtt=True) as daemon, listening(daemon) as listener:
        (tmp_path / "inbox" / "part.png").write_bytes(RED)
        listener.send("bench/image/job-17", BLUE)
        listener.send("bench/image", b"not a picture")
        daemon.predict(RED)
        until(lambda: listener.on("inbox/result") and listener.on("http/result"), what="the results")
        until(lambda: listener.on("line/result") and len(listener.on("bench/result")) == 2, what="the results")
        inbox, (sent, bad) = listener.on("inbox/result")[0], listener.on("bench/result")
        assert (inbox["name"], inbox["predictions"][0]["label"]) == ("part.png", "red")
        assert (sent["correlation_id"], sent["predictions"][0]["label"]) == ("job-17", "blue")
        assert bad["predictions"][0]["error"]["kind"] == "ImageDecodeError"
        seqs = [payload["seq"] for topic, payload, _ in listener.messages if topic.endswith("/result")]
        assert seqs == sorted(seqs)


def test_commands_are_acknowledged_and_the_state_is_kept(tmp_path: Path) -> None:
    """Commands over MQTT are answered by id; the retained state is online while the daemon runs and offline after."""
    with running(tmp_path, config=plant(tmp_path), mqtt=True) as daemon, listening(daemon) as listener:
        listener.send("cmd/reload", b'{"id": "c1"}')
        listener.send("cmd/rollback", b'{"id": "c2", "name": "colours"}')
        until(lambda: listener.on("ack/c1") and listener.on("ack/c2"), what="the acknowledgements")
        assert listener.on("ack/c1")[0]["ok"]
        assert "no previous version" in json.dumps(listener.on("ack/c2")[0])
        until(lambda: listener.on("state"), what="the state")
        assert listener.on("state")[-1]["state"] == "online"
        daemon.process.send_signal(signal.SIGTERM)
        until(lambda: listener.on("state")[-1]["state"] == "offline", what="the goodbye")
        assert daemon.process.wait(STOP_S) == 0


def failing(folder: Path, **environment: Any) -> RunningDaemon:
    """Return a daemon that was started and ended by itself."""
    daemon = RunningDaemon(folder, **environment)
    try:
        daemon.process.wait(30)
    finally:
        daemon.process.kill()
        daemon.process.wait()
    return daemon


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """A port that somebody else holds ends the start with exit code 2 and one clear line."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        daemon = failing(tmp_path, EDGE_HTTP__PORT=str(port))
    assert daemon.process.returncode == 2
    assert f"cannot listen on 127.0.0.1, port {port}" in daemon.stderr
    assert "Traceback" not in daemon.stderr


def test_every_configuration_problem_at_once(tmp_path: Path) -> None:
    """A typo and a wrong type are both named; nothing starts."""
    daemon = failing(tmp_path, EDGE_HTTP__PROT="1", EDGE_SESSION__THREADS="many")
    assert daemon.process.returncode == 2
    assert "EDGE_HTTP__PROT" in daemon.stderr
    assert "EDGE_SESSION__THREADS" in daemon.stderr
    assert "Traceback" not in daemon.stderr


def test_a_gpu_that_is_required_and_missing(tmp_path: Path) -> None:
    """Where the GPU is required and does not run the model, the daemon is not ready and says why."""
    register(tmp_path, "1")
    daemon = RunningDaemon(tmp_path, EDGE_SESSION__DEVICE="require-gpu")
    try:
        until(lambda: _not_ready(daemon), what="the reason")
        assert "require-gpu" in httpx.get(f"{daemon.url}/readyz").text
        assert httpx.post(f"{daemon.url}/v1/predict", content=RED).status_code == 503
        assert daemon.stop() == 0
    finally:
        daemon.process.kill()
        daemon.process.wait()


def _not_ready(daemon: RunningDaemon) -> bool:
    try:
        answer = httpx.get(f"{daemon.url}/readyz")
    except httpx.TransportError:
        return False
    return answer.status_code == 503 and "require-gpu" in answer.text


def test_an_unreachable_broker_is_a_state(tmp_path: Path) -> None:
    """Without its broker the daemon answers over HTTP and names the broker in its status."""
    register(tmp_path, "1")
    with running(tmp_path, mqtt=True, EDGE_MQTT__HOST="127.0.0.1") as daemon:
        assert daemon.predict(RED)["predictions"][0]["label"] == "red"
        until(lambda: daemon.status()["mqtt"]["problem"], what="the problem")
        assert f"127.0.0.1:{daemon.mqtt_port}" in daemon.status()["mqtt"]["problem"]
        assert daemon.stop() == 0


def test_a_kill_leaves_a_whole_model(tmp_path: Path) -> None:
    """Killed without warning and started without its registry, the daemon brings up the model it had."""
    register(tmp_path, "1")
    with running(tmp_path) as daemon:
        daemon.process.kill()
        daemon.process.wait()
    shutil.rmtree(tmp_path / "models")
    with running(tmp_path) as daemon:
        assert daemon.predict(RED)["model"]["version"] == "1"
        assert daemon.status()["warnings"]
