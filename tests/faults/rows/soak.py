"""Traffic from three sides for a long time and one model swap after the other: memory flat, nothing leaked or lost.

The short form swaps more often, so that its minute has as many swaps as five minutes of the long one.
"""

import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.daemon import RunningDaemon, running
from tests.faults.footprint import Memory, footprint, growth
from tests.faults.logbook import ending
from tests.faults.registered import register
from tests.faults.tally import Scale, Tally
from tests.faults.testbed import ROOT
from tests.faults.traffic import FolderTraffic, HttpTraffic, MqttTraffic, owed
from tests.mosquitto import Mosquitto, free_port, until

TITLE = "soak with model swaps"
BESIDE = True
"""It judges what is left after a long time, not how fast anything went."""
FULL_S, SHORT_S = 1200.0, 50.0
SWAP_FULL_S, SWAP_SHORT_S = 10.0, 2.0
WARMUP_SHARE = 0.3
WINDOW_SHARE = 0.2
"""Memory is judged by the median of the resident memory in the first and in the last fifth after the warm-up."""
FLAT_FULL, FLAT_SHORT = 0.05, 0.10
"""Allowed growth between them. A minute has too few samples for the promise of a long run, so that it has more room."""
KEPT_VERSIONS = 4
THREADS, FILES = 2, 4
STORED_FILES = 12
"""Allowed difference of the files in the store: a bundle that is being fetched, the outbox's own."""
TAKEN_SHARE = 0.8
LAST_S = 30.0


class Receiver:
    """Somebody at the broker who notes every result, and nothing else of it than who and which."""

    def __init__(self, port: int) -> None:
        self.pictures: set[tuple[str, str]] = set()
        self.ids: Counter[str] = Counter()
        self.activated = 0
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _c, _u, message: self._take(message)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.subscribe([(f"{ROOT}/+/result", 1), (f"{ROOT}/model", 1)])

    def __enter__(self) -> "Receiver":
        self._client.loop_start()
        assert self._subscribed.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _take(self, message: paho.MQTTMessage) -> None:
        found = json.loads(message.payload)
        if message.topic.endswith("/model"):
            self.activated += found["change"] == "activated"
            return
        self.ids[found["id"]] += 1
        self.pictures.add((found["source"], found.get("correlation_id") or found.get("name") or ""))


@dataclass
class Swaps:
    """Registers one version after the other; those long replaced leave the registry again."""

    folder: Path
    number: int = 1

    def next(self) -> None:
        """Put the next version in."""
        self.number += 1
        register(self.folder, str(self.number))
        old = self.folder / "models" / "colours" / str(self.number - KEPT_VERSIONS)
        shutil.rmtree(old, ignore_errors=True)


def run(scale: Scale) -> Tally:
    """Let it run; then everything that was owed has come, and nothing is more than after the warm-up."""
    inbox = scale.folder / "inbox"
    inbox.mkdir()
    register(scale.folder, "1")
    config = scale.folder / "edge.toml"
    config.write_text(
        f'[[source]]\nname = "inbox"\nkind = "folder"\npath = {json.dumps(str(inbox))}\n'
        'after = "delete"\npoll_s = 0.05\n'
    )
    with ExitStack() as stack:
        broker = Mosquitto(scale.folder / "broker", free_port()).start()
        stack.callback(broker.stop)
        receiver = stack.enter_context(Receiver(broker.port))
        settings = {"EDGE_MQTT__HOST": "127.0.0.1", "EDGE_MQTT__PORT": str(broker.port)}
        daemon = stack.enter_context(running(scale.folder, config=config, mqtt=True, **settings))
        until(lambda: daemon.status()["mqtt"]["connected"], what="the connection to the broker")
        traffic = (
            HttpTraffic(daemon.port, rate=60),
            FolderTraffic(inbox, rate=20),
            MqttTraffic(broker.port, ROOT, rate=20),
        )
        return _soaked(scale, daemon, receiver, traffic)


