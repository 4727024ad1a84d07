"""Opens the place where trials run: this machine, or those of a Dask cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.session import usable_cores
from training.local.run import Run
from training.local.sweep.here import Here
from training.local.sweep.places import Workplace
from training.local.sweep.sweeping import Opened


def opened_on(on: str | None, folder: Path, threads: int | None) -> Opened:
    """Return what opens the place: a Dask cluster's address, or None for this machine.

    ``threads`` are those of each trial; None shares out what is there among the trials at a time.
    """

    @contextmanager
    def here(_: Run, concurrent: int) -> Iterator[tuple[Workplace, int]]:
        yield Here(), threads or max(1, usable_cores() // concurrent)

    @contextmanager
    def dask(run: Run, concurrent: int) -> Iterator[tuple[Workplace, int]]:
        from training.local.sweep import dask_place  # noqa: PLC0415 - Dask is an extra of its own

        with dask_place.connected(str(on)) as client:
            workers = dask_place.check_workers(client, run, folder)
            dask_place.settle(client, folder)
            trials_each = -(-concurrent // len(workers))
            yield dask_place.OnDask(client, folder), threads or max(1, min(workers.values()) // trials_each)

    return dask if on else here
