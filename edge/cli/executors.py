"""An executor for one command: the shape that suits the provider, queues of a moderate size, closed at the end."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from edge.execution.admission import SHARE
from edge.execution.shapes import Shape, make_executor
from edge.ports import Executor, Model, Priority
from edge.session import CPU, usable_cores

BATCH_SIZES = (1, 2, 4, 8, 16)
"""Batch sizes that are warmed on a GPU."""
QUEUE_BYTES = 256 << 20
LAST_RUNS_S = 10.0
"""How long the end waits for runs under way: a process that ends in the middle of one is aborted by the runtime."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to run a model: the shape, its width in threads, and for a pipeline the largest batch."""

    shape: Shape
    workers: int
    max_batch_size: int = 1
    max_batch_delay_ms: float = 2.0


def suitable(model: Model) -> Setting:
    """Return the setting that suits the provider: a lane a core on a CPU, batches on a GPU."""
    cores = usable_cores()
    if model.session.provider == CPU:
        return Setting("lanes", cores)
    return Setting("pipeline", cores, max(model.session.batch_sizes, default=1))


@contextmanager
def running(model: Model, setting: Setting) -> Iterator[Executor]:
    """Give an executor that runs ``model``; at the end it takes nothing new, drops what waits, ends what runs."""
    executor = make_executor(
        setting.shape,
        workers=setting.workers,
        max_pictures=math.ceil(max(4 * setting.workers, 2 * setting.max_batch_size) / SHARE[Priority.REQUEST]),
        max_bytes=QUEUE_BYTES,
        max_batch_size=setting.max_batch_size,
        max_batch_delay_s=setting.max_batch_delay_ms / 1e3,
    )
    try:
        executor.swap(model)
        yield executor
    finally:
        executor.close(timeout_s=0.0)
        executor.close(timeout_s=LAST_RUNS_S)
