"""Latency and throughput of one way to run a model, with a fixed number of pictures under way (a closed loop)."""

import itertools
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from statistics import quantiles

from edge.cli.executors import Setting, running
from edge.ports import Executor, Model
from edge.results import Outcome
from edge.session import CPU, usable_cores


@dataclass(frozen=True, slots=True)
class Case:
    """A way to run the model, and how many pictures are kept under way."""

    setting: Setting
    clients: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured: pictures a second, and milliseconds from hand-in to answer."""

    case: Case
    provider: str
    pictures: int
    per_second: float
    p50_ms: float
    p95_ms: float


def cases(model: Model) -> Iterator[Case]:
    """Yield what is worth comparing: one picture at a time, then a full device by lanes, then by batches."""
    cores = usable_cores()
    yield Case(Setting("lanes", 1), 1)
    for lanes in sorted({1, max(1, cores // 2), cores}):
        yield Case(Setting("lanes", lanes), 2 * lanes)
    sizes = model.session.batch_sizes or (1, 4, 8)
    for size in sizes:
        yield Case(Setting("pipeline", cores, size), 2 * max(size, cores))
    if model.session.provider == CPU:
        return
    yield Case(Setting("pipeline", cores, max(sizes)), 1)


def measure(model: Model, case: Case, pictures: Sequence[bytes], *, seconds: float) -> Figures:
    """Run ``case`` for ``seconds`` after a warm-up of a tenth of it. Raises what the model raises for a picture."""
    with running(model, case.setting) as executor:
        _loop(executor, case.clients, pictures, seconds / 10)
        started = time.perf_counter()
        spent_ms = _loop(executor, case.clients, pictures, seconds)
        elapsed_s = time.perf_counter() - started
    cuts = quantiles(spent_ms, n=100) if len(spent_ms) > 1 else spent_ms * 99
    return Figures(case, model.session.provider, len(spent_ms), len(spent_ms) / elapsed_s, cuts[49], cuts[94])


def _loop(executor: Executor, clients: int, pictures: Sequence[bytes], seconds: float) -> list[float]:
    """Keep ``clients`` pictures under way until ``seconds`` passed; return the milliseconds that each took."""
    source = itertools.cycle(pictures)
    until = time.perf_counter() + seconds
    spent_ms: list[float] = []
    under_way: deque[Future[Outcome]] = deque()
    while True:
        while len(under_way) < clients and time.perf_counter() < until:
            under_way.append(executor.submit(next(source)))
        if not under_way:
            return spent_ms
        spent_ms.append(under_way.popleft().result().timing.total_ms)
