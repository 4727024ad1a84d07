"""Following a job until it ends: what is asked when, and what is told of it; the loss of the network is lived through.

The SDK's own way, ``jobs.stream``, prints logs, knows no metrics, and ends when its few retries of one request are used
up.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace

from edge.azureml.faults import explain
from training.azure.job_views import JobView
from training.azure.session import Session
from training.azure.trials import JobReader, open_job
from training.errors import AzureError, AzureUnavailableError
from training.leaderboard import Trial

FIRST_TRIES = 3
"""How often Azure is asked before anything was heard of the job; whoever begins wants to know that nothing works."""
SIGNED_OUT_S = 3600.0
"""How long a refused identity is taken for a loss that passes: a token cannot be renewed without the network either."""
MOST_SPREAD = 1.2
"""By how much a wait may be longer, or shorter, than the backoff says, so that many watchers do not ask at once."""
MOST_REASONS = 5
"""Of how many trials it is asked why they failed."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often is asked, in seconds; after a loss from ``retry_s`` on, doubled up to ``longest_s``.

    Azure's own wish (Retry-After) is kept to where it is longer. ``clock`` and ``sleep`` are those of :mod:`time`.
    """

    every_s: float = 15.0
    retry_s: float = 2.0
    longest_s: float = 60.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Seen:
    """How the job stands; ``reasons`` says why it, or trials of it, failed, by name."""

    view: JobView
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lost:
    """Azure does not answer; told once, what goes wrong, and whether the job had been seen before."""

    why: str
    seen: bool = True


@dataclass(frozen=True, slots=True)
class Back:
    """Azure answers again, after so many seconds."""

    after_s: float


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The time to watch is over; the job goes on. ``view`` is the last that was seen."""

    view: JobView | None


News = Seen | Lost | Back | TimedOut


def follow(session: Session, job: str, *, pace: Pace = Pace(), timeout_s: float | None = None) -> Iterator[News]:
    """Yield what is seen of a job until it ends or ``timeout_s`` seconds are over; the last news tells which.

    Raises:
        AzureError: no such job, rights that lack, or nothing was heard of Azure from the beginning.
    """
    follower = _Follower(replace(session, retries=0), job, pace, pace.clock() + timeout_s if timeout_s else None)
    yield from follower.news()


class _Follower:
    """One following. The session is opened again after each loss, which also signs in anew."""

    def __init__(self, session: Session, job: str, pace: Pace, until: float | None) -> None:
        self._session = session
        self._job = job
        self._pace = pace
        self._until = until
        self._view: JobView | None = None
        self._reasons: dict[str, str] = {}
        self._lost_at: float | None = None
        self._losses = 0

    def news(self) -> Iterator[News]:
        while True:
            try:
                with closing(replace(self._session)) as session, open_job(session, self._job) as reader:
                    yield from self._seen(reader)
            except AzureError as error:
                wait_s, told = self._lost(error)
                yield from told
            else:
                return
            if not self._rest(wait_s):
                yield TimedOut(self._view)
                return

    def _seen(self, reader: JobReader) -> Iterator[News]:
        """Yield views until the job, the time or the connection ends."""
        while True:
            view = reader.view()
            self._ask_why(reader, view)
            if self._lost_at is not None:
                yield Back(self._pace.clock() - self._lost_at)
                self._lost_at, self._losses = None, 0
            self._view = view
            yield Seen(view, dict(self._reasons))
            if view.ended:
                return
            if not self._rest(self._pace.every_s):
                yield TimedOut(view)
                return

    def _ask_why(self, reader: JobReader, view: JobView) -> None:
        failed = [trial.name for trial in view.trials if trial.state == "failed"][:MOST_REASONS]
        for name in [*failed, *([view.name] if view.state == "failed" else [])]:
            if name not in self._reasons:
                self._reasons[name] = _why(reader, name) or "Azure does not say why"

    def _lost(self, error: AzureError) -> tuple[float, list[News]]:
        """Return how long to wait, and what to tell. Raises the error where waiting does not help."""
        fault = explain(error.__cause__, "") if error.__cause__ else None
        now = self._pace.clock()
        first = self._lost_at is None
        self._lost_at = now if self._lost_at is None else self._lost_at
        self._losses += 1
        signed_out = fault is not None and fault.kind == "signed-out" and now - self._lost_at < SIGNED_OUT_S
        passes = fault is not None and (fault.passes or (signed_out and self._view is not None))
        if not passes or (self._view is None and self._losses >= FIRST_TRIES):
            raise error
        backoff = min(self._pace.retry_s * 2 ** min(self._losses - 1, 10), self._pace.longest_s)
        spread = random.uniform(2 - MOST_SPREAD, MOST_SPREAD)  # noqa: S311 - spreads requests, keeps no secret
        wait_s = max(backoff * spread, (fault.retry_after_s if fault else None) or 0.0)
        return wait_s, [Lost(str(error), self._view is not None)] if first else []

    def _rest(self, seconds: float) -> bool:
        """Wait, not past the end of the time to watch; False when that is over."""
        left = None if self._until is None else self._until - self._pace.clock()
        self._pace.sleep(max(0.0, seconds if left is None else min(seconds, left)))
        return left is None or left > seconds


def _why(reader: JobReader, name: str) -> str | None:
    try:
        return reader.failure(name)
    except AzureUnavailableError:
        raise
    except AzureError:
        return None  # how the job ended is what counts


def changed_trials(before: JobView | None, now: JobView) -> list[Trial]:
    """Return the trials that are new, or whose state or metrics are no longer what they were."""
    known = {trial.name: (trial.state, dict(trial.metrics)) for trial in before.trials} if before else {}
    return [trial for trial in now.trials if known.get(trial.name) != (trial.state, dict(trial.metrics))]
