"""A leaderboard as people and programs get it: table, CSV, picture, JSON; of jobs in Azure and of sweeps here."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from training.cli.trials import board_view, short
from training.errors import TrainingError, UsageError
from training.leaderboard import MODEL, Leaderboard, Row, as_csv, records, smaller_is_better

PLOTS = (".png", ".svg", ".pdf")
FILE = click.Path(dir_okay=False, path_type=Path)

top_option = click.option("--top", type=click.IntRange(1), metavar="N", help="Only the N best; the plot has them all.")
csv_option = click.option("--csv", "csv_file", type=FILE, metavar="FILE", help="Write all columns as CSV.")
plot_option = click.option(
    "--plot", "plot_file", type=FILE, metavar="FILE", help="Draw the trials as .png, .svg or .pdf."
)


def check_plot(file: Path | None) -> None:
    """Raise UsageError for a picture in a form that none is drawn in."""
    if file is not None and file.suffix.lower() not in PLOTS:
        raise UsageError(f"--plot {file}: must end with {', '.join(PLOTS)}")


def write_board(board: Leaderboard, rows: Sequence[Row], csv_file: Path | None, plot_file: Path | None) -> None:
    """Write the files that are wished for. Raises TrainingError where one cannot be written, or nothing be drawn."""
    if csv_file is not None:
        _write(csv_file, as_csv(board, rows))
    if plot_file is not None:
        _plot(plot_file, board)


def print_board(board: Leaderboard, rows: Sequence[Row], *, star: str, files: Sequence[Path | None] = ()) -> None:
    """Print the table, and the files that were written."""
    console = Console()
    console.print(board_view(board, rows, console.width, star=star), highlight=False)
    for file in filter(None, files):
        click.echo(f"written: {file}")


def told(board: Leaderboard, rows: Sequence[Row], kind: str) -> dict[str, Any]:
    """Return what programs are told; ``kind`` is the key of the name."""
    view = board.view
    return {
        kind: view.name,
        "status": view.status,
        "state": view.state,
        "metric": board.metric,
        "smaller_is_better": smaller_is_better(board.metric),
        "best": view.best,
        "note": view.note,
        "trials": records(rows),
    }


def print_json(board: Leaderboard, rows: Sequence[Row], kind: str, more: Mapping[str, Any] = {}) -> None:
    """Print the same as JSON, and ``more``."""
    click.echo(json.dumps({**told(board, rows, kind), **more}, indent=2))


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"{file}: cannot be written ({error.strerror})") from error


def _plot(file: Path, board: Leaderboard) -> None:
    """Draw how the trials did; the figures of a single one as bars."""
    from training.plots import Dot, draw_bars, draw_trials  # noqa: PLC0415 - half a second, and only for this option

    valued = [row for row in board.rows if row.value is not None]
    first = board.first
    if first is None:
        raise TrainingError(f"{board.view.called}: no trial has logged {board.metric}; there is nothing to draw")
    without = len(board.rows) - len(valued)
    title = f"{board.view.name}: {board.metric} of {len(valued)} trials" + (f" ({without} without)" if without else "")
    dots = [
        Dot(
            row.trial.number if row.trial.number is not None else index,
            row.value or 0.0,
            str(row.trial.hyperparameters.get(MODEL, "")),
            row.trial.state == "completed",
            row.trial.hyperparameters,
        )
        for index, row in enumerate(valued)
    ]
    low = smaller_is_better(board.metric)
    try:
        if len(dots) > 1:
            draw_trials(file, dots, board.settings, title=title, unit=board.metric, smaller_is_better=low)
        else:
            figures = {name: first.trial.metrics[name] for name in board.metrics if name in first.trial.metrics}
            title = f"{board.view.name}: trial {short(first.trial, board.view.name)}"
            draw_bars(file, list(figures), list(figures.values()), title=title, unit="value")
    except OSError as error:
        raise TrainingError(f"{file}: cannot be written ({error.strerror})") from error
