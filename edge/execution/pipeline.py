"""The pipeline: a pool prepares pictures, one thread groups them into batches and feeds the device; for GPUs."""

import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from edge.errors import EdgeError, InferenceError
from edge.execution.admission import Admission
from edge.execution.batching import bucket, pad, remaining_wait_s
from edge.execution.intake import Intake
from edge.execution.job import Clock, Job
from edge.execution.line import join_workers, start_workers
from edge.ports import Model
from edge.predictor import OutputsF32, TensorF32
from edge.results import Outcome, Timing

BATCHES_AHEAD = 2
"""How many full batches may be ready before the device takes them; what is ready keeps its place."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture ready for the device, with the model it was prepared for and when each stage ended."""

    job: Job
    model: Model
    tensor: TensorF32
    began: float
    ready: float


class Pipeline(Intake):
    """Fulfils :class:`edge.ports.Executor` with ``workers`` preparing threads and one that feeds the device.

    A batch goes when it holds ``max_batch_size`` pictures, when ``max_batch_delay_s`` passed since its first one, or
    when every accepted picture is already in it. A batch never mixes models.
    """

    shape = "pipeline"

    def __init__(
        self,
        *,
        workers: int,
        admission: Admission,
        max_batch_size: int,
        max_batch_delay_s: float,
        clock: Clock = time.perf_counter,
    ) -> None:
        super().__init__(admission, clock=clock)
        self._max_batch_size = max_batch_size
        self._max_batch_delay_s = max_batch_delay_s
        self._ready: queue.SimpleQueue[Prepared | None] = queue.SimpleQueue()
        self._ahead = threading.Semaphore(workers + BATCHES_AHEAD * max_batch_size)
        self._workers = start_workers(workers, self._serve, name="prepare")
        self._device = start_workers(1, self._feed, name="device")

    def close(self, *, timeout_s: float = 10.0) -> None:
        """Take no new work, finish what was accepted, stop the threads."""
        until = self.clock() + timeout_s
        self.drain(timeout_s)
        self.line.close()
        join_workers(self._workers, until=until, clock=self.clock)
        self._ready.put(None)
        join_workers(self._device, until=until, clock=self.clock)

    def _serve(self) -> None:
        """Prepare pictures, not more of them than the device will soon take: who waits further can be overtaken."""
        while True:
            self._ahead.acquire()
            job = self.line.take()
            if job is None or not self._prepare(job):
                self._ahead.release()
            if job is None:
                return

    def _prepare(self, job: Job) -> bool:
        """Hand a picture to the device, ready for it; tell whether there was something to hand on."""
        began = self.clock()
        if not job.begin(began):
            return False
        try:
            model = self.serving.begin()
        except EdgeError as error:
            job.fail(error)
            return False
        try:
            tensor = model.predictor.prepare(job.image)
        except Exception as error:  # noqa: BLE001 - not swallowed: the request that waits for it gets it
            self.serving.end(model)
            job.fail(error)
            return False
        self._ready.put(Prepared(job, model, tensor, began, self.clock()))
        return True

    def _feed(self) -> None:
        first = self._ready.get()
        while first is not None:
            batch, following = self._gather(first)
            self._ahead.release(len(batch))
            self._run(batch)
            for item in batch:
                self.serving.end(item.model)
            first = following if following is not None else self._ready.get()

    def _gather(self, first: Prepared) -> tuple[list[Prepared], Prepared | None]:
        """Return the batch that begins with ``first`` and, where it came first, a picture for another model."""
        sizes = first.model.session.batch_sizes
        limit = min(self._max_batch_size, sizes[-1]) if sizes else self._max_batch_size
        batch, started = [first], self.clock()
        while True:
            wait_s = remaining_wait_s(
                gathered=len(batch),
                limit=limit,
                expected=self.admission.waiting,
                waited_s=self.clock() - started,
                max_delay_s=self._max_batch_delay_s,
            )
            try:
                item = self._ready.get(timeout=wait_s) if wait_s else self._ready.get_nowait()
            except queue.Empty:
                return batch, None
            if item is None:  # closing: this batch is the last one
                self._ready.put(None)
                return batch, None
            if item.model is not first.model or len(batch) >= limit:
                return batch, item
            batch.append(item)

    def _run(self, batch: Sequence[Prepared]) -> None:
        """Answer every picture of a batch; where the batch fails, each gets a run of its own."""
        started = self.clock()
        batch = [item for item in batch if item.job.in_time(started)]
        if not batch:
            return
        try:
            outputs = self._outputs(batch)
        except Exception as error:  # noqa: BLE001 - not swallowed: the requests that wait for it get it
            self._run_singly(batch, error)
            return
        ran = self.clock()
        preparing = sum(item.ready - item.began for item in batch) / len(self._workers)
        self.admission.note_pace(max(ran - started, preparing) / len(batch))  # the slower of the two stages
        for item, row in zip(batch, outputs, strict=True):
            self._answer(item, row, started, ran)

    def _run_singly(self, batch: Sequence[Prepared], error: Exception) -> None:
        if len(batch) == 1 or not isinstance(error, InferenceError):
            for item in batch:
                item.job.fail(error)
            return
        for item in batch:
            self._run([item])

    def _outputs(self, batch: Sequence[Prepared]) -> OutputsF32:
        session = batch[0].model.session
        padded = pad([item.tensor for item in batch], bucket(len(batch), session.batch_sizes))
        return session.run(padded, alone=True)[: len(batch)]

    def _answer(self, item: Prepared, row: OutputsF32, started: float, ran: float) -> None:
        try:
            prediction = item.model.predictor.finish(row)
        except Exception as error:  # noqa: BLE001 - not swallowed: the request that waits for it gets it
            item.job.fail(error)
            return
        timing = Timing(
            queue_ms=(item.began - item.job.accepted_at + started - item.ready) * 1e3,
            preprocess_ms=(item.ready - item.began) * 1e3,
            inference_ms=(ran - started) * 1e3,
            postprocess_ms=(self.clock() - ran) * 1e3,
        )
        item.job.succeed(Outcome(prediction, item.model.ref, item.model.session.provider, timing))
