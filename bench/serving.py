"""Over HTTP, as a share of the same path in one process and as a multiple of a plain server; in turns, in one run."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.in_process import PICTURES
from bench.load import Load, drive, request
from bench.pictures import VGA, jpegs
from bench.processes import InProcess, Server, daemon, in_process, newest_bundle, plain_server
from bench.report import Figure, Report

CLIENTS = (8, 32)
ROUNDS = 3
SECONDS = 2.0

Samples = Mapping[str, list[float]]
"""What each contender reached, one entry a round."""


def run(registry: Path) -> Report:
    """Measure throughput with 8 and 32 clients and the latency of one."""
    pictures = jpegs(VGA, PICTURES)
    bundle = newest_bundle(registry)
    with (
        daemon(registry, pictures[0]) as ours,
        plain_server(bundle, pictures[0]) as plain,
        in_process(bundle) as limit,
    ):
        figures: list[Figure] = []
        details: dict[str, Any] = {"model": str(bundle)}
        for clients in CLIENTS:
            samples = _throughput(ours, plain, limit, pictures, clients)
            figures.append(
                Figure(
                    f"HTTP / in-process, {clients} clients", _ratio(samples, "http", "in_process"), "", 0.85, "at least"
                )
            )
            figures.append(
                Figure(
                    f"HTTP / plain server, {clients} clients", _ratio(samples, "http", "plain"), "", 1.15, "at least"
                )
            )
            details[f"{clients} clients, pictures/s"] = _rounded(samples)
        samples = _latency(ours, plain, limit, pictures)
        figures.append(Figure("HTTP / in-process, p50 of one client", _ratio(samples, "http", "in_process"), "", 1.25))
        details["one client, p50 ms"] = _rounded(samples)
    return Report("http", figures, details)


def _throughput(ours: Server, plain: Server, limit: InProcess, pictures: Sequence[bytes], clients: int) -> Samples:
    return _in_turns(
        {
            "http": lambda: _load(ours, pictures, clients).per_s,
            "in_process": lambda: limit.measure("lanes", SECONDS),
            "plain": lambda: _load(plain, pictures, clients).per_s,
        }
    )


def _latency(ours: Server, plain: Server, limit: InProcess, pictures: Sequence[bytes]) -> Samples:
    return _in_turns(
        {
            "http": lambda: _load(ours, pictures, 1).quantile_ms(0.5),
            "in_process": lambda: limit.measure("alone", SECONDS),
            "plain": lambda: _load(plain, pictures, 1).quantile_ms(0.5),
        }
    )


def _in_turns(contenders: Mapping[str, Callable[[], float]]) -> Samples:
    """Measure each contender once a round; the next round begins with another one."""
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders)
    for _ in range(ROUNDS):
        for name in order:
            samples[name].append(contenders[name]())
        order = [*order[1:], order[0]]
    return samples


def _load(server: Server, pictures: Sequence[bytes], clients: int) -> Load:
    load = drive(server.port, [request(server.path, data) for data in pictures], clients=clients, seconds=SECONDS)
    if load.failed or not load.latencies_ms:
        raise RuntimeError(f"{load.failed} of {load.failed + len(load.latencies_ms)} requests to {server.path} failed")
    return load


def _ratio(samples: Samples, above: str, below: str) -> float:
    return statistics.median(a / b for a, b in zip(samples[above], samples[below], strict=True))


def _rounded(samples: Samples) -> dict[str, list[float]]:
    return {name: [round(value, 2) for value in values] for name, values in samples.items()}
