"""The daemon as a process, asked for far more than it can do."""

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bench.load import Load, drive, request
from tests.daemon import RunningDaemon, running
from tests.edge.daemon.test_run import BLUE, RED, Listener
from tests.fakes import GraphOptions, make_bundle
from tests.mosquitto import until

CLIENTS = 100
QUEUE = 80
"""Holds 72 requests, and the largest that is allowed by default."""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RunningDaemon]:
    """Serves a model that takes some 20 ms a picture, with an embedded broker."""
    make_bundle(tmp_path / "models" / "colours" / "1", graph=GraphOptions(slowness=20))
    with running(tmp_path, mqtt=True, EDGE_BATCHING__QUEUE_SIZE=str(QUEUE)) as started:
        yield started


def test_a_flood_is_answered_or_refused_and_a_trigger_goes_through(daemon: RunningDaemon) -> None:
    """Each client gets an answer or a 503 in time; probes are answered, a trigger overtakes; then all is as before."""
    assert daemon.status()["execution"] == {"shape": "lanes", "queued": 0, "capacity": QUEUE, "overloaded": False}
    loads: list[Load] = []
    flood = threading.Thread(target=lambda: loads.append(_flood(daemon.port)))
    listener = Listener(daemon.mqtt_port)
    try:
        flood.start()
        until(lambda: daemon.status()["execution"]["overloaded"], what="overload")
        assert httpx.get(f"{daemon.url}/readyz").status_code == 200
        assert httpx.get(f"{daemon.url}/metrics").status_code == 200
        listener.send("press/image/part-1", BLUE)
        until(lambda: listener.on("press/result"), what="the trigger's result")
        queued_ms = listener.on("press/result")[0]["timing_ms"]["queue"]
        flood.join()
    finally:
        listener.close()
    (load,) = loads
    assert load.broken == 0
    assert load.failed > 0
    assert queued_ms < load.quantile_ms(0.5)
    assert load.quantile_ms(1.0) < 10_000
    assert daemon.predict(RED)["predictions"][0]["label"] == "red"
    assert daemon.status()["execution"]["queued"] == 0


def _flood(port: int) -> Load:
    return drive(port, [request("/v1/predict", RED)], clients=CLIENTS, seconds=2.0, gap_s=0.0, stubborn=True)
