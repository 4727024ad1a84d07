"""Bad bundles put into the registry of a running daemon in mid traffic: the old model serves on, all are told why."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edge.bundle.manifest import MANIFEST, SIGNATURE
from edge.bundle.signing import generate_key, load_key
from tests.daemon import RunningDaemon, running
from tests.edge.publishers.listener import Listener
from tests.fakes import GraphOptions, edit_manifest, rehash, truncate, write_graph
from tests.faults.logbook import ending
from tests.faults.registered import register
from tests.faults.tally import Scale, Tally
from tests.faults.testbed import ROOT
from tests.faults.traffic import PICTURE, HttpTraffic
from tests.faulty import CRASHES_HERE, make_crashing, make_slow
from tests.mosquitto import Mosquitto, free_port, until

TITLE = "bad bundles"
ROUNDS = 5
LOAD_TIMEOUT_S = 3.0
TOLD_S = 30.0
"""How long it may take until everyone was told; a bundle that is slow to load is given up before."""
SHORTEST_S = 0.2
"""Traffic goes on at least so long after each, so that a late harm is seen."""

Spoil = Callable[[Path], object]


@dataclass(frozen=True, slots=True)
class Bad:
    """A way to be bad. ``inside`` spoils before the bundle is signed, ``outside`` after; ``key`` signs it."""

    name: str
    inside: Spoil = lambda _: None
    outside: Spoil = lambda _: None
    key: str | None = "trusted"


def _flip_byte(folder: Path) -> None:
    """Change the model's content, not its size."""
    path = folder / "model.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _rehashed(change: Spoil) -> Spoil:
    def spoil(folder: Path) -> None:
        change(folder)
        rehash(folder)

    return spoil


def _labels(change: Callable[[list[str]], list[str]]) -> Spoil:
    def write(folder: Path) -> None:
        path = folder / "labels.json"
        path.write_text(json.dumps(change(json.loads(path.read_text()))))

    return _rehashed(write)


def _golden(folder: Path) -> None:
    def swap(manifest: dict[str, Any]) -> None:
        first, second = (manifest["golden"][place]["expected"] for place in (0, 1))
        first["labels"], second["labels"] = second["labels"], first["labels"]

    edit_manifest(folder, swap)


BAD = (
    Bad("truncated", outside=lambda folder: truncate(folder / "model.onnx")),
    Bad("file missing", outside=lambda folder: (folder / "labels.json").unlink()),
    Bad("hash wrong", outside=_flip_byte),
    Bad("graph truncated, hash right", _rehashed(lambda folder: truncate(folder / "model.onnx"))),
    Bad("graph is noise", _rehashed(lambda folder: (folder / "model.onnx").write_bytes(b"\x08\x07noise" * 99))),
    Bad("graph of another size", _rehashed(lambda folder: write_graph(folder / "model.onnx", GraphOptions(crop=8)))),
    Bad("labels in another order", _labels(lambda labels: labels[::-1])),
    Bad("a label too few", _labels(lambda labels: labels[:-1])),
    Bad("golden wrong", _golden),
    Bad("manifest truncated", outside=lambda folder: truncate(folder / MANIFEST)),
    Bad("of another family", lambda folder: edit_manifest(folder, lambda m: m.update(family="yolov5"))),
    Bad("unsigned", key=None),
    Bad("signed by a stranger", key="stranger"),
    Bad("changed after signing", outside=lambda folder: edit_manifest(folder, lambda m: m.update(metrics={"a": 1}))),
    Bad("slow to load", make_slow),
    *([Bad("crashing the loader", make_crashing)] if CRASHES_HERE else []),
)


@dataclass(frozen=True, slots=True)
class Key:
    """A key pair: the private one in a file, the public one as text."""

    file: Path
    public: str

    def sign(self, folder: Path) -> None:
        """Sign whatever manifest there is, as nobody with our own command could."""
        value = load_key(self.file).sign((folder / MANIFEST).read_bytes())
        signature = {"key": self.public, "signature": base64.b64encode(value).decode()}
        document = {"schema": "automl-edge/signature/1", "signatures": [signature]}
        (folder / SIGNATURE).write_text(json.dumps(document))


def _new_key(file: Path) -> Key:
    return Key(file, generate_key(file))


