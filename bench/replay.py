"""After an outage: how fast 10,000 kept results reach a real broker, and what live predictions notice of it."""

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from bench.broker import broker, keep
from bench.in_process import PICTURES
from bench.load import HOST, Load, drive, request
from bench.pictures import VGA, jpegs
from bench.processes import daemon, free_port
from bench.report import Figure, Report

KEPT = 10_000
ROUNDS = 3
CLIENTS = 8
SECONDS = 4.0
LOOK_S = 0.05
LIMIT_S = 60.0
RESULT = (
    b'{"schema":"automl-edge/result/1","id":"01M7Y69R5J9M7D5K2EKD2TH9SJ","seq":0,"device":"replay","source":"http",'
    b'"captured_at":"2026-11-21T04:37:11.983Z","model":{"name":"metal-surface-defects","version":"1","proven":true},'
    b'"provider":"CPUExecutionProvider","predictions":[{"label":"Pitted","score":0.9568420938930359,"labels":["Crazing",'
    b'"Inclusion","Patches","Pitted","Rolled","Scratches"],"probs":[0.01373006,0.00573726,0.00610483,0.95684209,'
    b'0.00667411,0.01091164]}],"timing_ms":{"queue":0.23,"preprocess":0.917,"inference":2.236,"postprocess":0.14,'
    b'"total":3.523},"replayed":false}'
)


def run(registry: Path) -> Report:
    """Let results wait, bring the broker, and measure the replay and the predictions before and during it."""
    requests = [request("/v1/predict", picture) for picture in jpegs(VGA, PICTURES)]
    rounds = [_round(registry, requests) for _ in range(ROUNDS)]
    rate = statistics.median(one["per_s"] for one in rounds)
    ratio = statistics.median(one["p99_during_ms"] / one["p99_before_ms"] for one in rounds)
    figures = [
        Figure(f"results a second, {KEPT} kept", rate, "/s", 1000, "at least"),
        Figure(f"p99 of predictions during / before, {CLIENTS} clients", ratio, "", 1.2),
    ]
    return Report("replay", figures, {"rounds": [{k: round(v, 2) for k, v in one.items()} for one in rounds]})


def _round(registry: Path, requests: list[bytes]) -> dict[str, float]:
    """Run a daemon that has results waiting: live traffic without a broker, then with one."""
    port = free_port()
    with tempfile.TemporaryDirectory() as storage, ExitStack() as stack:
        keep(Path(storage), "automl-edge/replay/http/result", RESULT, KEPT)
        settings = {
            "EDGE_STORAGE__PATH": storage,
            "EDGE_MQTT__ENABLED": "true",
            "EDGE_MQTT__HOST": HOST,
            "EDGE_MQTT__PORT": str(port),
            "EDGE_MQTT__DEVICE": "replay",
        }
        server = stack.enter_context(daemon(registry, requests[0].partition(b"\r\n\r\n")[2], **settings))
        before = drive(server.port, requests, clients=CLIENTS, seconds=SECONDS)
        stack.enter_context(broker(port))
        with _watched(server.port) as replay:
            during = drive(server.port, requests, clients=CLIENTS, seconds=SECONDS)
            replay.join(LIMIT_S)
        return {
            "per_s": replay.per_s,
            "p99_before_ms": _p99(before),
            "p99_during_ms": _p99(during),
            "p50_before_ms": before.quantile_ms(0.5),
            "p50_during_ms": during.quantile_ms(0.5),
            "live_per_s_before": before.per_s,
            "live_per_s_during": during.per_s,
        }


def _p99(load: Load) -> float:
    if load.failed:
        raise RuntimeError(f"{load.failed} of {load.total} requests failed")
    return load.quantile_ms(0.99)


class _Replay(threading.Thread):
    """Looks at the daemon's outbox until it is empty; ``per_s`` is how fast it was emptied of what had waited."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._url = f"http://{HOST}:{port}/v1/status"
        self.per_s = 0.0

    def run(self) -> None:
        with httpx.Client() as client:
            began, first = 0.0, 0
            while True:
                mqtt: dict[str, Any] = client.get(self._url).json()["mqtt"]
                if not began and mqtt["connected"]:
                    began, first = time.perf_counter(), mqtt["outbox"]
                if began and mqtt["outbox"] < CLIENTS * 2:
                    self.per_s = first / (time.perf_counter() - began)
                    return
                time.sleep(LOOK_S)


@contextmanager
def _watched(port: int) -> Iterator[_Replay]:
    replay = _Replay(port)
    replay.start()
    yield replay
