"""One version beside the running one: a thread that answers live pictures once more and compares. Never in the way."""

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from edge.execution.batching import bucket, pad
from edge.ports import Frame, Model
from edge.predictor import Image
from edge.results import Failure, Outcome, Prediction
from edge.rollout.comparison import Comparison, Times, compared
from edge.rollout.gate import Limits, Ruling, judge
from edge.rollout.pace import Pace

Counted = Literal["agreed", "disagreed", "failed", "skipped"]
WAITING = 1
"""How many pictures wait for the shadow; with the one it works on, that is all it holds."""
HANG_S = 60.0
"""How long one picture may take before the version counts as hanging."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pair:
    """The two models that are compared."""

    running: Model
    candidate: Model


class Beside:
    """Compares a pair until the gate decides or :meth:`stop` is called.

    ``under_way`` tells how many live pictures are accepted and not answered. ``decided`` is called once, from the
    shadow's own thread; ``counted`` for every sampled frame. ``clock`` gives monotonic seconds.
    """

    def __init__(
        self,
        pair: Pair,
        limits: Limits,
        *,
        pace: Pace,
        under_way: Callable[[], int],
        decided: Callable[[], object],
        counted: Callable[[Counted], object],
        clock: Callable[[], float],
    ) -> None:
        self._pair = pair
        self._limits = limits
        self._pace = pace
        self._under_way = under_way
        self._decided = decided
        self._counted = counted
        self._clock = clock
        self._comparison = Comparison()
        self._skipped = 0
        self._began = clock()
        self._working_since: float | None = None
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._waiting: queue.Queue[tuple[Image, Prediction] | None] = queue.Queue(WAITING)
        # a daemon thread: a version that hangs in native code cannot be ended, and must not keep the process alive
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
        self._thread.start()

    @property
    def comparison(self) -> Comparison:
        """What was compared so far."""
        return self._comparison

    @property
    def skipped(self) -> int:
        """Sampled frames that were not compared: the device was busy, or neither side answered."""
        return self._skipped

    def offer(self, frame: Frame, outcome: Outcome) -> None:
        """Take an answered frame, or pass it over; never waits. Called from the threads that answer."""
        if self._over.is_set() or outcome.model != self._pair.running.ref:
            return
        with self._lock:
            if not self._pace.samples():
                return
            allowed = self._pace.allows(self._under_way())
        try:
            if not allowed:
                raise queue.Full
            self._waiting.put_nowait((frame.image, outcome.prediction))
        except queue.Full:
            self._skip()

    def ruling(self) -> Ruling:
        """Return what the gate says now."""
        since = self._working_since
        if since is not None and self._clock() - since > HANG_S:
            return Ruling("fail", (f"has not answered a picture within {HANG_S:g} s",))
        return judge(self._comparison, self._limits, elapsed_s=self._clock() - self._began)

    def stop(self) -> None:
        """Take no more frames and let the thread end; does not wait for it."""
        self._over.set()
        with suppress(queue.Full):  # then there is a picture to wake it
            self._waiting.put_nowait(None)

    def join(self, timeout_s: float) -> None:
        """Wait for the thread to end."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None and not self._over.is_set():
            self._working_since = self._clock()
            try:
                self._compare(*item)
            finally:
                self._pace_on()
            if self.ruling().decision != "not yet" and not self._over.is_set():
                self._over.set()
                self._decided()
                return

    def _pace_on(self) -> None:
        began, self._working_since = self._working_since, None
        with self._lock:
            self._pace.worked(self._clock() - (began or 0.0))

    def _compare(self, image: Image, live: Prediction) -> None:
        before = self._comparison
        candidate, times = self._answers(image, timed=before.wants_times)
        self._comparison, agree = compared(before, live, candidate, times)
        if agree is None:
            self._skip()
        elif isinstance(candidate, Failure):
            if not before.failures:
                _log.warning("the version on trial failed on a live picture", extra={"reason": candidate.detail})
            self._counted("failed")
        else:
            self._counted("agreed" if agree else "disagreed")

    def _answers(self, image: Image, *, timed: bool) -> tuple[Prediction, Times | None]:
        """Return the newer version's answer and, where ``timed``, what either took; they take turns in going first."""
        if not timed:
            return self._answer(self._pair.candidate, image)[0], None
        models = (self._pair.running, self._pair.candidate)
        turn = self._comparison.frames % 2
        answers = {id(model): self._answer(model, image) for model in (models if turn else models[::-1])}
        (again, running_ms), (candidate, candidate_ms) = answers[id(models[0])], answers[id(models[1])]
        return candidate, None if isinstance(again, Failure) else Times(running_ms, candidate_ms)

    def _answer(self, model: Model, image: Image) -> tuple[Prediction, float]:
        """Return a model's answer and its milliseconds on one core; whatever goes wrong is a Failure."""
        began = self._clock()
        prediction: Prediction
        try:
            batch = pad([model.predictor.prepare(image)], bucket(1, model.session.batch_sizes))
            prediction = model.predictor.finish(model.session.run(batch)[0])
        except Exception as error:  # noqa: BLE001 - not swallowed: counted, and a reason for the gate
            prediction = Failure(type(error).__name__, str(error))
        return prediction, (self._clock() - began) * 1e3

    def _skip(self) -> None:
        with self._lock:
            self._skipped += 1
        self._counted("skipped")
