"""`automl-train fit`: from labelled pictures to a proven bundle."""

from collections.abc import Callable
from pathlib import Path

import click

from edge.bundle import Task
from edge.session import usable_cores
from training.cli.options import data_argument, recipe_options, wishes_options
from training.cli.progress import bars
from training.dataset.labelled import read_labelled
from training.dataset.reading import Wishes
from training.export import check_identity, check_target
from training.local.bundling import Export, export_run
from training.local.fit import fit_run, prepare_run
from training.recipe import Recipe


@click.command()
@data_argument
@wishes_options
@recipe_options
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
    wishes: Wishes,
    recipe_of: Callable[[Task], Recipe],
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
    labelled = read_labelled(data, wishes)
    recipe, cores = recipe_of(labelled.task), threads or usable_cores()
    run = prepare_run(labelled, recipe, validation_data_size=validation_data_size, threads=cores)
    with bars() as shown:
        fit_run(
            run, run_folder, lambda step: shown.training("training", step), say=lambda text: click.echo(text, err=True)
        )
    bundle = export_run(run_folder, Export(name=name, version=version), folder)
    click.echo(f"{bundle} is proven and lies in {folder}")
