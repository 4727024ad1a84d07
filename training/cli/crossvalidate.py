"""`automl-train crossvalidate`: how a recipe does on pictures it has not seen."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge.bundle import Bundle, Task, open_bundle
from training.answers import Answers
from training.cli.judged import print_confusion
from training.cli.options import FOLDER, data_argument, json_option, recipe_options, wishes_options
from training.cli.progress import bars
from training.dataset.labelled import Labelled, read_labelled
from training.dataset.reading import Wishes
from training.errors import UsageError
from training.local.crossvalidation import answers_of, cross_validate, rows_of
from training.local.starting import settled
from training.metrics import class_figures
from training.recipe import Recipe
from training.report import FOLDS_FIGURES, check_data, cross_validation_figures, record_figures
from training.report import recipe_of as recipe_in

RECIPE_OPTIONS = ("model", "preset", "settings", "pretrained", "views", "drawn", "mirrored", "standardised")
"""What a bundle's own recipe says."""


@click.command()
@data_argument
@wishes_options
@recipe_options
@click.option("--folds", type=click.IntRange(2), default=5, show_default=True, help="Parts, each held out once.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Folds trained side by side.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads a fold.")
@click.option(
    "--bundle",
    type=FOLDER,
    metavar="DIR",
    help="Judge the recipe of this bundle, trained on DATA, and write the figures into its manifest.",
)
@json_option
def crossvalidate(
    data: tuple[Path, ...],
    *,
    wishes: Wishes,
    recipe_of: Callable[[Task], Recipe],
    folds: int,
    workers: int,
    threads: int,
    bundle: Path | None,
    as_json: bool,
) -> None:
    """Judge a recipe on DATA: every picture is predicted by a network that never saw it, nor a copy of it.

    DATA is read as fit reads it. Nothing is stopped early or chosen by what a fold holds out.
    """
    if bundle is not None:
        _check_alone()
    opened = open_bundle(bundle) if bundle else None
    labelled = read_labelled(data, wishes)
    recipe = _recipe_of(opened, labelled) if opened else recipe_of(labelled.task)
    with bars() as shown:
        recipe, source = settled(recipe, shown.say)
        shown.say(f"{recipe.model}, {source}")
        results = cross_validate(
            labelled,
            recipe,
            lambda news: shown.training(f"fold {news.fold}", news.step),
            folds=folds,
            workers=workers,
            threads=threads,
        )
    answers = answers_of(labelled, results)
    figures = cross_validation_figures(answers, rows_of(results))
    if opened is not None:
        record_figures(opened, figures)
    _print(answers, figures, as_json=as_json)


def _check_alone() -> None:
    """Make sure that nothing else asks for a recipe beside --bundle."""
    context = click.get_current_context()
    given = [
        option.opts[0]
        for option in context.command.params
        if option.name in RECIPE_OPTIONS and context.get_parameter_source(option.name) == ParameterSource.COMMANDLINE
    ]
    if given:
        raise UsageError(f"--bundle brings its own recipe; leave out {', '.join(given)}")


def _recipe_of(bundle: Bundle, data: Labelled) -> Recipe:
    """Return the recipe that a bundle was trained by, on this very data."""
    check_data(bundle, data.records)
    return recipe_in(bundle)


def _print(answers: Answers, figures: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(figures, indent=2))
        return
    if answers.multilabel:
        _print_classes(answers)
        click.echo(f"iou {figures['iou']:.4f} over {len(answers.records)} pictures")
    else:
        print_confusion(answers.confusion())
        click.echo(f"accuracy {figures['accuracy']:.4f}: {figures['mistakes']} of {figures['pictures']} wrong")
    of_folds = figures[FOLDS_FIGURES[figures["primary_metric"]]]
    click.echo(f"folds {min(of_folds):.4f} to {max(of_folds):.4f}")


def _print_classes(answers: Answers) -> None:
    table = Table("class", box=None, pad_edge=False)
    for column in ("pictures", "precision", "recall", "f1"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in _rows(answers):
        table.add_row(*map(Text, row))  # a class's name may hold what rich takes for markup
    Console().print(table)


def _rows(answers: Answers) -> Iterator[tuple[str, ...]]:
    all_figures = class_figures(answers.true, answers.selected, answers.probs)
    for label, figures in zip(answers.labels, all_figures, strict=True):
        shares = (figures.precision, figures.recall, figures.f1_score)
        yield label, str(figures.pictures), *("-" if share is None else f"{share:.3f}" for share in shares)
