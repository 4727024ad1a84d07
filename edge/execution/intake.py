"""What both shapes of execution share: accepting pictures within bounds, swapping the model, closing without loss."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError, wait
from contextlib import suppress

from edge.errors import ModelNotReadyError, StoppingError
from edge.execution.admission import Admission, image_bytes
from edge.execution.job import Clock, Job
from edge.execution.serving import Serving
from edge.ports import Model
from edge.predictor import Image
from edge.results import Outcome


class Intake:
    """The accepting half of an :class:`edge.ports.Executor`; a shape gives it the work to do in ``start``."""

    def __init__(self, admission: Admission, *, clock: Clock = time.perf_counter) -> None:
        self.admission = admission
        self.serving = Serving()
        self.clock = clock
        self._pending: set[Future[Outcome]] = set()
        self._lock = threading.Lock()

    @property
    def model(self) -> Model | None:
        """The model that new work runs on."""
        return self.serving.model

    @property
    def queued(self) -> int:
        """Pictures accepted and not answered yet."""
        return self.admission.waiting

    @property
    def capacity(self) -> int:
        """How many pictures may be queued."""
        return self.admission.max_pictures

    @property
    def alone(self) -> bool:
        """Whether the picture being worked on is the only one there is."""
        return self.admission.waiting <= 1

    def swap(self, model: Model, *, timeout_s: float = 30.0) -> bool:
        """Let new work run on ``model``; wait for the work on the previous one; tell whether it ended in time."""
        return self.serving.swap(model, timeout_s=timeout_s)

    def accept(self, image: Image, deadline_s: float | None, start: Callable[[Job], object]) -> Future[Outcome]:
        """Count a picture in and hand its job to ``start``. Raises what :meth:`edge.ports.Executor.submit` raises."""
        if self.serving.model is None:
            raise ModelNotReadyError("no model is running yet; see /readyz for the reason")
        size_bytes = image_bytes(image)
        self.admission.enter(size_bytes)
        now = self.clock()
        job = Job(image, now, None if deadline_s is None else now + deadline_s)
        with self._lock:
            self._pending.add(job.future)
        job.future.add_done_callback(lambda future: self._forget(future, job, size_bytes))
        try:
            start(job)
        except RuntimeError as error:  # the pool was shut down between the check above and here
            job.fail(StoppingError("the daemon is stopping and takes no new work"))
            raise StoppingError("the daemon is stopping and takes no new work") from error
        return job.future

    def _forget(self, future: Future[Outcome], job: Job, size_bytes: int) -> None:
        job.image = b""  # a cancelled job stays in line until its turn; its picture need not
        self.admission.leave(size_bytes)
        with self._lock:
            self._pending.discard(future)

    def drain(self, timeout_s: float) -> None:
        """Take nothing new and wait for what was accepted; what is not answered in time fails with StoppingError."""
        self.admission.close()
        with self._lock:
            pending = set(self._pending)
        error = StoppingError("the daemon stopped before this picture was answered")
        for future in wait(pending, timeout_s).not_done:
            with suppress(InvalidStateError):  # answered at the last moment
                future.set_exception(error)
