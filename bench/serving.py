"""Over HTTP, as a share of the same path in one process and as a multiple of a plain server; in turns, in one run."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.in_process import PICTURES
from bench.load import Load, drive, request
from bench.pictures import VGA, jpegs
from bench.processes import InProcess, Server, cpu_s, daemon, in_process, newest_bundle, plain_server
from bench.report import Figure, Report

CLIENTS = (8, 32)
ROUNDS = 5
SECONDS = 1.5

Reached = Mapping[str, float]
"""Numbers by what they are: ``per_s``, ``cpu_ms``, ``p50_ms``."""
Samples = Mapping[str, list[Reached]]
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
            figures += _figures(samples, clients)
            details[f"{clients} clients"] = _rounded(samples)
        samples = _latency(ours, plain, limit, pictures)
        p50 = _ratio(samples, "p50_ms", "http", "in_process")
        figures.append(Figure("HTTP / in-process, p50 of one client", p50, "", 1.25))
        details["one client"] = _rounded(samples)
    return Report("http", figures, details)


def _figures(samples: Samples, clients: int) -> list[Figure]:
    """Return the ratios of throughput, with their targets, and of processor time a picture, without."""
    pairs = (("in_process", "in-process", 0.85), ("plain", "plain server", 1.15))
    found = []
    for key, name, target in pairs:
        title = f"HTTP / {name}, {clients} clients"
        found.append(Figure(title, _ratio(samples, "per_s", "http", key), "", target, "at least"))
        found.append(Figure(f"{title}, CPU time a picture", _ratio(samples, "cpu_ms", "http", key)))
    return found


def _throughput(ours: Server, plain: Server, limit: InProcess, pictures: Sequence[bytes], clients: int) -> Samples:
    """Return pictures a second, and milliseconds of processor time a picture, which a busy machine disturbs less."""

    def served(server: Server) -> Reached:
        before = cpu_s(server.pid)
        load = _load(server, pictures, clients)
        return {"per_s": load.per_s, "cpu_ms": (cpu_s(server.pid) - before) * 1e3 / load.total}

    def direct() -> Reached:
        before = cpu_s(limit.pid)
        answer = limit.measure("lanes", SECONDS)
        return {"per_s": answer["per_s"], "cpu_ms": (cpu_s(limit.pid) - before) * 1e3 / answer["pictures"]}

    return _in_turns({"http": lambda: served(ours), "in_process": direct, "plain": lambda: served(plain)})


def _latency(ours: Server, plain: Server, limit: InProcess, pictures: Sequence[bytes]) -> Samples:
    def served(server: Server) -> Reached:
        return {"p50_ms": _load(server, pictures, 1).quantile_ms(0.5)}

    return _in_turns(
        {
            "http": lambda: served(ours),
            "in_process": lambda: limit.measure("alone", SECONDS),
            "plain": lambda: served(plain),
        }
    )


def _in_turns(contenders: Mapping[str, Callable[[], Reached]]) -> Samples:
    """Measure each contender once a round; the next round begins with another one."""
    samples: dict[str, list[Reached]] = {name: [] for name in contenders}
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


def _ratio(samples: Samples, what: str, above: str, below: str) -> float:
    return statistics.median(a[what] / b[what] for a, b in zip(samples[above], samples[below], strict=True))


def _rounded(samples: Samples) -> dict[str, list[dict[str, float]]]:
    return {
        name: [{what: round(v, 2) for what, v in reached.items()} for reached in rounds]
        for name, rounds in samples.items()
    }
