"""What a person sees of long work: bars with time left and live figures; plain lines where there is no terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from training.local.trainer import Step


class Bars:
    """One bar a task on standard error; without a terminal, milestones as plain lines instead."""

    def __init__(self, progress: Progress, console: Console) -> None:
        self._progress = progress
        self._console = console
        self._tasks: dict[str, TaskID] = {}

    def update(self, task: str, done: int, total: int, figures: str = "", *, milestone: bool = False) -> None:
        """Show that `done` of `total` are done, with the figures beside."""
        if task not in self._tasks:
            self._tasks[task] = self._progress.add_task(task, total=total, figures="")
        self._progress.update(self._tasks[task], completed=done, total=total, figures=figures)
        if milestone and not self._console.is_terminal:
            self._console.print(f"{task}: {figures}", highlight=False, soft_wrap=True)

    def training(self, task: str, step: "Step") -> None:
        """Show where a fit stands; the end of an epoch is a milestone."""
        done, total = (step.epoch - 1) * step.steps + step.step, step.epochs * step.steps
        figures = f"epoch {step.epoch}/{step.epochs}  loss {step.loss:.3f}  accuracy {step.training_accuracy:.3f}"
        figures += "".join(f"  {name} {value:.3f}" for name, value in step.validation.items())
        self.update(task, done, total, figures, milestone=step.step == step.steps)


@contextmanager
def bars() -> Iterator[Bars]:
    """Show bars until the block ends."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield Bars(progress, console)
