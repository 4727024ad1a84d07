"""Ten times the load that it can take: bounded memory, 200 or 503, triggers before HTTP before streams, recovery."""

import json
import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.load import drive
from tests.daemon import RunningDaemon, running
from tests.edge.publishers.listener import Listener
from tests.fakes import GraphOptions
from tests.faults.flood import Flood, Flooded
from tests.faults.footprint import Memory, footprint, growth
from tests.faults.logbook import ending
from tests.faults.probe import REQUEST, Probe
from tests.faults.registered import register
from tests.faults.tally import Scale, Tally
from tests.faults.testbed import ROOT
from tests.faults.traffic import PICTURE, MqttTraffic
from tests.mosquitto import Mosquitto, free_port, until

TITLE = "ten times the load"
FLOOD_S = 60
FACTOR = 10
LEAST_FACTOR = 5.0
"""What must really have been sent for the row to mean anything, as a multiple of what the daemon can take."""
SLOWNESS = 200
"""Some 50 pictures a second: ten times as many are no work for who sends them, though each refusal is held back."""
DEADLINE_S = 5.0
SLACK_S = 3.0
FILLED_S = 1.5
"""From then on the queue is full, and who goes first can be seen."""
CALM_S = 2.0
WATCH_S = 20.0
RECOVERED = 1.5
RECOVERY_S = 10.0
PEAK_MIB = 256.0
"""Allowed growth at the peak: 2,048 connections with a request each, and a full queue."""
AFTER_MIB = 64.0
THREADS = 2
TRIGGER_RATE = 2.0
STREAM_FPS = 5.0


def run(scale: Scale) -> Tally:
    """Flood it over HTTP while triggers come over MQTT and a stream plays; then watch it recover."""
    register(scale.folder, "1", graph=GraphOptions(slowness=SLOWNESS))
    broker = Mosquitto(scale.folder / "broker", free_port()).start()
    try:
        settings = {
            "EDGE_MQTT__HOST": "127.0.0.1",
            "EDGE_MQTT__PORT": str(broker.port),
            "EDGE_HTTP__DEADLINE_S": str(DEADLINE_S),
        }
        with (
            Listener(broker.port, f"{ROOT}/+/result") as listener,
            running(scale.folder, config=_stream(scale.folder), mqtt=True, **settings) as daemon,
        ):
            until(lambda: daemon.status()["mqtt"]["connected"], what="the connection to the broker")
            return _flooded(scale, daemon, broker.port, listener)
    finally:
        broker.stop()


def _stream(folder: Path) -> Path:
    """Return the configuration of a camera that nobody waits for."""
    played = folder / "played"
    played.mkdir()
    (played / "a.png").write_bytes(PICTURE)
    config = folder / "edge.toml"
    config.write_text(
        f'[[source]]\nname = "line"\nkind = "playback"\npath = {json.dumps(str(played))}\n'
        f"fps = {STREAM_FPS}\nloop = true\n"
    )
    return config