def _soaked(
    scale: Scale,
    daemon: RunningDaemon,
    receiver: Receiver,
    traffic: tuple[HttpTraffic, FolderTraffic, MqttTraffic],
) -> Tally:
    pid, store = daemon.process.pid, scale.folder / "var"
    whole_s, every_s = (FULL_S, SWAP_FULL_S) if scale.full else (SHORT_S, SWAP_SHORT_S)
    warm_s = whole_s * WARMUP_SHARE
    swaps = Swaps(scale.folder)
    with ExitStack() as stack:
        memory = stack.enter_context(Memory(pid))
        for one in traffic:
            stack.enter_context(one)
        began = time.monotonic()
        _swap(swaps, every_s, until=began + warm_s)
        _quiet(daemon)
        before, stored = footprint(pid), _files(store)
        _swap(swaps, every_s, until=began + whole_s)
        ended = time.monotonic()
    _quiet(daemon)
    names = owed(*traffic)
    _wait_for(names, receiver)
    first = memory.median_mib(began + warm_s, began + warm_s + whole_s * WINDOW_SHARE)
    last = memory.median_mib(ended - whole_s * WINDOW_SHARE, ended)
    allowed = FLAT_FULL if scale.full else FLAT_SHORT
    more, after = growth(pid, before, memory_mib=before.memory_mib, threads=THREADS, files=FILES)
    kept = _files(store)
    problems = [*more, *_leaks(stored, kept), *_swaps_missing(swaps, receiver), *_http(traffic[0])]
    if last > first * (1 + allowed):
        problems.append(f"memory grew by {last / first - 1:.1%}, from {first:.1f} to {last:.1f} MiB")
    notes = (
        f"{whole_s:.0f} s with {receiver.activated} swaps; memory {first:.1f} MiB (median after the warm-up) "
        f"and {last:.1f} MiB (of the last fifth): {last / first - 1:+.1%}, allowed {allowed:.0%} in this form",
        f"after the warm-up {before}, {len(stored)} files stored; in the end {after}, {len(kept)} files stored",
    )
    delivered = len(names & receiver.pictures)
    twice = sum(count - 1 for count in receiver.ids.values())
    tally = Tally(TITLE, swaps.number - 1, len(names), delivered, twice, len(names) - delivered, notes=notes)
    return tally.with_problems([*problems, *ending(daemon, scale.folder)])


def _swap(swaps: Swaps, every_s: float, *, until: float) -> None:
    """Put a version in every so often."""
    due = time.monotonic()
    while (due := due + every_s) < until:
        swaps.next()
        time.sleep(max(0.0, due - time.monotonic()))


def _quiet(daemon: RunningDaemon) -> None:
    """Wait until no version is on its way."""
    until(lambda: daemon.status()["update"] is None, within_s=LAST_S, what="the end of a swap")


def _wait_for(names: frozenset[tuple[str, str]], receiver: Receiver) -> None:
    deadline = time.monotonic() + LAST_S
    while not names <= receiver.pictures and time.monotonic() < deadline:
        time.sleep(0.1)


def _files(store: Path) -> Sequence[Path]:
    return [path for path in store.rglob("*") if path.is_file()]


def _leaks(before: Sequence[Path], after: Sequence[Path]) -> list[str]:
    grown = len(after) > len(before) + STORED_FILES
    return [f"files in the store grew from {len(before)} to {len(after)}"] if grown else []


def _swaps_missing(swaps: Swaps, receiver: Receiver) -> list[str]:
    wanted = swaps.number
    few = receiver.activated < TAKEN_SHARE * wanted
    return [f"only {receiver.activated} of {wanted} versions came to serve"] if few else []


def _http(traffic: HttpTraffic) -> list[str]:
    return [f"HTTP answered {count} x {status}" for status, count in traffic.answers.items() if status != 200]
