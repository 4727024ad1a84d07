"""`automl-train fit`: from class folders to a proven bundle."""

import shlex
from pathlib import Path

import click

from training.cli.options import data_argument, drawn_option, model_option, set_option
from training.cli.progress import bars
from training.dataset.folders import read_folders
from training.hyperparameters import Hyperparameters, parse_settings
from training.local.fit import Order, fit_bundle
from training.recipe import Recipe
from training.report import figures_of


@click.command()
@data_argument
@model_option
@set_option
@drawn_option
@click.option(
    "--validation-data-size",
    type=click.FloatRange(0, 0.9),
    default=0.2,
    show_default=True,
    help="Share held out to choose the best epoch; 0 trains on everything.",
)
@click.option(
    "--cross-validation",
    "report",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Report of `crossvalidate` on the same data and recipe, to go into the manifest.",
)
@click.option("--name", default="classifier", show_default=True, help="The model's name.")
@click.option("--version", default="1", show_default=True, help="The model's version.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the bundle.  [default: models/NAME/VERSION]",
)
def fit(  # noqa: PLR0913 - one parameter an option, as click passes them
    data: tuple[Path, ...],
    *,
    model: str,
    settings: tuple[str, ...],
    drawn: int,
    validation_data_size: float,
    report: Path | None,
    name: str,
    version: str,
    output: Path | None,
) -> None:
    """Train a network on DATA/<class>/<picture> and end with a proven bundle."""
    recipe, records = Recipe(model, parse_settings(settings), drawn), read_folders(data)
    order = Order(
        name=name,
        version=version,
        recipe=recipe,
        validation_data_size=validation_data_size,
        command=command_of(recipe, validation_data_size, name, version),
        metrics={"cross_validation": figures_of(report, records, recipe)} if report else {},
    )
    folder = output or Path("models") / name / version
    with bars() as shown:
        bundle = fit_bundle(records, order, folder, lambda step: shown.training("training", step))
    click.echo(f"{bundle} is proven and lies in {folder}")


def command_of(recipe: Recipe, validation_data_size: float, name: str, version: str) -> str:
    """Return the command that makes this model again: every setting that is not the default, without paths."""
    defaults = Hyperparameters().as_dict()
    changed = [f"{key}={value}" for key, value in recipe.settings.as_dict().items() if value != defaults[key]]
    words = ["automl-train", "fit", "DATA", "--model", recipe.model, "--drawn", str(recipe.drawn)]
    words += ["--validation-data-size", f"{validation_data_size:g}", "--name", name, "--version", version]
    return shlex.join(words + [word for setting in changed for word in ("--set", setting)])
