"""``automl-edge explain``: which parts of a picture speak for its class, as a figure a picture."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from edge.bundle import open_bundle
from edge.cli.executors import BATCH_SIZES
from edge.cli.figures import SUFFIX, Figures
from edge.cli.options import device_option, json_option, registry_option
from edge.cli.pictures import Picture, find, read_picture
from edge.cli.selection import ModelSpec, Wanted, choose
from edge.errors import ConfigError, InferenceError, InputError, SourceError
from edge.execution.batching import bucket, pad
from edge.execution.explaining import Explained, Inquiry, explained
from edge.explain import DEFAULT_RUNS, MAX_RUNS, METHODS, MIN_RUNS, Method, explained_classes
from edge.ports import Model
from edge.proof import load_and_prove
from edge.results import Classification, Failure, prediction_json

INPUTS_A_RUN = 4
"""Inputs in a run where the session takes any number: nothing waits for it here."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for. ``label`` None stands for the top class, or all selected ones of a multi-label model."""

    method: Method
    runs: int
    seed: int
    label: str | None


@dataclass(frozen=True, slots=True)
class Reasons:
    """What was found for one picture: its answer, the reasons and the seconds that they took."""

    request: Request
    answer: Classification
    explained: Explained
    seconds: float


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True), metavar="PICTURE...")
@click.option("--model", "wanted", type=ModelSpec(), default=Wanted(), help="A model; by default the newest one.")
@registry_option
@click.option(
    "--method", type=click.Choice(METHODS), default=METHODS[0], show_default=True, help="How it is found out."
)
@click.option("--label", metavar="CLASS", help="The class to explain.  [default: the answer]")
@click.option(
    "--runs",
    type=click.IntRange(MIN_RUNS, MAX_RUNS),
    default=DEFAULT_RUNS,
    show_default=True,
    help="How many inputs are run for a picture, at most.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same masks of rise.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="DIR|FILE.png",
    help="Where figures go; one figure may have a name.  [default: this folder]",
)
@device_option
@json_option
@click.pass_context
def explain(
    ctx: click.Context,
    /,
    *,
    paths: tuple[str, ...],
    wanted: Wanted,
    registry: Path,
    output: Path,
    device: Any,
    as_json: bool,
    **asked: Any,
) -> None:
    """Show which parts of pictures speak for their class.

    A figure a picture, for a multi-label model one a selected class: the crop that the model saw, the map, the map over
    the crop, the crop's top 30 %. Exit code 1 where some picture failed.
    """
    request = Request(**asked)
    pictures = list(pictures_of(paths))
    if not pictures:
        raise SourceError(f"no pictures in {', '.join(paths)}")
    figures = Figures(output, pictures=pictures)
    choice = choose(registry, wanted)
    for refusal in choice.refused:
        click.echo(f"warning: {refusal}", err=True)
    bundle = open_bundle(choice.folder)
    if request.label is not None and request.label not in bundle.labels:
        raise ConfigError(f"{bundle} has no class {request.label}; it has {', '.join(bundle.labels)}")
    model, _ = load_and_prove(bundle, device=device, batch_sizes=BATCH_SIZES)
    told = Lines() if as_json else Columns(bundle.labels)
    failed = 0
    for picture in pictures:
        found = reasons_of(picture, model, request)
        failed += isinstance(found, Failure)
        told.tell(picture, found, [] if isinstance(found, Failure) else figures.write(picture, found.explained))
    ctx.exit(1 if failed else 0)


def pictures_of(paths: Sequence[str]) -> Iterator[Picture]:
    """Yield the files as given, and the pictures in folders but for figures made earlier."""
    return (found for found in find(paths) if found.text in paths or not found.file.name.endswith(SUFFIX))


def reasons_of(picture: Picture, model: Model, request: Request) -> Reasons | Failure:
    """Return the reasons for a picture's answer, or why there are none."""
    image = read_picture(picture.file)
    if isinstance(image, Failure):
        return image
    began = time.perf_counter()
    try:
        answer = answer_to(image, model)
        inquiry = Inquiry(
            image, answer, model.ref, _classes(answer, request.label), request.method, request.runs, request.seed
        )
        found = explained(model, inquiry, otherwise=INPUTS_A_RUN, alone=True)
    except (InputError, InferenceError) as error:
        return Failure(type(error).__name__, str(error))
    return Reasons(request, answer, found, time.perf_counter() - began)


def answer_to(image: bytes, model: Model) -> Classification:
    """Return the model's answer to one picture. Raises InputError, InferenceError."""
    batch = pad([model.predictor.prepare(image)], bucket(1, model.session.batch_sizes))
    return model.predictor.finish(model.session.run(batch, alone=True)[0])


def _classes(answer: Classification, label: str | None) -> tuple[int, ...]:
    return explained_classes(answer) if label is None else (answer.labels.index(label),)


class Lines:
    """Tells programs: a line of JSON a figure, or one for a picture without any."""

    def tell(self, picture: Picture, found: Reasons | Failure, files: Sequence[Path]) -> None:
        """Print what became of one picture."""
        if isinstance(found, Failure):
            bodies: list[Mapping[str, Any]] = [prediction_json(found)]
        else:
            bodies = [{**row, "file": str(file)} for row, file in zip(_rows(found), files, strict=True)] or [NOTHING]
        for body in bodies:
            click.echo(json.dumps({"path": picture.text, **body}, ensure_ascii=False))


class Columns:
    """Tells people: a line a figure, with the names last, for they may be long."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._width = max(len(text) for text in ("label", "error", *labels))
        click.echo(self._line("score", "label", "highest", "method", "runs", "seconds", "path -> figure"))

    def tell(self, picture: Picture, found: Reasons | Failure, files: Sequence[Path]) -> None:
        """Print what became of one picture."""
        if isinstance(found, Failure):
            click.echo(self._line("-", "error", "", "", "", "", f"{picture.text}: {found.detail}"))
            return
        for row, file in zip(_rows(found), files, strict=True):
            score, highest, runs = f"{row['score']:.4f}", f"{row['highest']:.4f}", str(row["runs"])
            seconds, path = f"{row['seconds']:.2f}", f"{picture.text} -> {file}"
            click.echo(self._line(score, row["label"], highest, row["method"], runs, seconds, path))
        if not files:
            click.echo(self._line("-", "-", "", "", "", "", f"{picture.text}: no class is selected; choose a --label"))

    def _line(self, score: str, label: str, highest: str, method: str, runs: str, seconds: str, path: str) -> str:
        return f"{score:>6}  {label:<{self._width}}  {highest:>7}  {method:<9}  {runs:>5}  {seconds:>7}  {path}"


NOTHING: Mapping[str, Any] = {"labels": []}
"""What is told of a picture for which no class is selected."""


def _rows(found: Reasons) -> list[dict[str, Any]]:
    """Return for each class its probability, the map's highest value (both 0..1), and what the picture took."""
    return [
        {
            "label": label,
            "score": found.answer.probs[found.answer.labels.index(label)],
            "highest": round(float(heat.max()), 6),
            "method": found.request.method,
            "runs": found.explained.runs,
            "seconds": round(found.seconds, 3),
        }
        for label, heat in zip(found.explained.labels, found.explained.maps, strict=True)
    ]
