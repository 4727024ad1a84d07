"""Trials as a table that fits the terminal; what does not fit is named beneath it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from training.leaderboard import ENDED, Leaderboard, Overview, Row, State, Trial

GAP = 2
HEAD_WIDTH = 10
"""Headlines are broken at underscores to about this many characters."""
STYLES: dict[State, str] = {
    "waiting": "dim",
    "running": "cyan",
    "completed": "",
    "terminated": "yellow",
    "failed": "red",
    "cancelled": "yellow",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its headline as lines, its cells, whether it must be there."""

    name: str
    cells: tuple[str, ...]
    number: bool = False
    needed: bool = False

    @property
    def head(self) -> str:
        """The headline, broken at underscores."""
        return broken(self.name, max([HEAD_WIDTH, *map(len, self.cells)]))

    @property
    def width(self) -> int:
        """How many characters wide it is."""
        return max(len(line) for line in (*self.head.split("\n"), *self.cells))


def broken(name: str, width: int) -> str:
    """Return a name in lines of at most ``width`` characters where its underscores allow it."""
    lines = [""]
    for part in name.replace("_", "_\n").split("\n"):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def fitting(columns: Sequence[Column], width: int) -> tuple[list[Column], list[Column]]:
    """Return the columns that ``width`` characters have room for, and the others; the first ones come first."""
    left = width - sum(column.width + GAP for column in columns if column.needed) + GAP
    kept: list[Column] = []
    dropped: list[Column] = []
    for column in columns:
        fits = column.needed or column.width + GAP <= left
        (kept if fits else dropped).append(column)
        left -= column.width + GAP if fits and not column.needed else 0
    return kept, dropped


def short(trial: Trial, job: str) -> str:
    """Return what tells a trial from the others: its number, else its name."""
    return str(trial.number) if trial.number is not None and trial.name.startswith(f"{job}_") else trial.name


def figure(value: float | None) -> str:
    """Return a metric for people: four decimals, or four figures where it is small or large."""
    if value is None:
        return ""
    return f"{value:.4f}" if 0.1 <= abs(value) < 1000 else f"{value:.4g}"


def setting(value: Any) -> str:
    """Return a hyperparameter for people: four figures of a fraction, anything else as it is."""
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def columns_of(board: Leaderboard, rows: Sequence[Row]) -> list[Column]:
    """Return all columns, the most telling first."""
    trials = [row.trial for row in rows]

    def settings_of(name: str) -> Column:
        values = [trial.hyperparameters.get(name) for trial in trials]
        plain = all(value is None or isinstance(value, int | float) for value in values)
        return Column(name, tuple(setting(value) for value in values), number=plain)

    marks = tuple(f"{short(row.trial, board.view.name)}{' *' if row.best else '  '}" for row in rows)
    states = tuple(trial.state for trial in trials)
    mixed = any(state != "completed" for state in states)
    return [
        Column("", tuple(f"{row.rank}." if row.rank else "" for row in rows), number=True, needed=True),
        Column("trial", marks, number=True, needed=True),
        *([Column("state", states, needed=True)] if mixed else []),
        Column(board.metric, tuple(figure(row.value) for row in rows), number=True, needed=True),
        *(settings_of(name) for name in board.settings),
        *(
            Column(name, tuple(figure(trial.metrics.get(name)) for trial in trials), number=True)
            for name in board.metrics[1:]
        ),
    ]


def trial_table(board: Leaderboard, rows: Sequence[Row], width: int) -> tuple[Table, list[str]]:
    """Return rows as a table of at most ``width`` characters, and the names of the columns that had no room."""
    kept, dropped = fitting(columns_of(board, rows), width)
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for column in kept:
        side: Literal["left", "right"] = "right" if column.number else "left"
        table.add_column(Text(column.head), justify=side, no_wrap=True, overflow="ellipsis", vertical="bottom")
    for index, row in enumerate(rows):
        table.add_row(*(Text(column.cells[index]) for column in kept), style=STYLES[row.trial.state])
    return table, [column.name for column in dropped]


def headline(view: Overview) -> Text:
    """Return how it stands, in one line."""
    counts = {state: sum(trial.state == state for trial in view.trials) for state in STYLES}
    ended = sum(counts[state] for state in ENDED)
    of = f" of {view.planned}" if view.planned else ""
    more = [f"{count} {state}" for state, count in counts.items() if count and state not in ("completed", "waiting")]
    trials = f", {ended}{of} trials done" if view.trials else ""
    return Text(f"{view.called}: {view.status}{trials}" + (f" ({', '.join(more)})" if more else ""))


def board_view(board: Leaderboard, rows: Sequence[Row], width: int, *, star: str) -> RenderableType:
    """Return headline, table, and what there is to know about them; ``star`` says what the one means."""
    table, dropped = trial_table(board, rows, width)
    notes = []
    if any(row.best for row in rows):
        notes.append(f"* {star}")
    if len(rows) < len(board.rows):
        notes.append(f"{len(board.rows) - len(rows)} more trials")
    if dropped:
        notes.append(f"no room for {', '.join(dropped)}")
    if board.view.note:
        notes.append(board.view.note)
    return Group(headline(board.view), "", table, *(Text(note, style="dim") for note in notes))
