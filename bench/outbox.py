"""What it costs that results are kept on the disk until the broker has them: throughput over HTTP, in turns."""

import statistics
from contextlib import ExitStack
from pathlib import Path

from bench.broker import broker
from bench.in_process import PICTURES
from bench.load import drive, request
from bench.pictures import VGA, jpegs
from bench.processes import Server, cpu_s, daemon, free_port
from bench.report import Figure, Report

CLIENTS = 8
ROUNDS = 9
SECONDS = 1.5
KINDS = {
    "disk": {"EDGE_MQTT__ENABLED": "true", "EDGE_MQTT__QUEUE_STORE": "disk"},
    "memory": {"EDGE_MQTT__ENABLED": "true", "EDGE_MQTT__QUEUE_STORE": "memory"},
    "off": {"EDGE_MQTT__ENABLED": "false"},
}
"""Results kept on the disk, in memory, not at all (no MQTT)."""

Samples = dict[str, list[dict[str, float]]]


def run(registry: Path) -> Report:
    """Measure pictures a second with 8 clients: with the outbox on the disk, in memory, and without MQTT."""
    pictures, port = jpegs(VGA, PICTURES), free_port()
    requests = [request("/v1/predict", picture) for picture in pictures]
    samples: Samples = {kind: [] for kind in KINDS}
    with ExitStack() as stack:
        stack.enter_context(broker(port))
        servers = {}
        for kind, settings in KINDS.items():
            own = {"EDGE_MQTT__HOST": "127.0.0.1", "EDGE_MQTT__PORT": str(port), "EDGE_MQTT__DEVICE": kind, **settings}
            servers[kind] = stack.enter_context(daemon(registry, pictures[0], **own))
        order = list(KINDS)
        for _ in range(ROUNDS):
            for kind in order:
                samples[kind].append(_measure(servers[kind], requests))
            order = [*order[1:], order[0]]
    figures = []
    for below in ("memory", "off"):
        name = {"memory": "outbox in memory", "off": "without MQTT"}[below]
        title = f"HTTP with the outbox on the disk / {name}, {CLIENTS} clients"
        figures.append(Figure(title, _ratio(samples, "per_s", below), "", 0.95, "at least"))
        figures.append(Figure(f"{title}, CPU time a picture", _ratio(samples, "cpu_ms", below)))
        figures.append(Figure(f"{title}, p99", _ratio(samples, "p99_ms", below)))
    return Report("outbox", figures, {f"{CLIENTS} clients": _rounded(samples)})


def _measure(server: Server, requests: list[bytes]) -> dict[str, float]:
    before = cpu_s(server.pid)
    load = drive(server.port, requests, clients=CLIENTS, seconds=SECONDS)
    if load.failed:
        raise RuntimeError(f"{load.failed} of {load.total} requests failed")
    cpu_ms = (cpu_s(server.pid) - before) * 1e3 / load.total
    return {"per_s": load.per_s, "cpu_ms": cpu_ms, "p99_ms": load.quantile_ms(0.99)}


def _ratio(samples: Samples, what: str, below: str) -> float:
    return statistics.median(a[what] / b[what] for a, b in zip(samples["disk"], samples[below], strict=True))


def _rounded(samples: Samples) -> dict[str, list[dict[str, float]]]:
    return {kind: [{k: round(v, 2) for k, v in one.items()} for one in rounds] for kind, rounds in samples.items()}
