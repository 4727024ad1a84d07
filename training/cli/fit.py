"""`automl-train fit`: from class folders to a proven bundle."""

from pathlib import Path

import click

from edge.session import usable_cores
from training.cli.options import data_argument, drawn_option, mirrored_option, model_option, set_option
from training.cli.progress import bars
from training.dataset.folders import read_folders
from training.hyperparameters import parse_settings
from training.local.fit import Order, fit_bundle
from training.recipe import Recipe


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
    threads: int | None,
) -> None:
    """Train a network on DATA/<class>/<picture> and end with a proven bundle."""
    recipe, records = Recipe(model, parse_settings(settings), drawn, mirrored), read_folders(data)
    order = Order(
        name=name,
        version=version,
        recipe=recipe,
        validation_data_size=validation_data_size,
        threads=threads or usable_cores(),
    )
    folder = output or Path("models") / name / version
    with bars() as shown:
        bundle = fit_bundle(records, order, folder, lambda step: shown.training("training", step))
    click.echo(f"{bundle} is proven and lies in {folder}")
