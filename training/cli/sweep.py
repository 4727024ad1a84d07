"""`automl-train sweep`: many fits, and the bundle of the best."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.cli.boards import check_plot, csv_option, plot_option, print_board, print_json, top_option, write_board
from training.cli.options import json_option
from training.cli.root import Interrupted, UsageFault
from training.errors import UsageError
from training.leaderboard import leaderboard

if TYPE_CHECKING:
    from training.local.sweep.overview import SweepView
    from training.local.sweep.space_file import SweepFile

STAR = "the best"
DIRECTORY = click.Path(path_type=Path, file_okay=False)


@dataclass(frozen=True, slots=True)
class _Places:
    """What is asked for and where it goes: the sweep's folder, the bundle's folder and version."""

    space: Path
    output: Path | None
    bundle: Path | None
    version: str
    on: str | None


@click.command()
@click.argument("space", metavar="SPACE.TOML", type=click.Path(exists=True, path_type=Path))
@click.option("--output", type=DIRECTORY, metavar="DIR", help="Folder of the sweep.  [default: sweeps/NAME]")
@click.option("--on", metavar="dask://HOST:PORT", help="Run trials on a Dask cluster.  [default: this machine]")
@click.option(
    "--bundle", type=DIRECTORY, metavar="DIR", help="Folder of the best trial's bundle.  [default: models/NAME/VERSION]"
)
@click.option("--version", default="1", show_default=True, help="The bundle's version.")
@click.option("--show", is_flag=True, help="Only show the sweep in a folder, given in place of SPACE.TOML.")
@top_option
@csv_option
@plot_option
@json_option
def sweep(  # noqa: PLR0913 - one parameter an option, as click passes them
    space: Path,
    *,
    output: Path | None,
    on: str | None,
    bundle: Path | None,
    version: str,
    show: bool,
    top: int | None,
    csv_file: Path | None,
    plot_file: Path | None,
    as_json: bool,
) -> None:
    """Try what SPACE.TOML describes, show the trials, and end with the bundle of the best.

    The same command again goes on where it was interrupted or killed.
    """
    check_plot(plot_file)
    if show:
        view, made = _shown(space), None
    else:
        view, made = _swept(_read(space), _Places(space, output, bundle, version, on))
    board = leaderboard(view)
    rows = board.rows[:top]
    write_board(board, rows, csv_file, plot_file)
    if as_json:
        print_json(board, rows, "sweep", {"bundle": str(made)} if made else {})
        return
    print_board(board, rows, star=STAR, files=(csv_file, plot_file))
    if made:
        click.echo(f"the bundle of the best trial is proven and lies in {made}")


def _shown(folder: Path) -> "SweepView":
    from training.local.sweep.overview import view_of  # noqa: PLC0415 - Optuna takes a second

    if not folder.is_dir():
        raise UsageError(f"--show {folder}: give the folder of a sweep, as sweeps/NAME")
    return view_of(folder)


def _read(space: Path) -> "SweepFile":
    """Return what a file says; of several problems each has a line of its own."""
    from training.local.sweep.space_file import read_space_file  # noqa: PLC0415 - pydantic, for this command only

    if space.is_dir():
        raise UsageError(f"{space}: is a folder; to look at the sweep in it, add --show")
    try:
        return read_space_file(space)
    except UsageError as error:
        raise UsageFault(str(error)) from error


def _swept(file: "SweepFile", places: _Places) -> tuple["SweepView", Path]:
    """Run a sweep, and return how it ended and where its best trial's bundle is."""
    from training.cli.trying import watching  # noqa: PLC0415 - Optuna
    from training.export import check_identity  # noqa: PLC0415 - torch takes seconds, and mistakes are told before
    from training.local.sweep.opening import opened_on  # noqa: PLC0415 - as above
    from training.local.sweep.sweeping import opened_sweep  # noqa: PLC0415 - as above
    from training.local.sweep.winner import export_winner, place_for  # noqa: PLC0415 - as above

    check_identity(file.name, places.version)
    folder = (places.output or Path("sweeps") / file.name).resolve()
    target = places.bundle or Path("models") / file.name / places.version
    with _told_how_to_go_on(places), opened_sweep(file, places.space, folder, _say) as sweeping:
        place_for(sweeping, target)
        with watching(lambda: sweeping.view(running=True)) as watch:
            whole = sweeping.search(opened_on(places.on, folder, file.fit.threads), watch)
        if not whole:
            _say("the time is over")
        export_winner(sweeping, target, places.version, _say)
        if not whole:
            _say(f"{_how(places)} goes on, with another --version: this bundle stays")
        return sweeping.view(running=False), target


def _say(line: str) -> None:
    click.echo(line, err=True)


@contextmanager
def _told_how_to_go_on(places: _Places) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(f"interrupted; {_how(places)} goes on") from error


def _how(places: _Places) -> str:
    words = ["automl-train", "sweep", str(places.space)]
    words += [word for name in ("output", "bundle", "on") for word in _option(name, getattr(places, name))]
    words += _option("version", places.version) if places.version != "1" else []
    return shlex.join(words)


def _option(name: str, value: object) -> list[str]:
    return [] if value is None else [f"--{name}", str(value)]
