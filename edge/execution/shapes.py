"""Either shape of execution by its name, or the one that suits the first model."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Literal

from edge.errors import ModelNotReadyError, StoppingError
from edge.execution.admission import Admission
from edge.execution.lanes import Lanes
from edge.execution.pipeline import Pipeline
from edge.ports import Executor, Model, Priority
from edge.predictor import Image
from edge.results import Outcome

Shape = Literal["lanes", "pipeline"]


def make_executor(
    shape: Shape,
    *,
    workers: int,
    max_pictures: int,
    max_bytes: int,
    max_batch_size: int,
    max_batch_delay_s: float,
) -> Lanes | Pipeline:
    """Return an executor with ``workers`` threads and a bounded queue; only a pipeline has batches."""
    # a pipeline works on a batch at a time, whatever waits prepared; lanes on a picture each
    at_once = workers if shape == "lanes" else max_batch_size
    admission = Admission(max_pictures=max_pictures, max_bytes=max_bytes, workers=at_once)
    if shape == "lanes":
        return Lanes(lanes=workers, admission=admission)
    return Pipeline(
        workers=workers, admission=admission, max_batch_size=max_batch_size, max_batch_delay_s=max_batch_delay_s
    )


class ShapedByModel:
    """Fulfils :class:`edge.ports.Executor` in the shape that ``suits`` the first model; it has threads only then.

    Which provider really runs a model is known once it is loaded and not before: a build of onnxruntime for GPUs falls
    back to the CPU where the driver is missing. The shape then stays, whatever model follows.
    """

    def __init__(
        self, make: Callable[[Shape], Executor], *, suits: Callable[[Model], Shape], max_pictures: int
    ) -> None:
        self._make = make
        self._suits = suits
        self._max_pictures = max_pictures
        self._made: Executor | None = None
        self._open = True
        self._making = threading.Lock()

    @property
    def shape(self) -> str:
        """``lanes`` or ``pipeline``; ``auto`` while that is open."""
        return self._made.shape if self._made else "auto"

    @property
    def model(self) -> Model | None:
        """The model that new work runs on."""
        return self._made.model if self._made else None

    @property
    def queued(self) -> int:
        """Pictures accepted and not answered yet."""
        return self._made.queued if self._made else 0

    @property
    def capacity(self) -> int:
        """How many pictures may be queued."""
        return self._max_pictures

    def full(self, priority: Priority) -> float | None:
        """Return in how many seconds to come again where there is no room for ``priority``; None where there is."""
        return self._made.full(priority) if self._made else None

    def submit(
        self, image: Image, *, deadline_s: float | None = None, priority: Priority = Priority.REQUEST
    ) -> Future[Outcome]:
        """Queue one picture; see :meth:`edge.ports.Executor.submit`."""
        if self._made is not None:
            return self._made.submit(image, deadline_s=deadline_s, priority=priority)
        if not self._open:
            raise StoppingError("the daemon is stopping and takes no new work")
        raise ModelNotReadyError("no model is running yet; see /readyz for the reason")

    def swap(self, model: Model, *, timeout_s: float = 30.0) -> bool:
        """Let new work run on ``model``; the first one decides the shape. Once closed, nothing happens."""
        with self._making:
            if self._made is None and self._open:
                made = self._make(self._suits(model))
                made.swap(model)
                self._made = made
                return True
        return self._made is None or self._made.swap(model, timeout_s=timeout_s)

    def close(self, *, timeout_s: float = 10.0) -> None:
        """Take no new work, finish what was accepted, stop the threads."""
        with self._making:
            self._open = False
        if self._made is not None:
            self._made.close(timeout_s=timeout_s)
