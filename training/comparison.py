"""Bundles side by side on the same pictures: who is better, by how much more than chance, and at what speed. Pure.

``measure`` keeps a clock; everything else only counts.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from training.answers import Answers
from training.intervals import paired_chance, share_interval

WARM_UPS = 3
ROUNDS = 100
LEAST_ROUNDS = 10
LONGEST_S = 20.0
"""Past this, no more than the least number of rounds is run."""

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from a picture's bytes to its answer, one picture at a time with nothing else running."""

    p50_ms: float
    p90_ms: float
    rounds: int

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {"p50_ms": round(self.p50_ms, 4), "p90_ms": round(self.p90_ms, 4), "rounds": self.rounds}


@dataclass(frozen=True, slots=True)
class Paired:
    """One bundle against another on the pictures that both answered.

    ``better`` counts the pictures that only this one has right, ``worse`` those that only the other has; ``chance`` is
    how probable so uneven a count is where neither is better (McNemar, exact).
    """

    pictures: int
    better: int
    worse: int
    chance: float

    @property
    def difference(self) -> float:
        """Accuracy of this one less that of the other."""
        return (self.better - self.worse) / self.pictures if self.pictures else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        counts = {"pictures": self.pictures, "better": self.better, "worse": self.worse}
        return {**counts, "difference": self.difference, "chance": self.chance}


@dataclass(frozen=True, slots=True)
class Contender:
    """A bundle in a comparison; ``size`` is that of its ONNX file in bytes, ``right`` counts its right answers.

    ``paired`` compares it with the first one, None for that one itself.
    """

    name: str
    digest: str
    provider: str
    size: int
    pictures: int
    right: int
    latency: Latency
    paired: Paired | None = None

    @property
    def accuracy(self) -> float:
        """Share of right answers, 0..1."""
        return self.right / self.pictures if self.pictures else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "bundle": self.name,
            "digest": self.digest,
            "provider": self.provider,
            "bytes": self.size,
            "pictures": self.pictures,
            "accuracy": self.accuracy,
            "interval": list(share_interval(self.right, self.pictures)),
            "latency": self.latency.as_json(),
            "paired": self.paired.as_json() if self.paired else None,
        }


def paired(one: Answers, other: Answers) -> Paired:
    """Compare the answers of two bundles to the pictures that both have, whatever their order."""
    theirs = dict(zip(other.records, other.right.tolist(), strict=True))
    both = [
        (mine, theirs[record]) for record, mine in zip(one.records, one.right.tolist(), strict=True) if record in theirs
    ]
    better, worse = sum(a and not b for a, b in both), sum(b and not a for a, b in both)
    return Paired(len(both), better, worse, paired_chance(better, worse))


def front(contenders: Sequence[Contender]) -> list[bool]:
    """Tell of each whether it is on the Pareto front: no other is as accurate and faster, or as fast and better."""
    return [not any(_beats(other, one) for other in contenders) for one in contenders]


def _beats(other: Contender, one: Contender) -> bool:
    no_worse = other.accuracy >= one.accuracy and other.latency.p50_ms <= one.latency.p50_ms
    return no_worse and (other.accuracy > one.accuracy or other.latency.p50_ms < one.latency.p50_ms)


def measure(
    tasks: Sequence[Callable[[int], object]],
    watch: Callable[[int, int], object],
    clock: Clock = time.perf_counter,
) -> list[Latency]:
    """Return how long each task takes, all in turn in every round, so that what disturbs one disturbs all alike.

    A task takes the number of the round. After 20 s no round is begun beyond the tenth. Each round begins with
    another task.
    """
    for task in chain.from_iterable([tasks] * WARM_UPS):
        task(0)
    spent: list[list[float]] = [[] for _ in tasks]
    began = clock()
    for number in range(ROUNDS):
        for place in range(len(tasks)):
            index = (number + place) % len(tasks)
            start = clock()
            tasks[index](number)
            spent[index].append((clock() - start) * 1e3)
        watch(number + 1, ROUNDS)
        if number + 1 >= LEAST_ROUNDS and clock() - began > LONGEST_S:
            break
    watch(ROUNDS, ROUNDS)
    return [Latency(float(np.percentile(ms, 50)), float(np.percentile(ms, 90)), len(ms)) for ms in spent]
