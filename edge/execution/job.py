"""One accepted picture: what it waits for, how long it may, and the future that its request holds."""

import traceback
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field

from edge.errors import DeadlineError, EdgeError, InferenceError
from edge.ports import Priority
from edge.predictor import Image
from edge.results import Outcome

Clock = Callable[[], float]
"""Returns monotonic seconds."""


@dataclass(slots=True, eq=False)
class Job:
    """A picture between acceptance and answer. ``deadline_at`` is on the clock's scale; None waits for ever."""

    image: Image
    priority: Priority
    accepted_at: float
    deadline_at: float | None
    future: Future[Outcome] = field(default_factory=Future)

    def begin(self, now: float) -> bool:
        """Tell whether the work is still wanted; a job whose deadline passed fails here."""
        with suppress(RuntimeError):  # closing gave up on this one meanwhile
            if not self.future.done() and self.future.set_running_or_notify_cancel():
                return self.in_time(now)
        return False

    def in_time(self, now: float) -> bool:
        """Tell whether the deadline lies ahead; a job whose deadline passed fails here."""
        if not self.overdue(now):
            return True
        waited_ms = (now - self.accepted_at) * 1e3
        self.fail(DeadlineError(f"waited {waited_ms:.0f} ms for its turn, longer than allowed"))
        return False

    def overdue(self, now: float) -> bool:
        """Tell whether the deadline has passed."""
        return self.deadline_at is not None and now > self.deadline_at

    def fail(self, error: BaseException) -> None:
        """Answer with an error; one that is not ours becomes an InferenceError that carries it."""
        _let_go(error)
        if not isinstance(error, EdgeError):
            wrapped = InferenceError(f"unexpected {type(error).__name__} while predicting: {error}")
            wrapped.__cause__ = error
            error = wrapped
        with suppress(InvalidStateError):  # closing gave up on this one meanwhile
            self.future.set_exception(error)

    def succeed(self, outcome: Outcome) -> None:
        """Answer with a prediction."""
        with suppress(InvalidStateError):  # closing gave up on this one meanwhile
            self.future.set_result(outcome)


def _let_go(error: BaseException) -> None:
    """Part an error from the frames it came through, which hold the picture, the job and, through it, the error itself.

    That circle would keep each failed picture in memory until the garbage collector comes by. The lines of the
    traceback stay, but for the first one: it is the caller's, whose frame still runs and cannot be cleared.
    """
    if error.__traceback__ is not None:
        error.__traceback__ = error.__traceback__.tb_next
    link: BaseException | None = error
    while link is not None:
        traceback.clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__
