"""What a person sees of long work: bars with time left and live figures; plain lines where there is no terminal."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column

if TYPE_CHECKING:
    from training.local.trainer import Step

WIDE = 110
"""From so many columns on there is room for the time that passed and for every figure."""


class Bars:
    """One bar a task on standard error; without a terminal, milestones as plain lines instead."""

    def __init__(self, progress: Progress, console: Console) -> None:
        self._progress = progress
        self._console = console
        self._tasks: dict[str, TaskID] = {}
        self._judged: dict[str, Mapping[str, float]] = {}

    def update(self, task: str, done: int, total: int, figures: str = "", *, milestone: bool = False) -> None:
        """Show that `done` of `total` are done, with the figures beside."""
        if task not in self._tasks:
            self._tasks[task] = self._progress.add_task(task, total=total, figures="")
        self._progress.update(self._tasks[task], completed=done, total=total, figures=figures)
        if milestone and not self._console.is_terminal:
            self._console.print(f"{task}: {figures}", highlight=False, markup=False, soft_wrap=True)

    def say(self, line: str) -> None:
        """Print a line above the bars."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def training(self, task: str, step: "Step") -> None:
        """Show where a fit stands, beside the figures of the last epoch that was judged; its end is a milestone."""
        if step.validation:
            self._judged[task] = step.validation
        ended = step.step == step.steps
        told = step.validation if ended else self._judged.get(task, {})
        done, total = (step.epoch - 1) * step.steps + step.step, step.epochs * step.steps
        short = self._console.is_terminal and self._console.width < WIDE
        self.update(task, done, total, figures_of(step, told, short=short), milestone=ended)


def figures_of(step: "Step", judged: Mapping[str, float], *, short: bool) -> str:
    """Return where a fit stands, in words; `judged` are figures of pictures held out."""
    if short:
        main = "".join(f"  held out {value:.3f}" for value in list(judged.values())[:1])
        return f"{step.epoch}/{step.epochs}  loss {step.loss:.3f}{main}"
    figures = f"epoch {step.epoch}/{step.epochs}  loss {step.loss:.3f}  training {step.training_accuracy:.3f}"
    held_out = "  ".join(f"{name} {value:.3f}" for name, value in judged.items())
    return f"{figures}  held out: {held_out}" if held_out else figures


@contextmanager
def bars() -> Iterator[Bars]:
    """Show bars until the block ends."""
    console = Console(stderr=True)
    with Progress(*_columns(console.width), console=console, disable=not console.is_terminal) as progress:
        yield Bars(progress, console)


def _columns(width: int) -> tuple[ProgressColumn, ...]:
    figures = TextColumn("{task.fields[figures]}", table_column=Column(no_wrap=True, overflow="ellipsis"))
    start = (TextColumn("{task.description}"), BarColumn(bar_width=24 if width >= WIDE else 8), TaskProgressColumn())
    end = (TextColumn("left"), TimeRemainingColumn(), figures)
    return (*start, TimeElapsedColumn(), *end) if width >= WIDE else (*start, *end)
