"""`automl-train evaluate`: how a bundle does, judged exactly as the edge runs it."""

from pathlib import Path

import click

from edge.bundle import open_bundle
from training.cli.options import FOLDER, data_argument, json_option
from training.cli.progress import bars
from training.cli.tables import print_figures
from training.dataset.folders import read_folders
from training.judge import evaluate_bundle


@click.command()
@click.argument("bundle", type=FOLDER)
@data_argument
@json_option
def evaluate(bundle: Path, data: tuple[Path, ...], *, as_json: bool) -> None:
    """Predict DATA/<class>/<picture> with BUNDLE on the CPU, as the edge does, and count."""
    opened, records = open_bundle(bundle), read_folders(data)
    with bars() as shown:
        judged = evaluate_bundle(opened, records, lambda done: shown.update("predicting", done, len(records)))
    print_figures(judged, judged.as_json(), as_json=as_json)
