"""How fast two graphs are on this machine, measured in turns, so that whatever else runs slows both."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.session import open_session, usable_cores

FEWEST = 8
"""Rounds, whatever time they take."""


@dataclass(frozen=True, slots=True)
class Speed:
    """The least milliseconds that one picture took, on so many threads."""

    threads: int
    before_ms: float
    after_ms: float

    @property
    def ratio(self) -> float:
        """How many times as fast it became."""
        return self.before_ms / self.after_ms

    def as_json(self) -> dict[str, Any]:
        """Return the figures for a manifest."""
        return {
            "threads": self.threads,
            "before_ms": round(self.before_ms, 3),
            "after_ms": round(self.after_ms, 3),
            "ratio": round(self.ratio, 3),
        }


def compare_speed(before: Path, after: Path, inputs: NDArray[np.float32], *, seconds: float = 1.0) -> list[Speed]:
    """Return the speed of two graphs at the edge, on one thread and on all, for one batch [n, 3, height, width].

    Each is measured for about so many ``seconds``. Raises EdgeError where one does not load or run.
    """
    sessions = [open_session(path, device="cpu") for path in (before, after)]
    one = _fastest([partial(session.run, inputs) for session in sessions], seconds)
    all_at_once = _fastest([partial(session.run, inputs, alone=True) for session in sessions], seconds)
    pictures, cores = len(inputs), usable_cores()
    found = [Speed(1, one[0] / pictures, one[1] / pictures)]
    return found if cores == 1 else [*found, Speed(cores, all_at_once[0] / pictures, all_at_once[1] / pictures)]


def _fastest(works: Sequence[Callable[[], object]], seconds: float) -> list[float]:
    """Return the least milliseconds of each work, done in turns."""
    least = [float("inf")] * len(works)
    began = time.perf_counter()
    rounds = 0
    while rounds < FEWEST or time.perf_counter() - began < seconds:
        for index, work in enumerate(works):
            start = time.perf_counter()
            work()
            least[index] = min(least[index], (time.perf_counter() - start) * 1e3)
        rounds += 1
    return least
