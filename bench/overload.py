"""More than the daemon can take: what it still answers, how late, in how much memory, and how soon it is well again.

Clients ask in a closed loop, and again at once whatever they are told, which no good client does.
"""

import statistics
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.in_process import PICTURES
from bench.load import drive, request
from bench.pictures import VGA, jpegs
from bench.processes import Server, cpu_s, daemon, newest_bundle
from bench.report import Figure, Report

SATURATING = 32
"""Clients that keep the daemon busy; ten times as many are more than its queue takes."""
ROUNDS = 3
SECONDS = 4.0
WARMUP_S = 1.0
GAP_S = 0.001
RECOVERED = 1.5
"""How much slower than before a lone client may be served to call the daemon well again."""
ASKED = 10
"""Answers that a median is taken of while watching the recovery."""
GIVE_UP_S = 30.0
DEADLINE_S = 10.0
"""The daemon's own, by default."""
ONCE, TENFOLD = "1x", "10x"
ONCE_ANEW, TENFOLD_ANEW = "1x, each time a new connection", "10x, each time a new connection"


@dataclass(frozen=True, slots=True)
class Way:
    """How many clients ask, and whether they connect anew each time."""

    times: int
    close: bool = False


WAYS = {
    ONCE: Way(1),
    "3x": Way(3),
    TENFOLD: Way(10),
    ONCE_ANEW: Way(1, close=True),
    TENFOLD_ANEW: Way(10, close=True),
}
Row = Mapping[str, float]


def run(registry: Path) -> Report:
    """Measure goodput, latency of good answers, memory and recovery at 1, 3 and 10 times the saturating clients."""
    pictures = jpegs(VGA, PICTURES)
    with daemon(registry, pictures[0]) as server, _Memory(server) as memory:
        lone = [request(server.path, data) for data in pictures]
        normal_ms = drive(server.port, lone, clients=1, seconds=2.0).quantile_ms(0.5)
        idle_mib = memory.now()
        rows: dict[str, list[Row]] = {name: [] for name in WAYS}
        for _ in range(ROUNDS):
            for name, way in WAYS.items():
                rows[name].append(
                    _flood(server, [request(server.path, data, close=way.close) for data in pictures], way)
                )
        recovery_s = _recovery_s(server, lone[0], normal_ms)
    figures = [
        Figure("goodput, 10x / 1x the clients", _ratio(rows, TENFOLD, ONCE), "", 0.8, "at least"),
        Figure(
            "goodput, 10x / 1x, each time a new connection", _ratio(rows, TENFOLD_ANEW, ONCE_ANEW), "", 0.8, "at least"
        ),
        Figure("CPU time a good answer, 10x / 1x", _ratio(rows, TENFOLD, ONCE, "cpu_ms")),
        Figure(
            "CPU time a good answer, 10x / 1x, each time a new connection",
            _ratio(rows, TENFOLD_ANEW, ONCE_ANEW, "cpu_ms"),
        ),
        Figure("p99 of good answers, 10x", _worst(rows[TENFOLD], "p99_ms") / 1e3, "s", DEADLINE_S),
        Figure("connections closed without an answer", sum(_worst(of, "broken") for of in rows.values()), "", 0.0),
        Figure("memory above idle at its peak (RSS)", memory.peak() - idle_mib, "MiB", 512.0),
        Figure("until a lone client is served as before", recovery_s, "s", 3.0),
    ]
    alone = {"p50_ms": round(normal_ms, 2), "idle_mib": round(idle_mib, 1), "peak_mib": round(memory.peak(), 1)}
    return Report("overload", figures, {"model": str(newest_bundle(registry)), "one client": alone, **rows})


def _flood(server: Server, requests: list[bytes], way: Way) -> Row:
    before_s = cpu_s(server.pid)
    load = drive(
        server.port,
        requests,
        clients=SATURATING * way.times,
        seconds=SECONDS,
        warmup_s=WARMUP_S,
        gap_s=GAP_S,
        stubborn=True,
    )
    row = {
        "per_s": load.per_s,
        "refused_per_s": load.failed / load.seconds,
        "broken": load.broken,
        "p50_ms": load.quantile_ms(0.5),
        "p99_ms": load.quantile_ms(0.99),
        "cpu_ms": (cpu_s(server.pid) - before_s) * 1e3 / max(1, load.good),
    }
    return {name: round(value, 2) for name, value in row.items()}


def _ratio(rows: Mapping[str, list[Row]], above: str, below: str, what: str = "per_s") -> float:
    return statistics.median(a[what] / b[what] for a, b in zip(rows[above], rows[below], strict=True))


def _worst(rows: list[Row], what: str) -> float:
    return max(row[what] for row in rows)


def _recovery_s(server: Server, asked: bytes, normal_ms: float) -> float:
    """Return the seconds until a lone client's median is near what it was; ``GIVE_UP_S`` where it never is."""
    began = time.perf_counter()
    while (spent_s := time.perf_counter() - began) < GIVE_UP_S:
        with suppress(OSError):
            load = drive(server.port, [asked], clients=1, seconds=ASKED * normal_ms / 1e3, warmup_s=0.0, gap_s=0.0)
            if load.latencies_ms and not load.failed and statistics.median(load.latencies_ms) <= RECOVERED * normal_ms:
                return spent_s
    return GIVE_UP_S


class _Memory:
    """Watches how much memory the server holds."""

    def __init__(self, server: Server) -> None:
        self._process = psutil.Process(server.pid)
        self._peak = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def now(self) -> float:
        """Return MiB (RSS)."""
        return float(self._process.memory_info().rss) / 2**20

    def peak(self) -> float:
        """Return the most MiB that were seen."""
        return self._peak

    def __enter__(self) -> "_Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            self._peak = max(self._peak, self.now())
