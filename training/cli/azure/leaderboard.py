"""`automl-train azure leaderboard`: a job's trials, best first."""

import json
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from training.azure.job_views import MODEL, smaller_is_better
from training.azure.leaderboard import Leaderboard, Row, as_csv, records
from training.azure.leaderboard import leaderboard as ranked
from training.azure.session import Session
from training.azure.trials import open_job
from training.cli.azure.options import JOB, session_options
from training.cli.azure.trials import board_view, short
from training.cli.options import json_option
from training.errors import TrainingError, UsageError

PLOTS = (".png", ".svg", ".pdf")
FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("job", type=JOB)
@click.option("--metric", metavar="NAME", help="Rank by this metric.  [default: the job's primary one]")
@click.option("--top", type=click.IntRange(1), metavar="N", help="Only the N best; the plot has them all.")
@click.option("--csv", "csv_file", type=FILE, metavar="FILE", help="Write all columns as CSV.")
@click.option("--plot", "plot_file", type=FILE, metavar="FILE", help="Draw the trials as .png, .svg or .pdf.")
@json_option
@session_options
def leaderboard(
    session: Session,
    *,
    job: str,
    metric: str | None,
    top: int | None,
    csv_file: Path | None,
    plot_file: Path | None,
    as_json: bool,
) -> None:
    """Show the trials of JOB, best first: hyperparameters that differ, and metrics.

    Whether a metric shall be high or low is known by its name: low for a loss or an error. A trial's figures are the
    last that it logged; one that runs or failed is marked.
    """
    if plot_file is not None and plot_file.suffix.lower() not in PLOTS:
        raise UsageError(f"--plot {plot_file}: must end with {', '.join(PLOTS)}")
    with open_job(session, job) as reader:
        board = ranked(reader.view(), metric)
    rows = board.rows[:top]
    if csv_file is not None:
        _write(csv_file, as_csv(board, rows))
    if plot_file is not None:
        _plot(plot_file, board)
    if as_json:
        _print_json(board, rows)
        return
    console = Console()
    console.print(board_view(board, rows, console.width), highlight=False)
    for file in filter(None, (csv_file, plot_file)):
        click.echo(f"written: {file}")


def _print_json(board: Leaderboard, rows: Sequence[Row]) -> None:
    view = board.view
    told = {
        "job": view.name,
        "status": view.status,
        "state": view.state,
        "metric": board.metric,
        "smaller_is_better": smaller_is_better(board.metric),
        "best": view.best,
        "note": view.note,
        "trials": records(rows),
    }
    click.echo(json.dumps(told, indent=2))


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
        raise TrainingError(f"job {board.view.name}: no trial has logged {board.metric}; there is nothing to draw")
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
            name = short(first.trial, board.view.name)
            draw_bars(
                file, list(figures), list(figures.values()), title=f"{board.view.name}: trial {name}", unit="value"
            )
    except OSError as error:
        raise TrainingError(f"{file}: cannot be written ({error.strerror})") from error
