"""Bundles side by side."""

import pytest

pytest.importorskip("sklearn")

from tests.training.answered import answers_of
from training.comparison import Contender, Latency, front, measure, paired


def contender(name: str, right: int, p50_ms: float) -> Contender:
    """Return a bundle that had so many of 100 right."""
    return Contender(name, "0" * 64, "CPUExecutionProvider", 10, 100, right, Latency(p50_ms, p50_ms, 1))


def test_front() -> None:
    """Worse and slower is off the front; equals both are on it."""
    several = [contender("a", 99, 5), contender("b", 98, 6), contender("c", 95, 1), contender("d", 95, 1)]
    assert front(several) == [True, False, True, True]


def test_paired_counts_only_differences() -> None:
    """What both have right or both have wrong tells nothing."""
    ours = answers_of([[1, 0], [1, 0], [0, 1], [0, 1]], [0, 0, 0, 1])
    theirs = answers_of([[1, 0], [0, 1], [0, 1], [1, 0]], [0, 0, 0, 1])
    found = paired(ours, theirs)
    assert (found.pictures, found.better, found.worse) == (4, 2, 0)
    assert found.difference == pytest.approx(0.5)
    assert found.chance == pytest.approx(0.5)


def test_measured_in_turn() -> None:
    """Every round runs each task once, with another one first each time; a slow clock ends it early."""
    order: list[str] = []
    times = iter(range(100_000))
    found = measure(
        [lambda _: order.append("a"), lambda _: order.append("b")], lambda *_: None, clock=lambda: next(times)
    )
    assert order[6:12] == ["a", "b", "b", "a", "a", "b"]
    assert [(one.rounds, one.p50_ms) for one in found] == [(10, 1000.0), (10, 1000.0)]
