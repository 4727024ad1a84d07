"""Probation: what a new version does with its first live pictures. It fulfils :class:`edge.rollout.trial.Probation`.

Only faults of the model count (InferenceError): a picture that cannot be decoded says nothing about it, and is not
among the pictures of which a share may fail.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from edge.errors import InferenceError
from edge.ports import Frame, Model
from edge.results import Failure, ModelRef, Outcome, instant
from edge.rollout.trial import Verdict

MIN_PICTURES = 20
"""How many pictures there must be before a share of them means anything."""
FAULT = InferenceError.__name__
"""The kind of failure that is the model's own."""


@dataclass(frozen=True, slots=True)
class Faults:
    """How many pictures reached a model, on how many it failed, and its last words."""

    pictures: int = 0
    failures: int = 0
    reason: str = ""

    def breach(self, max_failure_share: float) -> Verdict | None:
        """Return why the model must go, None where it may stay."""
        if self.pictures < MIN_PICTURES or self.failures <= max_failure_share * self.pictures:
            return None
        reason = (
            f"failed on {self.failures} of its first {self.pictures} pictures, a share of {max_failure_share:g} may"
        )
        return Verdict("rolled-back", f"{reason}: {self.reason}", self.figures())

    def figures(self) -> Mapping[str, float | None]:
        """Return the counts by name."""
        return {"pictures": self.pictures, "failures": self.failures}


def counted(before: Faults, outcome: Outcome) -> Faults:
    """Return the counts with one picture more, or the same one for a picture that did not reach the model."""
    prediction = outcome.prediction
    if not isinstance(prediction, Failure):
        return Faults(before.pictures + 1, before.failures, before.reason)
    if prediction.kind != FAULT:
        return before
    return Faults(before.pictures + 1, before.failures + 1, prediction.detail)


class ProbationWatch:
    """Watches one model at a time, for ``span_s`` seconds. Thread-safe.

    ``breached`` is called once, from a thread that answers pictures, when the model must go; it may only wake somebody.
    ``clock`` gives monotonic seconds.
    """

    def __init__(
        self,
        *,
        span_s: float,
        max_failure_share: float,
        breached: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._span_s = span_s
        self._max_failure_share = max_failure_share
        self._breached = breached
        self._clock = clock
        self._lock = threading.Lock()
        self._ref: ModelRef | None = None
        self._faults = Faults()
        self._ends = 0.0
        self._until = datetime.min.replace(tzinfo=UTC)
        self._verdict: Verdict | None = None

    def begin(self, model: Model) -> None:
        """Watch ``model``, which serves from now on; the one before is forgotten."""
        with self._lock:
            self._ref = model.ref if self._span_s > 0 else None
            self._faults, self._verdict = Faults(), None
            self._ends = self._clock() + self._span_s
            self._until = datetime.now(UTC) + timedelta(seconds=self._span_s)

    def witness(self, frame: Frame, outcome: Outcome) -> None:  # noqa: ARG002 - a Witness
        """See an answered frame (a Witness)."""
        if outcome.model != self._ref:
            return
        with self._lock:
            fell = self._count(outcome)
        if fell:
            self._breached()

    def verdict(self) -> Verdict | None:
        """Return why the version must be rolled back; None while all is well or nothing is watched."""
        return self._verdict

    def end(self) -> None:
        """Stop watching."""
        with self._lock:
            self._ref, self._verdict = None, None

    def status(self) -> Mapping[str, Any]:
        """Return what was seen so far, JSON-ready; empty where nothing is watched."""
        with self._lock:
            if self._ref is None or self._over:
                return {}
            return {
                "name": self._ref.name,
                "version": self._ref.version,
                **self._faults.figures(),
                "until": instant(self._until),
            }

    @property
    def _over(self) -> bool:
        return self._verdict is None and self._clock() >= self._ends

    def _count(self, outcome: Outcome) -> bool:
        """Count a picture of the watched model; tell whether it was the one too many."""
        if self._ref is None or self._verdict is not None:
            return False
        if self._over:
            self._ref = None
            return False
        self._faults = counted(self._faults, outcome)
        self._verdict = self._faults.breach(self._max_failure_share)
        return self._verdict is not None
