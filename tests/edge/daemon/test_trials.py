"""Newer versions on trial and on probation in the daemon as a process, over real HTTP and a real broker."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.daemon import RunningDaemon, running
from tests.edge.daemon.test_run import Listener, register
from tests.edge.rollout.test_trials import permute_labels
from tests.fakes import COLOURS, GraphOptions, edit_manifest, encoded, picture, rehash, write_graph
from tests.mosquitto import Mosquitto, needs_mosquitto, until

pytestmark = needs_mosquitto
DULL = [encoded(picture(COLOURS[name])) for name in ("red", "blue", "dark")]
BRIGHT = encoded(picture(COLOURS["bright"]))
SHADOW = {"EDGE_ROLLOUT__SHADOW": "true", "EDGE_ROLLOUT__SHADOW_FRAMES": "10", "EDGE_ROLLOUT__MAX_LATENCY_RATIO": "100"}


def without_golden(folder: Path) -> None:
    edit_manifest(folder, lambda manifest: manifest.update(golden=[]))


def permuted(folder: Path) -> None:
    without_golden(folder)
    permute_labels(folder)


def brittle(folder: Path) -> None:
    write_graph(folder / "model.onnx", GraphOptions(brittle=True))
    without_golden(folder)
    rehash(folder)


class Belt:
    """Sends one picture after the other over HTTP, as a line does, and keeps every label or status."""

    def __init__(self, url: str) -> None:
        self.pictures = DULL
        self.outcomes: list[str] = []
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with httpx.Client() as client:
            while not self._stop.wait(0.002):
                for image in self.pictures:
                    answer = client.post(f"{self._url}/v1/predict", content=image)
                    ok = answer.status_code == 200
                    self.outcomes.append(answer.json()["predictions"][0]["label"] if ok else str(answer.status_code))

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


class Site:
    """A daemon with version 1, its broker, a line of pictures and everything that the broker was told."""

    def __init__(self, folder: Path, daemon: RunningDaemon, listener: Listener, belt: Belt) -> None:
        self.folder = folder
        self.daemon = daemon
        self.listener = listener
        self.belt = belt

    def models(self) -> dict[str, Any]:
        answer = httpx.get(f"{self.daemon.url}/v1/models").json()
        return {entry["version"]: entry for entry in answer["models"]}

    def state(self, version: str) -> str:
        return str(self.models().get(version, {}).get("state"))

    def changes(self) -> list[str]:
        """Return what was published about version 2: ``what version``."""
        told = [body for body in self.listener.on("model") if body["schema"] == "automl-edge/model/1"]
        return [f"{body['change']} {body['model']['version']}" for body in told]


@contextmanager
def site(folder: Path, broker: Mosquitto, **environment: str) -> Iterator[Site]:
    settings = {"EDGE_MQTT__HOST": "127.0.0.1", "EDGE_MQTT__PORT": str(broker.port), "EDGE_ROLLOUT__REHEARSE": "false"}
    with running(folder, mqtt=True, **settings, **environment) as daemon:
        listener, belt = Listener(broker.port), Belt(daemon.url)
        try:
            yield Site(folder, daemon, listener, belt)
        finally:
            belt.close()
            listener.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    started = Mosquitto(tmp_path / "broker").start()
    yield started
    started.stop()


def test_a_good_version_is_promoted(tmp_path: Path, broker: Mosquitto) -> None:
    """Put into the registry, it sees live frames beside the old one, is told about, and serves."""
    register(tmp_path, "1")
    with site(tmp_path, broker, **SHADOW) as plant:
        register(tmp_path, "2")
        until(lambda: plant.state("2") == "current", what="the promotion", within_s=60)
        trial = plant.models()["2"]["trial"]
        until(lambda: "promoted 2" in plant.changes(), what="the event")
        until(lambda: plant.listener.on("state")[-1]["model"]["version"] == "2", what="the state")
        assert {"outcome": "promoted", "frames": 10, "agreement": 1.0, "failures": 0}.items() <= trial.items()
        progress = [body["shadow"] for body in plant.listener.on("state") if body.get("shadow")]
        assert {entry["version"] for entry in progress} == {"2"}
        assert 'shadow_frames_total{outcome="agreed"} 10.0' in httpx.get(f"{plant.daemon.url}/metrics").text
    assert set(plant.belt.outcomes) == {"red", "blue", "dark"}
    assert json.loads((tmp_path / "var" / "state.json").read_text())["judged"][0]["figures"]["frames"] == 10


def test_permuted_labels_are_rejected(tmp_path: Path, broker: Mosquitto) -> None:
    """A version that nothing else would find out: no golden pictures, every label moved by one. Nobody ever sees it."""
    register(tmp_path, "1")
    with site(tmp_path, broker, **SHADOW) as plant:
        register(tmp_path, "2", spoil=permuted)
        until(lambda: plant.state("2") == "rejected", what="the rejection", within_s=60)
        until(lambda: "rejected 2" in plant.changes(), what="the event")
        assert "agreement 0.000, 0.98 is wanted" in plant.models()["2"]["reason"]
        assert plant.daemon.status()["shadow"] is None
        assert plant.daemon.predict(BRIGHT)["model"]["version"] == "1"
    assert set(plant.belt.outcomes) == {"red", "blue", "dark"}
    with site(tmp_path, broker, **SHADOW) as plant:
        assert plant.state("2") == "rejected"
        assert plant.daemon.predict(BRIGHT)["model"]["version"] == "1"


def test_a_version_that_fails_on_live_pictures_is_rolled_back(tmp_path: Path, broker: Mosquitto) -> None:
    """Swapped in without a trial, it fails on bright pictures only: the old one comes back by itself and stays."""
    register(tmp_path, "1")
    with site(tmp_path, broker) as plant:
        register(tmp_path, "2", spoil=brittle)
        until(lambda: plant.state("2") == "current", what="version 2", within_s=60)
        assert plant.daemon.status()["probation"]["version"] == "2"
        plant.belt.pictures = [BRIGHT]
        until(lambda: plant.state("1") == "current", what="the rollback", within_s=60)
        until(lambda: "rolled-back 1" in plant.changes(), what="the event")
        assert "out of data bounds" in plant.models()["2"]["reason"]
        assert plant.models()["2"]["trial"]["outcome"] == "rolled-back"
        assert plant.daemon.predict(BRIGHT)["predictions"][0]["label"] == "bright"
        assert "a model fails on probation" in [line["event"] for line in plant.daemon.logged()]
    assert "500" in plant.belt.outcomes
