"""`automl-train azure compare`: the same pictures to an endpoint and to the edge."""

import csv
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from training.azure.compare import Compared, Summary, summarise
from training.azure.compare import compare as compare_answers
from training.azure.edge_side import EdgeBundle, EdgeDaemon, EdgeSide, predict_url
from training.azure.invoke import Invocation, find_pictures
from training.azure.posting import Poster
from training.azure.scoring import Prediction
from training.azure.session import Session
from training.cli.azure.options import FILE, session_options
from training.cli.options import FOLDER, json_option
from training.cli.progress import bars
from training.errors import UsageError
from training.plots import draw_bars

PICTURES = click.Path(exists=True, path_type=Path)
WRITTEN = click.Path(dir_okay=False, path_type=Path)
SHOWN = 20
"""How many pictures are shown and drawn, those that differ most; all are in --csv and --json."""


@click.command()
@click.argument("endpoint")
@click.argument("pictures", nargs=-1, required=True, type=PICTURES)
@click.option("--edge", "url", metavar="URL", help="A running daemon, such as http://press-1:8080.")
@click.option("--bundle", type=FOLDER, metavar="DIR", help="A bundle, run here exactly as the edge runs it.")
@click.option("--deployment", metavar="NAME", help="Ask this one; by default whichever the traffic chooses.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1),
    default=0.02,
    show_default=True,
    help="Largest difference of any probability.",
)
@click.option("--csv", "table", type=WRITTEN, metavar="FILE", help="Write a row a picture.")
@click.option("--plot", type=WRITTEN, metavar="FILE", help="Draw the largest differences as PNG or SVG.")
@click.option("--token-file", type=click.File(), metavar="FILE", help="The daemon's token, - for standard input.")
@click.option("--token", envvar="EDGE_HTTP__TOKEN", hidden=True, help="From the environment: others see arguments.")
@click.option("--ca", type=FILE, metavar="FILE", help="Certificates (PEM) of who signed the daemon's.")
@json_option
@session_options
def compare(session: Session, endpoint: str, pictures: tuple[Path, ...], *, as_json: bool, **asked: Any) -> None:
    """Send PICTURES to ENDPOINT and to the edge, and show the differences in probabilities.

    Ends with 1 where one is larger than --tolerance, or where only one side has an answer; tells why where it can.
    """
    _check(asked)
    tolerance: float = asked["tolerance"]
    found = find_pictures(pictures)
    with _edge(asked) as edge:
        invocation = Invocation(session, endpoint, asked["deployment"])
        compared: list[Compared] = []
        with bars() as shown:
            for one in compare_answers(invocation.answers(found), edge, tolerance):
                compared.append(one)
                shown.update("comparing", len(compared), len(found))
        summary = summarise(compared, tolerance)
        if asked["table"]:
            _write(asked["table"], compared)
        if asked["plot"]:
            _draw(asked["plot"], compared, f"{endpoint} and {edge}")
        if as_json:
            told = {"endpoint": endpoint, "edge": str(edge), "tolerance": tolerance, **asdict(summary)}
            click.echo(json.dumps({**told, "results": [one.as_json() for one in compared]}, indent=2))
        else:
            _show(compared, summary, tolerance, f"{endpoint} and {edge}")
    if summary.beyond:
        raise click.exceptions.Exit(1)


def _check(asked: dict[str, Any]) -> None:
    """Refuse what does not go together."""
    if bool(asked["url"]) == bool(asked["bundle"]):
        raise UsageError("the edge is what? pass --edge URL of a running daemon, or --bundle DIR")
    if asked["plot"] and asked["plot"].suffix not in (".png", ".svg"):
        raise UsageError(f"--plot {asked['plot']}: must end in .png or .svg")
    if math.isnan(asked["tolerance"]):
        raise UsageError("--tolerance nan: must be 0 to 1")


@contextmanager
def _edge(asked: dict[str, Any]) -> Iterator[EdgeSide]:
    if asked["bundle"]:
        yield EdgeBundle(asked["bundle"])
        return
    token = asked["token_file"].read().strip() if asked["token_file"] else asked["token"]
    with Poster(predict_url(asked["url"]), ca_file=asked["ca"]) as poster:
        yield EdgeDaemon(poster, token)


def _by_difference(compared: Sequence[Compared]) -> list[Compared]:
    """Return the pictures that differ most first; those without an answer before all."""
    return sorted(compared, key=lambda one: -(one.distance.largest if one.distance else 2.0))


def _show(compared: Sequence[Compared], summary: Summary, tolerance: float, sides: str) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("picture", "endpoint", "edge"):
        table.add_column(name, overflow="fold")
    table.add_column("difference", justify="right", no_wrap=True)
    for one in _by_difference(compared)[:SHOWN]:
        colour = "red" if one.beyond(tolerance) else "green"
        apart = f"{one.distance.largest:.4f}" if one.distance else "-"
        cells = (escape(str(one.picture)), _cell(one.cloud), _cell(one.edge))
        table.add_row(*cells, f"[{colour}]{apart}[/{colour}]")
    Console().print(table)
    left = len(compared) - SHOWN
    if left > 0:
        click.echo(f"{left} more that differ less: --csv or --json has all")
    for reason, names in _reasons(compared).items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        click.echo(f"{', '.join(names[:3])}{more}: {reason}")
    click.echo(f"{sides}:")
    click.echo(_summed_up(summary))
    verdict = f"{summary.beyond} of {summary.pictures} pictures differ" if summary.beyond else "none differs"
    click.echo(f"{verdict} by more than {tolerance:g}")


def _reasons(compared: Sequence[Compared]) -> dict[str, list[str]]:
    """Return the pictures by what is told of them."""
    found: dict[str, list[str]] = {}
    for one in compared:
        if one.problem or one.reason:
            found.setdefault(str(one.problem or one.reason), []).append(one.picture.name)
    return found


def _summed_up(summary: Summary) -> str:
    if summary.largest is None or summary.mean is None:
        return f"no picture was answered by both of {summary.pictures}"
    return (
        f"largest difference {summary.largest:.4f}, mean {summary.mean:.4f}, "
        f"other labels {summary.disagreements}, not compared {summary.unanswered}"
    )


def _cell(prediction: Prediction | None) -> str:
    return escape(f"{prediction['label']} {prediction['score']:.3f}") if prediction else "no answer"


def _write(path: Path, compared: Sequence[Compared]) -> None:
    names = ("path", "endpoint_label", "endpoint_score", "edge_label", "edge_score")
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*names, "max_difference", "mean_difference", "most_different", "problem", "reason"])
            writer.writerows(_row(one) for one in compared)
    except OSError as error:
        raise UsageError(f"--csv {path}: cannot be written ({error.strerror})") from error


def _row(one: Compared) -> list[object]:
    cloud, edge, apart = one.cloud or {}, one.edge or {}, one.distance
    sides = [cloud.get("label", ""), cloud.get("score", ""), edge.get("label", ""), edge.get("score", "")]
    figures = [apart.largest, apart.mean, apart.label] if apart else ["", "", ""]
    return [one.picture, *sides, *figures, one.problem or "", one.reason or ""]


def _draw(path: Path, compared: Sequence[Compared], title: str) -> None:
    worst = [one for one in _by_difference(compared) if one.distance][:SHOWN]
    values = [one.distance.largest for one in worst if one.distance]
    try:
        draw_bars(path, [one.picture.name for one in worst], values, title=title, unit="largest difference")
    except OSError as error:
        raise UsageError(f"--plot {path}: cannot be written ({error.strerror})") from error
