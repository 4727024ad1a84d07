"""Lanes: each thread takes one picture from bytes to prediction. The shape for CPUs, where batching buys nothing.

Under load every lane runs the session on one thread, so that nobody fights over cores. A picture that is alone takes
the session that spreads one run over all of them.
"""

import time

from edge.execution.admission import Admission
from edge.execution.batching import bucket, pad
from edge.execution.intake import Intake
from edge.execution.job import Clock, Job
from edge.execution.line import join_workers, start_workers
from edge.ports import Model
from edge.results import Outcome, Timing


class Lanes(Intake):
    """Fulfils :class:`edge.ports.Executor` with ``lanes`` threads over one bounded queue."""

    shape = "lanes"

    def __init__(self, *, lanes: int, admission: Admission, clock: Clock = time.perf_counter) -> None:
        super().__init__(admission, clock=clock)
        self._lanes = lanes
        self._workers = start_workers(lanes, self._serve, name="lane")

    def close(self, *, timeout_s: float = 10.0) -> None:
        """Take no new work, finish what was accepted, stop the lanes."""
        until = self.clock() + timeout_s
        self.drain(timeout_s)
        self.line.close()
        join_workers(self._workers, until=until, clock=self.clock)

    def _serve(self) -> None:
        while (job := self.line.take()) is not None:
            self._answer(job)

    def _answer(self, job: Job) -> None:
        began = self.clock()
        if not job.begin(began):
            return
        try:
            with self.serving.use() as model:
                outcome = self._predict(job, model, began)
        except Exception as error:  # noqa: BLE001 - not swallowed: the request that waits for it gets it
            job.fail(error)
        else:
            self.admission.note_pace((self.clock() - began) / self._lanes)
            job.succeed(outcome)

    def _predict(self, job: Job, model: Model, began: float) -> Outcome:
        tensor = model.predictor.prepare(job.image)
        prepared = self.clock()
        batch = pad([tensor], bucket(1, model.session.batch_sizes))
        outputs = model.session.run(batch, alone=self.alone)
        ran = self.clock()
        prediction = model.predictor.finish(outputs[0])
        timing = Timing(
            queue_ms=(began - job.accepted_at) * 1e3,
            preprocess_ms=(prepared - began) * 1e3,
            inference_ms=(ran - prepared) * 1e3,
            postprocess_ms=(self.clock() - ran) * 1e3,
        )
        return Outcome(prediction, model.ref, model.session.provider, timing)
