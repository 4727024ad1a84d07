"""The one way in for every protocol: a frame becomes a numbered result for its sender, publishers and observers."""

import logging
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from edge.errors import InferenceError, InputError, StoppingError
from edge.execution.ids import Ids
from edge.execution.tally import Tally
from edge.ports import Executor, Frame, Mark, Observer, Priority, Publisher, Witness
from edge.results import Failure, ModelRef, Outcome, Result, Timing

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Awaited:
    """A frame of a source whose result must not overtake those before it."""

    frame: Frame
    outcome: Future[Outcome]
    result: Future[Result] = field(default_factory=Future)


class Delivery:
    """Hands frames to the executor and results to whoever waits for them. Thread-safe.

    ``publishers`` get every result of ``emit`` in order per source and, where ``publish_answers`` is set, those of
    ``submit`` too; numbers (``seq``) are given and handed on under one lock, so publishers see them without gaps.
    """

    def __init__(
        self,
        executor: Executor,
        *,
        device: str,
        publishers: Sequence[Publisher] = (),
        observers: Sequence[Observer] = (),
        witnesses: Sequence[Witness] = (),
        publish_answers: bool = True,
    ) -> None:
        self._executor = executor
        self._device = device
        self._publishers = tuple(publishers)
        self._observers = tuple(observers)
        self._witnesses = tuple(witnesses)
        self._publish_answers = publish_answers
        mark = max((publisher.mark for publisher in publishers), key=lambda mark: mark.seq, default=Mark())
        self._seq = mark.seq
        self._ids = Ids(after=mark.id)
        self._numbering = threading.Lock()
        self._lines: dict[str, deque[Awaited]] = {}
        self._lining = threading.RLock()
        self._open = True
        self.tally = Tally()

    def close(self) -> None:
        """Take no more frames, from whatever protocol; those that were taken still get their result."""
        self._open = False

    def submit(self, frame: Frame, *, deadline_s: float | None = None) -> Future[Result]:
        """Answer a request: the future fails with the error that a bad picture or an overdue turn causes.

        Cancelling it cancels the work where that has not begun. Raises what :meth:`Executor.submit` raises.
        """
        self._check_open()
        if self._publish_answers:
            self._admit()
        answer: Future[Result] = Future()
        outcome = self._executor.submit(frame.image, deadline_s=deadline_s, priority=frame.priority)
        self.tally.accept()
        answer.add_done_callback(lambda done: outcome.cancel() if done.cancelled() else None)
        outcome.add_done_callback(lambda done: self._settle(frame, done, answer))
        return answer

    def emit(self, frame: Frame) -> Future[Result]:
        """Take a frame from a source: every frame gets a result, a bad picture one that says so, in order per source.

        Raises OverloadedError, StoppingError, ModelNotReadyError.
        """
        self._check_open()
        self._admit()
        with self._lining:  # so that frames line up as they were accepted
            awaited = Awaited(frame, self._executor.submit(frame.image, priority=frame.priority))
            self.tally.accept()
            self._lines.setdefault(frame.source, deque()).append(awaited)
        awaited.outcome.add_done_callback(lambda _: self._advance(frame.source))
        return awaited.result

    def _check_open(self) -> None:
        if not self._open:
            raise StoppingError("the daemon is stopping and takes no new work")

    def full(self, priority: Priority) -> float | None:
        """Return in how many seconds to come again where there is no room for ``priority``; None where there is."""
        return self._executor.full(priority)

    def _admit(self) -> None:
        for publisher in self._publishers:
            publisher.admit()

    def _settle(self, frame: Frame, outcome: Future[Outcome], answer: Future[Result]) -> None:
        try:
            self._answer(frame, outcome, answer)
        finally:
            self.tally.settle(None if outcome.cancelled() else outcome.exception())

    def _answer(self, frame: Frame, outcome: Future[Outcome], answer: Future[Result]) -> None:
        if outcome.cancelled() or answer.cancelled():
            answer.cancel()
            return
        error = outcome.exception()
        with suppress(InvalidStateError):  # cancelled by its requester meanwhile
            if error is not None:
                if isinstance(error, InputError | InferenceError):
                    self._show(frame, self._failed(error))
                answer.set_exception(error)
            else:
                answer.set_result(self._deliver(frame, outcome.result(), publish=self._publish_answers))

    def _advance(self, source: str) -> None:
        """Deliver from the head of a source's line as far as it is answered."""
        with self._lining:
            line = self._lines.get(source, deque())
            while line and line[0].outcome.done():
                awaited = line.popleft()
                try:
                    self._deliver_awaited(awaited)
                finally:
                    self.tally.settle(awaited.outcome.exception())
            if not line:  # senders choose names freely; a line is kept only while somebody stands in it
                self._lines.pop(source, None)

    def _deliver_awaited(self, awaited: Awaited) -> None:
        """Deliver what the picture itself led to; a frame that was never worked on fails and may be emitted again."""
        error = awaited.outcome.exception()
        if error is not None and not isinstance(error, InputError | InferenceError):
            awaited.result.set_exception(error)
            return
        outcome = awaited.outcome.result() if error is None else self._failed(error)
        awaited.result.set_result(self._deliver(awaited.frame, outcome, publish=True))

    def _failed(self, error: BaseException) -> Outcome:
        model = self._executor.model
        failure = Failure(kind=type(error).__name__, detail=str(error))
        ref, provider = (model.ref, model.session.provider) if model else (ModelRef("", "", proven=False), "")
        return Outcome(failure, ref, provider, Timing())

    def _deliver(self, frame: Frame, outcome: Outcome, *, publish: bool) -> Result:
        self._show(frame, outcome)
        if publish:
            with self._numbering:
                self._seq += 1
                result = self._result(frame, outcome, self._seq)
                for publisher in self._publishers:
                    publisher.publish(result)
        else:
            result = self._result(frame, outcome, 0)
        for observer in self._observers:
            with _beside():
                observer(result)
        return result

    def _show(self, frame: Frame, outcome: Outcome) -> None:
        for witness in self._witnesses:
            with _beside():
                witness(frame, outcome)

    def _result(self, frame: Frame, outcome: Outcome, seq: int) -> Result:
        return Result(
            id=self._ids.of(frame),
            seq=seq,
            device=self._device,
            source=frame.source,
            captured_at=frame.captured_at,
            outcome=outcome,
            name=frame.name,
            correlation_id=frame.correlation_id,
        )


@contextmanager
def _beside() -> Iterator[None]:
    """Keep the fault of somebody who only looks on from those who wait for the result."""
    try:
        yield
    except Exception:
        log.exception("a result goes on, though one that is shown it failed")
