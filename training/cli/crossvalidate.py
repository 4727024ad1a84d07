"""`automl-train crossvalidate`: how a recipe does on pictures it has not seen."""

from pathlib import Path

import click

from edge.bundle import open_bundle
from training.cli.options import (
    FOLDER,
    data_argument,
    drawn_option,
    json_option,
    mirrored_option,
    model_option,
    recipe_with,
    set_option,
)
from training.cli.progress import bars
from training.cli.tables import print_figures
from training.dataset.folders import read_folders
from training.local.crossvalidation import cross_validate, tally
from training.report import check_data, cross_validation_figures, recipe_of, record_figures


@click.command()
@data_argument
@model_option
@set_option
@drawn_option
@mirrored_option
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
def crossvalidate(  # noqa: PLR0913 - one parameter an option, as click passes them
    data: tuple[Path, ...],
    *,
    model: str,
    settings: tuple[str, ...],
    drawn: int,
    mirrored: bool,
    folds: int,
    workers: int,
    threads: int,
    bundle: Path | None,
    as_json: bool,
) -> None:
    """Judge a recipe on DATA/<class>/<picture>: every picture is predicted by a network that never saw it."""
    if bundle is not None and (settings or drawn or mirrored):
        raise click.UsageError("--bundle brings its own recipe; leave out --set, --drawn and --mirrored")
    records, opened = read_folders(data), open_bundle(bundle) if bundle else None
    if opened is not None:
        check_data(opened, records)
    recipe = recipe_of(opened) if opened else recipe_with(model, settings, drawn=drawn, mirrored=mirrored)
    with bars() as shown:
        results = cross_validate(
            records,
            recipe,
            lambda news: shown.training(f"fold {news.fold}", news.step),
            folds=folds,
            workers=workers,
            threads=threads,
        )
    judged, accuracies = tally(records, results)
    figures = cross_validation_figures(judged, accuracies)
    if opened is not None:
        record_figures(opened, figures)
    print_figures(judged, figures, as_json=as_json)
