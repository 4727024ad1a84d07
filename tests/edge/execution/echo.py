"""A model whose answer to picture ``b"7"`` is the label ``7``, so that a mixed-up answer cannot hide."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from edge.errors import ImageDecodeError, InferenceError
from edge.execution.admission import Admission
from edge.execution.lanes import Lanes
from edge.execution.pipeline import Pipeline
from edge.execution.shapes import Shape, ShapedByModel
from edge.ports import Executor, Model
from edge.predictor import BatchF32, Image, OutputsF32, Predictor, TensorF32
from edge.results import Classification, ModelRef, Outcome

POISON = 666
"""The picture on which the session fails, alone or in a batch."""


class EchoPredictor(Predictor):
    """Reads the number written in a picture; ``b"bad"`` is no picture, ``b"0/0"`` a fault that nobody foresaw."""

    def __init__(self) -> None:
        """Needs no bundle."""

    def prepare(self, image: Image) -> TensorF32:
        if bytes(image) == b"0/0":
            return np.full((3, 1, 1), 0 // len(image[3:]), np.float32)
        try:
            return np.full((3, 1, 1), float(bytes(image)), np.float32)
        except ValueError as error:
            raise ImageDecodeError(f"{image!r} is no number") from error

    def finish(self, outputs: NDArray[np.float32]) -> Classification:
        return Classification(str(int(outputs[0])), 1.0, (), ())


class EchoSession:
    """Answers each row with itself; ``gate`` holds every run back until it is set."""

    provider = "EchoExecutionProvider"

    def __init__(self, *, batch_sizes: tuple[int, ...] = (), gate: threading.Event | None = None) -> None:
        self.batch_sizes = batch_sizes
        self.batches: list[int] = []
        self.entered = threading.Semaphore(0)
        self._gate = gate

    def run(self, batch: BatchF32, *, alone: bool = False) -> OutputsF32:  # noqa: ARG002 - the port's signature
        self.batches.append(len(batch))
        self.entered.release()
        if self._gate is not None and not self._gate.wait(10):
            raise InferenceError("the test never opened the gate")
        if (batch == POISON).any():
            raise InferenceError("poisoned")
        return batch[:, :1, 0, 0]


def echo_model(version: str = "1", session: EchoSession | None = None) -> Model:
    return Model(ModelRef("echo", version), version, EchoPredictor(), session or EchoSession())


def lanes(*, queue_size: int = 1000, queue_bytes: int = 1 << 20, workers: int = 2) -> Lanes:
    return Lanes(lanes=workers, admission=Admission(max_pictures=queue_size, max_bytes=queue_bytes, workers=workers))


def pipeline(*, queue_size: int = 1000, queue_bytes: int = 1 << 20, workers: int = 2) -> Pipeline:
    return Pipeline(
        workers=workers,
        admission=Admission(max_pictures=queue_size, max_bytes=queue_bytes, workers=workers),
        max_batch_size=4,
        max_batch_delay_s=0.002,
    )


def by_model(*, suits: Shape = "lanes", queue_size: int = 1000, **options: int) -> ShapedByModel:
    makes: dict[Shape, Callable[..., Executor]] = {"lanes": lanes, "pipeline": pipeline}
    return ShapedByModel(
        lambda shape: makes[shape](queue_size=queue_size, **options), suits=lambda _: suits, max_pictures=queue_size
    )


SHAPES: dict[str, Callable[..., Executor]] = {"lanes": lanes, "pipeline": pipeline, "by model": by_model}


@contextmanager
def serving(executor: Executor, model: Model | None = None) -> Iterator[Executor]:
    """Give an executor that serves ``model`` and close it."""
    executor.swap(model or echo_model())
    try:
        yield executor
    finally:
        executor.close(timeout_s=5)


def label(outcome: Outcome) -> str:
    assert isinstance(outcome.prediction, Classification)
    return outcome.prediction.label
