"""The rehearsing process, started by :class:`edge.rehearsal.Rehearsal` alone."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from edge.errors import EdgeError
from edge.limits import be_modest, die_with, limit_memory
from edge.rehearsal.task import BEGUN, Task, Verdict, parse_task


def main(argument: str) -> None:
    """Rehearse the task in ``argument`` and write the verdict to what standard output was."""
    folder, task = parse_task(argument)
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever is printed while loading is no verdict
    die_with(task.parent)
    be_modest(task.niceness)
    verdict = rehearse(folder, task, begun=lambda: os.write(answers, BEGUN + b"\n"))
    os.write(answers, verdict.line())
    os._exit(0)  # the verdict stands: nothing that libraries do at the end can change it


def rehearse(folder: Path, task: Task, *, begun: Callable[[], object]) -> Verdict:
    """Load and prove the bundle in ``folder``."""
    # imported late: they take most of this process's start, and are to be loaded as modestly as the model
    from edge.bundle import open_bundle  # noqa: PLC0415 - see above
    from edge.proof import load_and_prove  # noqa: PLC0415 - see above
    from edge.session import CUDA, available_providers  # noqa: PLC0415 - see above

    if task.device == "cpu" or CUDA not in available_providers():  # CUDA reserves address space without measure
        limit_memory()
    begun()
    try:
        model, _ = load_and_prove(
            open_bundle(folder),
            device=task.device,
            threads=task.threads,
            batch_sizes=task.batch_sizes,
            max_pixels=task.max_pixels,
        )
    except EdgeError as error:
        return Verdict(error=type(error).__name__, reason=str(error))
    except MemoryError:
        return Verdict(error="ModelInvalidError", reason="it needs more memory than this device has free")
    return Verdict(provider=model.session.provider)