def run(scale: Scale) -> Tally:
    """Put one after the other into the registry; then a good one, which is taken."""
    keys = {name: _new_key(scale.folder / f"{name}.pem") for name in ("trusted", "stranger")}
    register(scale.folder, "1", spoil=keys["trusted"].sign)
    broker = Mosquitto(scale.folder / "broker", free_port()).start()
    try:
        settings = {
            "EDGE_MQTT__HOST": "127.0.0.1",
            "EDGE_MQTT__PORT": str(broker.port),
            "EDGE_ROLLOUT__LOAD_TIMEOUT_S": str(LOAD_TIMEOUT_S),
        }
        config = scale.folder / "edge.toml"
        config.write_text(f"[registry]\ntrusted_keys = [{json.dumps(keys['trusted'].public)}]\n")
        with (
            Listener(broker.port, f"{ROOT}/#") as listener,
            running(scale.folder, config=config, mqtt=True, **settings) as daemon,
        ):
            until(lambda: daemon.status()["mqtt"]["connected"], what="the connection to the broker")
            return _tried(scale, Told(daemon, scale.folder, listener), keys)
    finally:
        broker.stop()


@dataclass(frozen=True, slots=True)
class Told:
    """Looks for the reason in all the places where it must show."""

    daemon: RunningDaemon
    folder: Path
    listener: Listener

    def missing(self, version: str) -> list[str]:
        """Return where nothing is told of a refused version."""
        places = {
            "/v1/status": self._tells(self.daemon.status(), version),
            "the log": any(f"colours:{version}" in line or f"colours/{version}" in line for line in self._log()),
            "the topic state": any(self._tells(state, version) for state in self.listener.json("/state")),
            "the topic model": any(
                event["change"] == "refused" and event["model"]["version"] == version and event["reason"]
                for event in self.listener.json(f"{ROOT}/model")
            ),
        }
        return [place for place, told in places.items() if not told]

    def _log(self) -> list[str]:
        lines = (self.folder / "stderr").read_text(errors="replace").splitlines()
        return [line for line in lines if '"reason"' in line]

    @staticmethod
    def _tells(state: Any, version: str) -> bool:
        return any(entry["version"] == version and entry["reason"] for entry in state.get("refused", ()))


def _tried(scale: Scale, told: Told, keys: dict[str, Key]) -> Tally:
    problems: list[str] = []
    slowest: tuple[float, str] = (0.0, "")
    tried = 0
    traffic = HttpTraffic(told.daemon.port)
    with traffic:
        for bad in BAD * scale.of(ROUNDS):
            tried += 1
            version = str(tried + 1)
            began = time.monotonic()
            register(scale.folder, version, spoil=partial(_spoil, bad, keys))
            problems += [f"{bad.name}: {problem}" for problem in _waited(told, version)]
            slowest = max(slowest, (time.monotonic() - began, bad.name))
            time.sleep(SHORTEST_S)
        last = str(tried + 2)
        register(scale.folder, last, spoil=keys["trusted"].sign)
        problems += _taken(told.daemon, last)
    answers = sum(traffic.answers.values())
    good = traffic.answers.get(200, 0)
    problems += ending(told.daemon, scale.folder)
    notes = (
        f"{', '.join(bad.name for bad in BAD)}; the slowest to be told of was {slowest[1]!r}, {slowest[0]:.1f} s",
        f"longest answer meanwhile {traffic.longest_s:.2f} s",
    )
    return Tally(TITLE, tried, answers, good, 0, answers - good, notes=notes).with_problems(problems)


def _spoil(bad: Bad, keys: dict[str, Key], folder: Path) -> None:
    bad.inside(folder)
    if bad.key is not None:
        keys[bad.key].sign(folder)
    bad.outside(folder)


def _waited(told: Told, version: str) -> Iterator[str]:
    """Wait until everyone is told of a version; yield what was not as it must be."""
    deadline = time.monotonic() + TOLD_S
    while (missing := told.missing(version)) and time.monotonic() < deadline:
        time.sleep(0.05)
    if missing:
        yield f"no reason in {', '.join(missing)}"
    answer = told.daemon.predict(PICTURE)
    if answer["model"]["version"] != "1" or answer["predictions"][0]["label"] != "red":
        yield f"{answer['model']} answered {answer['predictions'][0]['label']}"


def _taken(daemon: RunningDaemon, version: str) -> list[str]:
    """Wait for a good version after all the bad ones."""
    deadline = time.monotonic() + TOLD_S
    while time.monotonic() < deadline:
        if daemon.status()["model"]["version"] == version:
            return []
        time.sleep(0.05)
    return ["a good version was not taken after the bad ones"]
