"""Stands in for what lies behind the HTTP face: an execution that echoes, a control that remembers."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np

from edge.errors import EdgeError, ModelNotFoundError
from edge.execution.explaining import Explained, Inquiry
from edge.ports import Frame
from edge.results import Classification, Failure, ModelRef, Outcome, Prediction, Result, Timing

MODEL = ModelRef("metal", "1")
PROVIDER = "CPUExecutionProvider"


def result(text: str, *, number: int = 1, model: ModelRef = MODEL, prediction: Prediction | None = None) -> Result:
    """Return a result whose label is ``text``."""
    said = prediction or Classification(text, 0.75, (text, "other"), (0.75, 0.25))
    return Result(
        id=f"01K{number:023d}",
        seq=number,
        device="press-1",
        source="http",
        captured_at=datetime(2026, 1, 31, 8, tzinfo=UTC),
        outcome=Outcome(said, model, PROVIDER, Timing(0.1, 2.0, 5.0, 0.2)),
    )


def answer_to(frame: Frame, *, number: int = 1, model: ModelRef = MODEL) -> Result:
    """Return what the echo says to a frame: its bytes as the label; those that open with ``bad`` are no picture."""
    data = bytes(frame.image)
    failure = (
        Failure("ImageDecodeError", "not a picture that can be read") if data.startswith(b"bad") or not data else None
    )
    return result(data[:40].decode("latin-1"), number=number, model=model, prediction=failure)


class Echo:
    """Answers each frame with its own bytes, in a thread, as the execution does."""

    def __init__(self, *, models: Sequence[ModelRef] = (MODEL,)) -> None:
        self.frames: list[Frame] = []
        self.deadlines: list[float | None] = []
        self._models = models
        self._pool = ThreadPoolExecutor(2)

    def __call__(self, frame: Frame, *, deadline_s: float | None = None) -> Future[Result]:
        self.frames.append(frame)
        self.deadlines.append(deadline_s)
        number = len(self.frames)
        return self._pool.submit(answer_to, frame, number=number, model=self._models[(number - 1) % len(self._models)])

    def close(self) -> None:
        self._pool.shutdown()


class Held:
    """Keeps frames waiting until they are let go, or refuses from the n-th on."""

    def __init__(self, *, refuse_from: int | None = None, error: EdgeError | None = None) -> None:
        self.pending: list[tuple[Frame, Future[Result]]] = []
        self.arrived = threading.Semaphore(0)
        self.cancelled = threading.Semaphore(0)
        self._refuse_from = refuse_from
        self._error = error

    def __call__(self, frame: Frame, *, deadline_s: float | None = None) -> Future[Result]:
        self.deadline_s = deadline_s
        if self._error is not None and self._refuse_from is not None and len(self.pending) >= self._refuse_from:
            raise self._error
        future: Future[Result] = Future()
        future.add_done_callback(self._count)
        self.pending.append((frame, future))
        self.arrived.release()
        return future

    def _count(self, future: Future[Result]) -> None:
        if future.cancelled():
            self.cancelled.release()

    def let_go(self) -> None:
        for frame, future in self.pending:
            if future.set_running_or_notify_cancel():
                future.set_result(answer_to(frame))


class Reasoner:
    """Explains each answer with a map of 0.5 and the figure ``PNG of <class>``; refuses with ``error``."""

    span_s = 10.0

    def __init__(self, *, error: EdgeError | None = None) -> None:
        self.inquiries: list[Inquiry] = []
        self.held = 0
        self._error = error

    @contextmanager
    def place(self) -> Iterator[None]:
        if self._error is not None:
            raise self._error
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1

    def ask(self, inquiries: Sequence[Inquiry]) -> Future[list[Explained]]:
        self.inquiries.extend(inquiries)
        future: Future[list[Explained]] = Future()
        future.set_result([self._explained(inquiry) for inquiry in inquiries])
        return future

    def _explained(self, inquiry: Inquiry) -> Explained:
        labels = tuple(inquiry.answer.labels[index] for index in inquiry.classes)
        figures = tuple(f"PNG of {label}".encode() for label in labels) if inquiry.drawn else ()
        return Explained(labels, np.full((len(labels), 2, 2), 0.5, np.float32), figures, inquiry.runs)


def failing(error: BaseException) -> Any:
    """Return a submit whose futures all fail with ``error``."""

    def submit(_: Frame, *, deadline_s: float | None = None) -> Future[Result]:  # noqa: ARG001 - the port's signature
        future: Future[Result] = Future()
        future.set_exception(error)
        return future

    return submit


class FakeControl:
    """Knows two versions of one model."""

    def __init__(self) -> None:
        self.current = "1"
        self.reasons: list[str] = []
        self.error: EdgeError | None = None

    def status(self) -> Mapping[str, Any]:
        return {
            "device": "press-1",
            "provider": PROVIDER,
            "model": {"name": "metal", "version": self.current, "proven": True},
        }

    def problems(self) -> Sequence[str]:
        return self.reasons

    def models(self) -> Sequence[Mapping[str, Any]]:
        return [{"name": "metal", "version": v, "state": "current" if v == self.current else "available"} for v in "12"]

    def activate(self, name: str, version: str | None = None) -> ModelRef:
        if self.error is not None:
            raise self.error
        if name != "metal" or version not in {"1", "2", None}:
            raise ModelNotFoundError(
                f"there is no {name}:{version} in /var/lib/edge/models; 'models list' shows what there is"
            )
        self.current = version or "2"
        return ModelRef(name, self.current)

    def rollback(self, name: str) -> ModelRef:
        return self.activate(name, "1")

    def reload(self) -> None:
        """Nothing to look for."""

    def capture(self, source: str) -> None:
        """No source to ask."""
