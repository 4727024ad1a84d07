"""Either shape of execution by its name."""

from typing import Literal

from edge.execution.admission import Admission
from edge.execution.lanes import Lanes
from edge.execution.pipeline import Pipeline

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
    admission = Admission(max_pictures=max_pictures, max_bytes=max_bytes, workers=workers)
    if shape == "lanes":
        return Lanes(lanes=workers, admission=admission)
    return Pipeline(
        workers=workers, admission=admission, max_batch_size=max_batch_size, max_batch_delay_s=max_batch_delay_s
    )
