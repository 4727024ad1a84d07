"""From a request's pictures to their results: submitted and awaited together, cancelled when the client leaves."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from edge.api.body import disconnected
from edge.api.contents import Picture
from edge.api.errors import error_of
from edge.errors import DeadlineError, InputError
from edge.ports import Frame, Priority
from edge.results import Failure, Result

SOURCE = "http"
WATCH_AFTER_S = 0.25
"""How long an answer may take before it is worth watching whether the client still waits for it."""


class Submit(Protocol):
    """Hands a frame in, as :data:`edge.ports.Emit` does, with the longest wait in seconds before its work begins."""

    def __call__(self, frame: Frame, *, deadline_s: float | None = None) -> Future[Result]:
        """Return the future answer. Raises OverloadedError, StoppingError, ModelNotReadyError."""


T = TypeVar("T")
Answer = Result | Failure
"""What became of one picture: the delivered result (whose prediction may be a Failure), or why it was not handed in."""


async def infer(
    request: Request, pictures: Sequence[Picture], *, submit: Submit, deadline_s: float | None
) -> list[Answer]:
    """Return one answer a picture, in order.

    A picture that is bad in itself fails alone; an error of the service (overload, deadline, stopping, no model, a
    fault) fails the whole request, which may be sent again. Raises that EdgeError, and ClientDisconnect.
    """
    frames = [_frame(picture.data, picture.name) for picture in pictures if not isinstance(picture.data, Failure)]
    results = iter(await _results(request.receive, frames, submit=submit, deadline_s=deadline_s))
    return [picture.data if isinstance(picture.data, Failure) else next(results) for picture in pictures]


def _frame(data: bytes, name: str | None) -> Frame:
    return Frame(data, SOURCE, datetime.now(UTC), name=name, priority=Priority.REQUEST)


async def _results(
    receive: Receive, frames: Sequence[Frame], *, submit: Submit, deadline_s: float | None
) -> list[Answer]:
    pending: list[Future[Result]] = []
    try:
        for frame in frames:
            pending.append(submit(frame, deadline_s=deadline_s))  # noqa: PERF401 - those before a refusal must be cancelled
        limit_s = None if deadline_s is None else 2 * deadline_s
        return [_settled(outcome) for outcome in await awaited(pending, receive, limit_s=limit_s)]
    finally:
        for future in pending:
            future.cancel()


async def awaited(pending: Sequence[Future[T]], receive: Receive, *, limit_s: float | None) -> list[T | BaseException]:
    """Return how each future ended.

    Raises ClientDisconnect once the client is gone, DeadlineError after ``limit_s`` seconds: whatever holds the work
    up, the client gets an answer.
    """
    together = asyncio.gather(*map(asyncio.wrap_future, pending), return_exceptions=True)
    client = _Client(receive, leave=together.cancel, limit_s=limit_s)
    try:
        return await together
    except asyncio.CancelledError:
        if client.gone:
            raise ClientDisconnect from None
        if client.late:
            raise DeadlineError(f"no answer came within {limit_s:g} s; the log may tell what holds it up") from None
        raise
    finally:
        client.forget()


class _Client:
    """Watches for the client to leave, and the time it waits, from ``WATCH_AFTER_S`` on: most answers come before."""

    def __init__(self, receive: Receive, *, leave: Callable[[], object], limit_s: float | None) -> None:
        self._receive = receive
        self._leave = leave
        self._limit_s = limit_s
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_S, self._begin)
        self.gone = self.late = False

    def forget(self) -> None:
        """Watch no longer."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        left_s = None if self._limit_s is None else max(0.0, self._limit_s - WATCH_AFTER_S)
        try:
            async with asyncio.timeout(left_s):
                await disconnected(self._receive)
            self.gone = True
        except TimeoutError:
            self.late = True
        self._leave()


def _settled(outcome: Result | BaseException) -> Answer:
    if isinstance(outcome, InputError):
        return Failure(type(outcome).__name__, str(outcome))
    if isinstance(outcome, BaseException):
        raise outcome
    prediction = outcome.outcome.prediction
    if isinstance(prediction, Failure) and not _is_input_fault(prediction):
        raise error_of(prediction)
    return outcome


def _is_input_fault(failure: Failure) -> bool:
    return isinstance(error_of(failure), InputError)


def failure_in(answer: Answer) -> Failure | None:
    """Return why a picture could not be answered; None where it was."""
    if isinstance(answer, Failure):
        return answer
    prediction = answer.outcome.prediction
    return prediction if isinstance(prediction, Failure) else None
