"""Whether a newer version may serve, from what was compared and what the configuration allows. Pure."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from edge.rollout.comparison import Comparison

Decision = Literal["pass", "fail", "not yet", "too late"]
ROUNDING = 1e-9
"""What a share times a count may be off by, so that 0.98 of 500 frames are 490 and not 491."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a newer version must hold: see the keys of ``[rollout]``. Shares lie in 0..1, ``max_s`` is in seconds."""

    frames: int
    max_s: float
    min_agreement: float
    max_latency_ratio: float
    max_score_shift: float

    @property
    def may_disagree(self) -> int:
        """On how many of ``frames`` the two may differ."""
        return self.frames - math.ceil(self.min_agreement * self.frames - ROUNDING)


@dataclass(frozen=True, slots=True)
class Ruling:
    """The gate's decision; ``reasons`` name every limit that does not hold, in figures, and are empty for a pass."""

    decision: Decision
    reasons: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The reasons in one line."""
        return "; ".join(self.reasons)


def judge(comparison: Comparison, limits: Limits, *, elapsed_s: float) -> Ruling:
    """Return the decision after ``elapsed_s`` seconds of comparing.

    ``fail`` comes as soon as the agreement cannot be reached any more; the other limits alone fail a version only on
    the whole number of frames. ``too late`` means that the time is over before enough frames were seen.
    """
    if comparison.disagreed > limits.may_disagree:
        return Ruling("fail", tuple(_failings(comparison, limits)))
    if comparison.frames >= limits.frames:
        reasons = tuple(_failings(comparison, limits))
        return Ruling("fail", reasons) if reasons else Ruling("pass")
    if elapsed_s >= limits.max_s:
        seen = f"saw {comparison.frames} of {limits.frames} frames within {limits.max_s / 3600:g} h"
        return Ruling("too late", (seen,))
    return Ruling("not yet")


def _failings(comparison: Comparison, limits: Limits) -> Iterator[str]:
    if comparison.disagreed > limits.may_disagree:
        yield _disagreement(comparison, limits)
    if comparison.frames >= limits.frames and not comparison.answered:
        yield f"answered none of {comparison.frames} frames that the running model answered"
    ratio, shift = comparison.latency_ratio, comparison.score_shift
    if ratio is not None and ratio > limits.max_latency_ratio:
        yield f"takes {ratio:.2f} times as long as the running model, {limits.max_latency_ratio:g} is allowed"
    if shift is not None and shift > limits.max_score_shift:
        yield f"the winning label's score shifts by {shift:.3f} on average, {limits.max_score_shift:g} is allowed"


def _disagreement(comparison: Comparison, limits: Limits) -> str:
    failed = f", {comparison.failures} of them failures" if comparison.failures else ""
    rest = "" if comparison.frames >= limits.frames else f", too many for {limits.frames} frames"
    return (
        f"disagrees on {comparison.disagreed} of {comparison.frames} frames{failed}{rest}: "
        f"agreement {comparison.agreement:.3f}, {limits.min_agreement:g} is wanted"
    )


def summary(comparison: Comparison) -> str:
    """Return the figures as one sentence, for a version that held every limit."""
    ratio, shift = comparison.latency_ratio, comparison.score_shift
    return (
        f"agreed on {comparison.agreed} of {comparison.frames} frames, took {ratio or 0:.2f} times as long as the "
        f"running model, shifted the winning label's score by {shift or 0:.3f} on average"
    )
