"""`automl-train azure leaderboard`: a job's trials, best first."""

from pathlib import Path

import click

from training.azure.session import Session
from training.azure.trials import open_job
from training.cli.azure.following import STAR
from training.cli.azure.options import JOB, session_options
from training.cli.boards import check_plot, csv_option, plot_option, print_board, print_json, top_option, write_board
from training.cli.options import json_option
from training.leaderboard import leaderboard as ranked


@click.command()
@click.argument("job", type=JOB)
@click.option("--metric", metavar="NAME", help="Rank by this metric.  [default: the job's primary one]")
@top_option
@csv_option
@plot_option
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
    check_plot(plot_file)
    with open_job(session, job) as reader:
        board = ranked(reader.view(), metric)
    rows = board.rows[:top]
    write_board(board, rows, csv_file, plot_file)
    if as_json:
        print_json(board, rows, "job")
    else:
        print_board(board, rows, star=STAR, files=(csv_file, plot_file))
