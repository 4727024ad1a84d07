"""`automl-train fit`: from labelled pictures to a proven bundle."""

from pathlib import Path

import click

from edge.session import usable_cores
from training.cli.options import data_argument, drawn_option, mirrored_option, model_option, recipe_with, set_option
from training.cli.progress import bars
from training.dataset.labelled import read_labelled
from training.export import check_identity, check_target
from training.local.bundling import Export, export_run
from training.local.fit import fit_run, prepare_run


@click.command()
@data_argument
@model_option
@set_option
@drawn_option
@mirrored_option
@click.option(
    "--validation-data-size",
    type=click.FloatRange(0, 0.9),
    default=0.2,
    show_default=True,
    help="Share held out to choose the best epoch; 0 trains on everything.",
)
@click.option("--name", default="classifier", show_default=True, help="The model's name.")
@click.option("--version", default="1", show_default=True, help="The model's version.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the bundle.  [default: models/NAME/VERSION]",
)
@click.option(
    "--run",
    "run_folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of the fit itself.  [default: runs/NAME/VERSION; with --output, DIR.run]",
)
@click.option("--threads", type=click.IntRange(1), help="Threads to train on.  [default: all cores]")
def fit(  # noqa: PLR0913 - one parameter an option, as click passes them
    data: tuple[Path, ...],
    *,
    model: str,
    settings: tuple[str, ...],
    drawn: int,
    mirrored: bool,
    validation_data_size: float,
    name: str,
    version: str,
    output: Path | None,
    run_folder: Path | None,
    threads: int | None,
) -> None:
    """Train a network on DATA/<class>/<picture> and end with a proven bundle."""
    folder = output or Path("models") / name / version
    run_folder = run_folder or (output.with_name(f"{output.name}.run") if output else Path("runs") / name / version)
    check_identity(name, version)
    check_target(folder)
    labelled = read_labelled(data)
    recipe = recipe_with(model, settings, task=labelled.task, drawn=drawn, mirrored=mirrored)
    run = prepare_run(labelled, recipe, validation_data_size=validation_data_size, threads=threads or usable_cores())
    with bars() as shown:
        fit_run(run, run_folder, lambda step: shown.training("training", step))
    bundle = export_run(run_folder, Export(name=name, version=version), folder)
    click.echo(f"{bundle} is proven and lies in {folder}")
