"""`automl-train azure pipeline-step`: what the pipeline's steps call in the cloud; nobody types it."""

from collections.abc import Mapping
from pathlib import Path

import click

from training.azure.pipeline import steps
from training.azure.pipeline.definition import tag_of
from training.azure.session import Session
from training.cli.azure.options import session_options
from training.dataset.parts import Part, Shares

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
OUTPUT = click.Path(path_type=Path)


@click.group(hidden=True)
def pipeline_step() -> None:
    """Run one step of the pipeline."""


@pipeline_step.command()
@click.option("--pictures", type=FOLDER, required=True)
@click.option("--url", required=True)
@click.option("--validation-share", type=float, required=True)
@click.option("--test-share", type=float, required=True)
@click.option("--seed", type=int, required=True)
@click.option("--train", type=OUTPUT, required=True)
@click.option("--validation", type=OUTPUT, required=True)
@click.option("--test", type=OUTPUT, required=True)
def prepare(
    *, pictures: Path, url: str, validation_share: float, test_share: float, seed: int, **outputs: Path
) -> None:
    """Check and split the pictures, and write the MLTables."""
    wanted: Mapping[Part, Path] = {part: outputs[part] for part in ("train", "validation", "test")}
    sizes = steps.prepare(pictures, url, Shares(validation_share, test_share, seed), wanted)
    click.echo(", ".join(f"{count} pictures for {part}" for part, count in sizes.items()))


@pipeline_step.command()
@session_options
@click.option("--pictures", type=FOLDER, required=True)
@click.option("--url", required=True)
@click.option("--test", type=FOLDER, required=True)
@click.option("--best", type=FOLDER, required=True)
@click.option("--model", required=True)
@click.option("--judged", type=OUTPUT, required=True)
def evaluate(session: Session, *, pictures: Path, url: str, test: Path, best: Path, model: str, judged: Path) -> None:
    """Judge AutoML's best model and the registered one on the same test pictures."""
    evaluation = steps.evaluate(session, model, best, steps.test_records(test, url, pictures), judged)
    for who, found in (("the new model", evaluation.candidate), (str(evaluation.incumbent), evaluation.incumbent)):
        if found is not None:
            click.echo(f"{who}: {found.accuracy:.4f} on {found.pictures} pictures")


@pipeline_step.command()
@session_options
@click.option("--judged", type=FOLDER, required=True)
@click.option("--min-gain", type=float, required=True)
@click.option("--min-accuracy", type=float, required=True)
@click.option("--tag")
@click.option("--stage", default="")
def register(
    session: Session, *, judged: Path, min_gain: float, min_accuracy: float, tag: str | None, stage: str
) -> None:
    """Register the judged model where it is better."""
    marks = steps.Marks(tag_of(tag), stage)
    verdict, name = steps.register_if_better(session, judged, marks, min_gain=min_gain, min_accuracy=min_accuracy)
    click.echo(f"{f'registered as {name}' if name else 'not registered'}: {verdict.reason}")
