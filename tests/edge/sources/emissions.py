"""A stand-in for the way in: takes frames, answers them at once or when told, refuses when told."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta

from edge.ports import Frame
from edge.results import Classification, Failure, ModelRef, Outcome, Prediction, Result, Timing

GOOD = Classification("good", 1.0, ("good",), (1.0,))
BAD = Failure("ImageDecodeError", "not a picture")


class Emissions:
    """Call it as an ``Emit``. Pictures that start with ``bad``, or are empty, get an error for a result."""

    def __init__(self, *, answering: bool = True) -> None:
        self.frames: list[Frame] = []
        self.futures: list[Future[Result]] = []
        self.answering = answering
        self.refusals: list[Exception] = []
        self.refused = 0

    @property
    def names(self) -> list[str | None]:
        """The frames' own names, in order."""
        return [frame.name for frame in self.frames]

    def __call__(self, frame: Frame) -> Future[Result]:
        if self.refusals:
            self.refused += 1
            raise self.refusals.pop(0)
        future: Future[Result] = Future()
        self.futures.append(future)
        self.frames.append(frame)
        if self.answering:
            self.answer(len(self.frames) - 1)
        return future

    def answer(self, index: int) -> None:
        """Deliver one frame's result."""
        frame = self.frames[index]
        bad = isinstance(frame.image, bytes) and (not frame.image or frame.image.startswith(b"bad"))
        prediction: Prediction = BAD if bad else GOOD
        outcome = Outcome(prediction, ModelRef("parts", "1"), "CPUExecutionProvider", Timing())
        self.futures[index].set_result(
            Result("0", index + 1, "press-1", frame.source, frame.captured_at, outcome, name=frame.name)
        )


class SteppedClock:
    """A clock that stands still but for waits, which pass at once; ``on_wait`` is told of each."""

    def __init__(self, on_wait: Callable[[float], None] = lambda _: None) -> None:
        self.time_s = 0.0
        self.waits: list[float] = []
        self.on_wait = on_wait

    def monotonic(self) -> float:
        return self.time_s

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.time_s)

    def wait(self, stop: threading.Event, timeout_s: float) -> bool:
        self.waits.append(timeout_s)
        self.time_s += timeout_s
        self.on_wait(timeout_s)
        return stop.is_set()


class Steps:
    """Lets a source run in the test's own thread: each wait of its clock is a step, after the last it is stopped."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self.stop = threading.Event()
        self.clock = SteppedClock(self._step)
        self._steps = list(steps)

    def _step(self, _: float) -> None:
        if self._steps:
            self._steps.pop(0)()
        else:
            self.stop.set()


def nothing() -> None:
    """Let one wait pass."""
