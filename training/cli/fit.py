"""`automl-train fit`: from labelled pictures to a proven bundle."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from edge.bundle import Task
from edge.limits import limit_memory
from edge.session import usable_cores
from training.cli.options import COLLECTION, data_argument, json_option, named_options, recipe_options, wishes_options
from training.cli.progress import bars
from training.cli.root import Interrupted
from training.cli.summary import json_of, summary_of
from training.dataset.labelled import read_labelled
from training.dataset.reading import Wishes
from training.errors import UsageError
from training.export import check_identity, check_target
from training.local.accelerator import FitDevice, choose
from training.local.bundling import Export, export_run
from training.local.fit import HELD_OUT, fit_run, prepare_run
from training.local.run import CHECKPOINT_FILE, FITTED_FILE, Fitted, Run, read_fitted
from training.recipe import Recipe


@click.command()
@data_argument
@wishes_options
@click.option(
    "--validation",
    multiple=True,
    type=COLLECTION,
    metavar="DATA",
    help="Pictures to choose the best epoch by, not trained on; repeatable.  [default: some of DATA]",
)
@click.option(
    "--validation-data-size",
    type=click.FloatRange(0, 0.9),
    help=f"Share of DATA held out to choose the best epoch by; 0 trains on everything.  [default: {HELD_OUT}]",
)
@recipe_options
@named_options
@click.option(
    "--run",
    "run_folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of the fit itself.  [default: runs/NAME/VERSION; with --output, DIR.run]",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "gpu"]),
    default="auto",
    show_default=True,
    help="Where to train; auto takes a GPU where there is one.",
)
@click.option("--threads", type=click.IntRange(1), help="Threads to train on.  [default: all cores]")
@json_option
def fit(  # noqa: PLR0913 - one parameter an option, as click passes them
    data: tuple[Path, ...],
    *,
    wishes: Wishes,
    validation: tuple[Path, ...],
    validation_data_size: float | None,
    recipe_of: Callable[[Task], Recipe],
    name: str,
    version: str,
    output: Path | None,
    run_folder: Path | None,
    device: FitDevice,
    threads: int | None,
    as_json: bool,
) -> None:
    """Train a network on the labelled pictures in DATA and end with a proven bundle.

    DATA is one folder a class, AutoML's JSONL, COCO, Pascal VOC or a CSV of labels; or the labels' file itself. Killed
    or interrupted, the same command goes on where the last checkpoint was.
    """
    if validation and validation_data_size is not None:
        raise UsageError("--validation and --validation-data-size are two ways to hold pictures out; give one")
    export = Export(name=name, version=version)
    folder = output or Path("models") / name / version
    run_folder = run_folder or (output.with_name(f"{output.name}.run") if output else Path("runs") / name / version)
    check_identity(name, version)
    check_target(folder)
    labelled = read_labelled(data, wishes)
    run = prepare_run(
        labelled,
        recipe_of(labelled.task),
        validation=read_labelled(validation, Wishes(task=labelled.task)) if validation else None,
        validation_data_size=HELD_OUT if validation_data_size is None else validation_data_size,
        threads=threads or usable_cores(),
    )
    with _how_to_go_on(run_folder):
        fitted = _fitted(run, run_folder, device)
        bundle = export_run(run_folder, export, folder, say=partial(click.echo, err=True))
    if as_json:
        click.echo(json.dumps(json_of(run, fitted, run_folder, bundle)))
    else:
        click.echo("\n".join(summary_of(run, fitted, run_folder, bundle)))


def _fitted(run: Run, folder: Path, device: FitDevice) -> Fitted:
    """Train as far as there is something left to train, under everybody's eyes."""
    if read_fitted(folder) is None and choose(device).device.type == "cpu":
        limit_memory()  # too large a batch shall fail, and be halved, before the system ends the process for it
    with bars() as shown:
        return fit_run(
            run,
            folder,
            lambda step: shown.training("training", step),
            device=device,
            say=shown.say,
            reading=lambda done, total: shown.update("reading", done, total, f"{done}/{total} pictures"),
        )


@contextmanager
def _how_to_go_on(folder: Path) -> Iterator[None]:
    """Say of an interrupted fit what is left of it."""
    try:
        yield
    except KeyboardInterrupt as exc:
        kept = (folder / CHECKPOINT_FILE).exists() or (folder / FITTED_FILE).exists()
        rest = "the same command goes on from there" if kept else "no epoch was finished; the same command begins anew"
        raise Interrupted(f"interrupted; the fit lies in {folder}: {rest}") from exc
