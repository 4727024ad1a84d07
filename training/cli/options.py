"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Any

import click

from edge.bundle import Task
from training.dataset.annotations import MULTICLASS
from training.recipe import Recipe
from training.settings import LOCAL_MODELS, default_settings, parse_settings

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

data_argument = click.argument("data", nargs=-1, required=True, type=FOLDER)
model_option = click.option(
    "--model",
    type=click.Choice(LOCAL_MODELS),
    default=LOCAL_MODELS[0],
    show_default=True,
    help="Network, by AutoML's name.",
)
set_option = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Hyperparameter, by AutoML's name; repeatable."
)
drawn_option = click.option(
    "--drawn",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Train on N drawn pictures beside the given ones.",
)
mirrored_option = click.option(
    "--mirrored",
    is_flag=True,
    help="Average the answer over the picture and its mirror image, inside the graph: twice the work.",
)


def recipe_with(model: str, settings: tuple[str, ...], *, task: Task = MULTICLASS, **rest: Any) -> Recipe:
    """Return the recipe that a command's options ask for; over AutoML's defaults for the model and the task."""
    return Recipe(model=model, settings=default_settings(model, task, parse_settings(settings)), task=task, **rest)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
