"""`automl-train azure fetch`: a verified bundle of a job's best trial."""

import json
from collections.abc import Iterator
from pathlib import Path

import click

from edge.bundle import CLASSIFICATION_TASKS, cropped
from training.azure.fetch import DEFAULT_REGISTRY, Fetched, Wish, summary
from training.azure.fetch import fetch as fetch_bundle
from training.azure.session import Session
from training.cli.azure.options import session_options
from training.cli.azure.shown import steps
from training.cli.options import FOLDER, json_option

FOLDER_TO_MAKE = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("job")
@click.option("--model", "--name", "name", required=True, metavar="NAME", help="The model's name.")
@click.option("--version", metavar="V", help="The model's version; by default the next number in the registry.")
@click.option("--registry", type=FOLDER_TO_MAKE, metavar="DIR", help="Local registry to put it in.  [default: models]")
@click.option("--output", type=FOLDER_TO_MAKE, metavar="DIR", help="Folder of the bundle, in place of a registry.")
@click.option("--golden", type=FOLDER, metavar="DIR", help="Pictures with known answers, which prove the bundle.")
@click.option("--batch", type=click.IntRange(1), metavar="N", help="Detection, segmentation: export for N pictures.")
@click.option("--trial", metavar="T", help="A trial by number or name.  [default: the best one]")
@json_option
@session_options
def fetch(  # noqa: PLR0913 - one parameter an option, as click passes them
    job: str,
    *,
    session: Session,
    name: str,
    version: str | None,
    registry: Path | None,
    output: Path | None,
    golden: Path | None,
    batch: int | None,
    trial: str | None,
    as_json: bool,
) -> None:
    """Make a verified bundle of the best trial of JOB.

    Only the model, its labels, settings and figures are downloaded, not the checkpoints. With --golden the bundle is
    proven, without it is unproven and says so. A detection or segmentation model becomes a bundle that this version
    does not run.
    """
    if registry and output:
        raise click.UsageError("--output and --registry exclude each other")
    wish = Wish(
        name=name,
        job=job,
        trial=trial,
        version=version,
        output=output,
        registry=registry or DEFAULT_REGISTRY,
        golden=golden,
        batch=batch,
    )
    with steps() as shown:
        fetched = fetch_bundle(session, wish, shown)
    if as_json:
        click.echo(json.dumps(summary(fetched), indent=2))
        return
    for text in _doubts(fetched):
        click.echo(text, err=True)
    click.echo("\n".join(f"{what:<9} {found}" for what, found in _lines(fetched)))


def _doubts(fetched: Fetched) -> Iterator[str]:
    if fetched.evidence:
        yield from (f"left out: {missed}" for missed in fetched.evidence.missed)
        yield from (f"not ruled out by these pictures: {other}" for other in fetched.evidence.undecided)


def _lines(fetched: Fetched) -> Iterator[tuple[str, str]]:
    bundle, trial, origin = fetched.bundle, fetched.trial, fetched.origin
    manifest = bundle.manifest
    score = "" if trial.score is None else f", {origin.metric} {trial.score:.4f}"
    yield "bundle", str(bundle)
    yield "folder", str(bundle.folder)
    yield "trial", f"{trial.name}{score}"
    yield "task", f"{manifest.task} ({manifest.family}), {len(bundle.labels)} labels"
    yield "input", f"{manifest.input.colour}, range {manifest.input.range}, batch {manifest.batch}"
    if manifest.task not in CLASSIFICATION_TASKS:
        yield "result", "unproven: this version does not run its task; it can be registered"
        return
    yield "resizing", f"{cropped(manifest).rule} {cropped(manifest).resize}, crop {cropped(manifest).crop}"
    if fetched.evidence is None:
        yield "result", "unproven: give pictures with known answers (--golden DIR) to prove it"
        return
    answers = fetched.evidence
    yield "answers", f"{answers.right} of {answers.judged} known answers came out, {len(answers.stored)} are kept"
    yield "result", "proven"
