"""Arguments and options that several commands share."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from edge.bundle import Task
from training.dataset.annotations import MULTICLASS, TASKS
from training.dataset.reading import FORMATS, Wishes
from training.recipe import PRESETS, VIEWS, Recipe, Views
from training.settings import LOCAL_MODELS, default_settings, parse_settings

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
COLLECTION = click.Path(exists=True, path_type=Path)

data_argument = click.argument("data", nargs=-1, required=True, type=COLLECTION)
model_option = click.option(
    "--model",
    metavar="NAME",
    default=LOCAL_MODELS[0],
    show_default=True,
    help="Network, by AutoML's name: mobilenetv2, resnet18 … vitl16r224.",
)
preset_option = click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default=next(iter(PRESETS)),
    show_default=True,
    help="AutoML's defaults, or what few pictures want without pretrained weights; --set counts over it.",
)
set_option = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Hyperparameter, by AutoML's name; repeatable."
)
pretrained_option = click.option(
    "--pretrained",
    metavar="WEIGHTS",
    help="First weights: auto (those known, where they can be had), none, a file, or a repository of the Hugging Face "
    "hub.  [default: auto; with --preset scratch none]",
)
views_option = click.option(
    "--views",
    type=click.Choice(VIEWS),
    default=VIEWS[0],
    show_default=True,
    help="Random views: surfaces, which may be turned; or light ones of things that stand upright.",
)
drawn_option = click.option(
    "--drawn",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Train on N drawn pictures beside the given ones.",
)
mirrored_option = click.option(
    "--mirrored/--no-mirrored",
    default=None,
    help="Average the answer over the picture and its mirror image, inside the graph: twice the work.  "
    "[default: with --preset scratch]",
)
standardised_option = click.option(
    "--standardised/--no-standardised",
    default=None,
    help="Even out light and contrast, inside the graph: for light that changes.  [default: with --preset scratch]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")

_NAMING = (
    click.option("--name", default="classifier", show_default=True, help="The model's name."),
    click.option("--version", default="1", show_default=True, help="The model's version."),
    click.option(
        "--output",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Folder of the bundle.  [default: models/NAME/VERSION]",
    ),
)
_RECIPE = (
    model_option,
    preset_option,
    set_option,
    pretrained_option,
    views_option,
    drawn_option,
    mirrored_option,
    standardised_option,
)

Command = Callable[..., Any]


def wishes_of(where: str, tasks: str) -> Callable[[Command], Command]:
    """Give a command the options of a collection that does not tell all of itself; it gets ``wishes`` for them.

    ``where`` is what the command's help calls the collection, ``tasks`` the tasks that it names.
    """
    options = (
        click.option(
            "--task",
            type=click.Choice(TASKS),
            metavar="TASK",
            help=f"What is learnt, where the labels do not tell: {tasks}.",
        ),
        click.option(
            "--format", "written", type=click.Choice(FORMATS), help=f"How {where} is written, if it does not show."
        ),
        click.option(
            "--labels",
            multiple=True,
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help=f"Labels' file; repeatable.  [default: the one in {where}]",
        ),
        click.option("--pictures", type=FOLDER, help=f"Where the pictures are.  [default: {where}]"),
    )

    def given_to(command: Command) -> Command:
        @wraps(command)
        def run(**given: Any) -> Any:
            told = (given.pop("task"), given.pop("written"), given.pop("labels"), given.pop("pictures"))
            return command(wishes=Wishes(*told), **given)

        return with_options(options, run)

    return given_to


wishes_options = wishes_of("DATA", "image-classification or image-classification-multilabel")


def named_options(command: Command) -> Command:
    """Give a command the name, version and folder of the bundle that it ends with."""
    return with_options(_NAMING, command)


def recipe_options(command: Command) -> Command:
    """Give a command the options of a recipe; it gets ``recipe_of``, a function of the task, for them."""

    @wraps(command)
    def run(**given: Any) -> Any:
        told = {name: given.pop(name) for name in ("model", "settings", "preset", *_REST)}
        return command(recipe_of=lambda task: recipe_with(task=task, **told), **given)

    return with_options(_RECIPE, run)


_REST = ("pretrained", "views", "drawn", "mirrored", "standardised")


def recipe_with(  # noqa: PLR0913 - one parameter an option
    model: str,
    settings: tuple[str, ...],
    *,
    task: Task = MULTICLASS,
    preset: str = "automl",
    pretrained: str | None = None,
    views: Views = "surface",
    drawn: int = 0,
    mirrored: bool | None = None,
    standardised: bool | None = None,
) -> Recipe:
    """Return the recipe that a command's options ask for: over the preset, over AutoML's defaults for the model."""
    chosen = PRESETS[preset]
    return Recipe(
        model=model,
        settings=default_settings(model, task, {**chosen.settings, **parse_settings(settings)}),
        task=task,
        views=views,
        pretrained=chosen.pretrained if pretrained is None else pretrained,
        drawn=drawn,
        mirrored=chosen.mirrored if mirrored is None else mirrored,
        standardised=chosen.standardised if standardised is None else standardised,
    )


def with_options(options: tuple[Callable[[Command], Command], ...], command: Command) -> Command:
    """Give a command options, in this order in its help."""
    for option in reversed(options):
        command = option(command)
    return command
