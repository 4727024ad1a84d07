"""`automl-train azure invoke`: pictures sent to an online endpoint."""

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from training.azure.invoke import Answer, Invocation, find_pictures
from training.azure.scoring import SIDES
from training.azure.session import Session
from training.cli.azure.options import session_options
from training.cli.options import json_option
from training.cli.progress import bars
from training.errors import UsageError

if TYPE_CHECKING:
    from _csv import Writer

PICTURES = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("endpoint")
@click.argument("pictures", nargs=-1, required=True, type=PICTURES)
@click.option("--deployment", metavar="NAME", help="Ask this one; by default whichever the traffic chooses.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the answers as .csv or .jsonl too.",
)
@json_option
@session_options
def invoke(
    session: Session,
    endpoint: str,
    pictures: tuple[Path, ...],
    *,
    deployment: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Send PICTURES (files, or folders of them) to ENDPOINT, one a request, and show what it says.

    The key or token is fetched from Azure and shown nowhere. Ends with 1 where a picture got no answer.
    """
    if output is not None and output.suffix not in (".csv", ".jsonl"):
        raise UsageError(f"--output {output}: must end in .csv or .jsonl")
    found = find_pictures(pictures)
    invocation = Invocation(session, endpoint, deployment)
    answers: list[Answer] = []
    with bars() as shown:
        for answer in invocation.answers(found):
            answers.append(answer)
            shown.update("asking", len(answers), len(found))
    if output is not None:
        _write(output, answers)
    if as_json:
        click.echo(json.dumps([answer.as_json() for answer in answers], indent=2))
    else:
        _show(answers)
    if any(answer.error for answer in answers):
        raise click.exceptions.Exit(1)


def _show(answers: Sequence[Answer]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("picture", overflow="fold")
    table.add_column("answer", overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("from", no_wrap=True)
    for answer in answers:
        for label, score in _rows(answer):
            table.add_row(escape(str(answer.picture)), label, score, answer.deployment or "")
    Console().print(table)
    failed = sum(answer.error is not None for answer in answers)
    slowest = max(answer.seconds for answer in answers)
    click.echo(f"pictures: {len(answers)}, {failed} without an answer, the slowest {slowest:.2f} s")


def _rows(answer: Answer) -> Iterator[tuple[str, str]]:
    """Yield label and score of what was found in a picture."""
    prediction = answer.prediction
    if prediction is None:
        yield f"[red]{escape(str(answer.error))}[/red]", ""
    elif "boxes" in prediction:
        yield from [(_box(box), f"{box['score']:.3f}") for box in prediction["boxes"]] or [("no boxes", "")]
    else:
        yield escape(prediction["label"]), f"{prediction['score']:.3f}"


def _box(box: dict[str, Any]) -> str:
    sides = box["box"]
    corners = ", ".join(f"{float(sides[side]):.3f}" for side in SIDES)
    return escape(f"{box['label']} ({corners})")


def _write(path: Path, answers: Sequence[Answer]) -> None:
    """Write one row or line a picture; a box has a row of its own in CSV."""
    with _opened(path) as file:
        if path.suffix == ".jsonl":
            file.writelines(f"{json.dumps(answer.as_json())}\n" for answer in answers)
            return
        writer = csv.writer(file)
        labels = next((list(a.prediction["labels"]) for a in answers if a.prediction and "labels" in a.prediction), [])
        boxed = not labels
        names = list(SIDES) if boxed else labels
        writer.writerow(["path", "label", "score", *names, "deployment", "error"])
        for answer in answers:
            _write_rows(writer, answer, boxed=boxed, width=len(names))


def _write_rows(writer: "Writer", answer: Answer, *, boxed: bool, width: int) -> None:
    told = answer.prediction or {}
    ends = [answer.deployment or "", answer.error or ""]
    if boxed and told.get("boxes"):
        for box in told["boxes"]:
            sides = [box["box"][side] for side in SIDES]
            writer.writerow([answer.picture, box["label"], box["score"], *sides, *ends])
        return
    probs = list(told.get("probs", [])) or [""] * width
    writer.writerow([answer.picture, told.get("label", ""), told.get("score", ""), *probs, *ends])


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise UsageError(f"--output {path}: cannot be written ({error.strerror})") from error
