"""What both shapes of execution share: accepting pictures within bounds, swapping the model, closing without loss."""

import threading
import time
from concurrent.futures import Future, InvalidStateError, wait
from contextlib import suppress

from edge.errors import ModelNotReadyError, StoppingError
from edge.execution.admission import Admission, image_bytes
from edge.execution.job import Clock, Job
from edge.execution.line import Line
from edge.execution.serving import Serving
from edge.ports import Model, Priority
from edge.predictor import Image
from edge.results import Outcome


class Intake:
    """The accepting half of an :class:`edge.ports.Executor`; a shape takes the work from its ``line``."""

    def __init__(self, admission: Admission, *, clock: Clock = time.perf_counter) -> None:
        self.admission = admission
        self.serving = Serving()
        self.clock = clock
        self.line = Line(clock=clock)
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

    def submit(
        self, image: Image, *, deadline_s: float | None = None, priority: Priority = Priority.REQUEST
    ) -> Future[Outcome]:
        """Queue one picture; see :meth:`edge.ports.Executor.submit`."""
        if self.serving.model is None:
            raise ModelNotReadyError("no model is running yet; see /readyz for the reason")
        size_bytes = image_bytes(image)
        self.admission.enter(size_bytes, priority, deadline_s)
        now = self.clock()
        job = Job(image, priority, now, None if deadline_s is None else now + deadline_s)
        with self._lock:
            self._pending.add(job.future)
        job.future.add_done_callback(lambda future: self._forget(future, job, size_bytes))
        try:
            self.line.put(job)
        except StoppingError as error:  # closed between the check above and here
            job.fail(error)
            raise
        return job.future

    def full(self, priority: Priority) -> float | None:
        """Return in how many seconds to come again where there is no room for ``priority``; None where there is."""
        return self.admission.full(priority)

    def _forget(self, future: Future[Outcome], job: Job, size_bytes: int) -> None:
        if future.cancelled():
            self.line.remove(job)
        job.image = b""  # its requester may hold the future for longer
        self.admission.leave(size_bytes, job.priority)
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
