"""`automl-train crossvalidate`: how a recipe does on pictures it has not seen."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from training.cli.options import data_argument, drawn_option, json_option, model_option, set_option
from training.cli.progress import bars
from training.cli.tables import print_figures
from training.dataset.folders import read_folders
from training.errors import DataError
from training.hyperparameters import parse_settings
from training.local.crossvalidation import cross_validate, tally
from training.recipe import Recipe
from training.report import cross_validation_report


@click.command()
@data_argument
@model_option
@set_option
@drawn_option
@click.option("--folds", type=click.IntRange(2), default=5, show_default=True, help="Parts, each held out once.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Folds trained side by side.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the report (JSON) there, for `fit --cross-validation`.",
)
@json_option
def crossvalidate(
    data: tuple[Path, ...],
    *,
    model: str,
    settings: tuple[str, ...],
    drawn: int,
    folds: int,
    workers: int,
    output: Path | None,
    as_json: bool,
) -> None:
    """Judge a recipe on DATA/<class>/<picture>: every picture is predicted by a network that never saw it."""
    recipe, records = Recipe(model, parse_settings(settings), drawn), read_folders(data)
    with bars() as shown:
        results = cross_validate(
            records, recipe, folds, workers, lambda news: shown.training(f"fold {news.fold}", news.step)
        )
    judged, accuracies = tally(records, results)
    report = cross_validation_report(records, recipe, judged, accuracies)
    if output is not None:
        _write(output, report)
    print_figures(judged, report, as_json=as_json)


def _write(path: Path, report: Mapping[str, Any]) -> None:
    try:
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    except OSError as exc:
        raise DataError(f"{path}: the report cannot be written ({exc.strerror})") from exc