def _flooded(scale: Scale, daemon: RunningDaemon, broker_port: int, listener: Listener) -> Tally:
    capacity = drive(daemon.port, [REQUEST], clients=8, seconds=CALM_S).per_s
    camera = MqttTraffic(broker_port, ROOT, rate=TRIGGER_RATE)
    with Probe(daemon.port) as probe, camera:
        time.sleep(CALM_S)
        before = footprint(daemon.process.pid)
        calm_s = probe.median_s(time.monotonic() - CALM_S, time.monotonic())
        began = datetime.now(UTC)
        flood = Flood(daemon.port, REQUEST, FACTOR * capacity)
        with Memory(daemon.process.pid) as memory:
            found = flood.run(scale.of(FLOOD_S))
        waits = _waits(listener, began + timedelta(seconds=FILLED_S), began + timedelta(seconds=scale.of(FLOOD_S)))
        recovery_s = _recovery_s(probe, flood.ended, calm_s or 0.0)
    until(lambda: _triggers(listener) >= len(camera.owed), within_s=30, what="the triggers' results")
    more, after = growth(daemon.process.pid, before, memory_mib=AFTER_MIB, threads=THREADS, files=4)
    wrong = _wrong(found, capacity, scale.of(FLOOD_S)) + _order(waits) + more + ending(daemon, scale.folder)
    if memory.peak_mib > before.memory_mib + PEAK_MIB:
        wrong.append(f"memory rose from {before.memory_mib:.0f} to {memory.peak_mib:.0f} MiB")
    if recovery_s is None or recovery_s > RECOVERY_S:
        wrong.append(f"not as quick as before within {RECOVERY_S} s after the flood")
    good = found.answered - found.without_retry_after
    notes = (
        f"it can take {capacity:.0f} pictures/s, sent were {found.sent / scale.of(FLOOD_S):.0f}/s; "
        + ", ".join(f"{len(took)} x {status} (longest {max(took):.1f} s)" for status, took in found.seconds.items()),
        "median wait: " + ", ".join(f"{name} {ms:.0f} ms of {count}" for name, (count, ms) in waits.items()),
        f"before {before}; peak {memory.peak_mib:.0f} MiB; in the end {after}",
    )
    owed = found.sent + len(camera.owed)
    lost = found.sent - good + len(camera.owed) - min(_triggers(listener), len(camera.owed))
    return Tally(TITLE, 1, owed, owed - lost, 0, lost, recovery_s, notes=notes).with_problems(wrong)


def _wrong(found: Flooded, capacity: float, seconds: float) -> list[str]:
    wrong = [f"{count} x {fault}" for fault, count in found.faults.items()]
    wrong += [
        f"{len(took)} were answered with {status}" for status, took in found.seconds.items() if status not in (200, 503)
    ]
    wrong += [f"{found.without_retry_after} x 503 without Retry-After"] if found.without_retry_after else []
    late = [status for status in found.seconds if found.longest_s(status) > DEADLINE_S + SLACK_S]
    wrong += [f"an answer {status} took {found.longest_s(status):.1f} s" for status in late]
    if found.sent < LEAST_FACTOR * capacity * seconds:
        wrong.append(
            f"this machine could send only {found.sent / seconds:.0f}/s, no {LEAST_FACTOR:g} x {capacity:.0f}/s"
        )
    return wrong


def _waits(listener: Listener, since: datetime, until: datetime) -> dict[str, tuple[int, float]]:
    """Return how many pictures of that time each source got answered, and the median of their wait in milliseconds."""
    waits: dict[str, list[float]] = {"camera": [], "http": [], "line": []}
    for result in listener.json("/result"):
        if since <= datetime.fromisoformat(result["captured_at"]) < until:
            waits[result["source"]].append(result["timing_ms"].get("queue", 0.0))
    return {source: (len(found), statistics.median(found) if found else 0.0) for source, found in waits.items()}


def _order(waits: dict[str, tuple[int, float]]) -> list[str]:
    """Return where who goes first did not: triggers before HTTP before streams."""
    (_, trigger), (_, http), (streamed, stream) = (waits[source] for source in ("camera", "http", "line"))
    wrong = [f"triggers waited {trigger:.0f} ms, HTTP {http:.0f} ms"] if trigger >= http else []
    overtaken = streamed > 0 and stream < trigger
    return [*wrong, f"streams waited {stream:.0f} ms, triggers {trigger:.0f} ms"] if overtaken else wrong


def _recovery_s(probe: Probe, ended: float, calm_s: float) -> float | None:
    """Return how long after the flood the first second began to end in which everything was as quick as before."""
    for second in range(int(WATCH_S)):
        since = ended + second
        while time.monotonic() < since + 1 + RECOVERED * calm_s:
            time.sleep(0.02)
        median_s = probe.median_s(since, since + 1)
        if median_s is not None and median_s <= RECOVERED * calm_s:
            return float(second + 1)
    return None


def _triggers(listener: Listener) -> int:
    return sum(message.topic.endswith("/camera/result") for message in list(listener.messages))
