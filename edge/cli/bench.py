"""``automl-edge bench``: latency and throughput of a model on this device, by shape, lanes and batch."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import click

from edge.bundle import read_manifest
from edge.cli.executors import BATCH_SIZES
from edge.cli.measurement import Figures, cases, measure
from edge.cli.options import device_option, json_option, registry_option
from edge.cli.pictures import find
from edge.cli.selection import Choice, ModelSpec, Wanted, choose
from edge.cli.terminal import show, table
from edge.errors import InputError, SourceError
from edge.ports import Model
from edge.proof import load_model
from edge.session import Device

MOST_PICTURES = 64


@click.command()
@click.option("--model", "wanted", type=ModelSpec(), default=Wanted(), help="A model; by default the newest one.")
@registry_option
@device_option
@click.option(
    "--images", type=click.Path(exists=True), metavar="PATH", help="Pictures to run; by default the golden pictures."
)
@click.option("--seconds", type=click.FloatRange(min=0.1), default=3.0, show_default=True, help="Time for each row.")
@json_option
def bench(*, wanted: Wanted, registry: Path, device: Device, images: str | None, seconds: float, as_json: bool) -> None:
    """Measure latency and throughput of a model on this device.

    From a picture's bytes to its prediction, in this process. One row a way to run it: `clients` pictures are always
    under way; p50 and p95 are milliseconds from hand-in to answer.
    """
    choice = choose(registry, wanted)
    model = load_model(choice.folder, device=device, batch_sizes=BATCH_SIZES)
    pictures = [_usable(file, model) for file in _files(choice, images)]
    if not as_json:
        click.echo(f"{model.ref} on {model.session.provider}, {len(pictures)} pictures, {seconds:g} s a row", err=True)
    figures = [measure(model, case, pictures, seconds=seconds) for case in cases(model)]
    if as_json:
        click.echo(json.dumps({"model": str(model.ref), "rows": [asdict(row) for row in figures]}, indent=2))
    else:
        _show(figures)


def _files(choice: Choice, images: str | None) -> Sequence[Path]:
    """Return the pictures to run. Raises SourceError where there are none."""
    if images is None:
        files = [choice.folder / entry.image for entry in read_manifest(choice.folder).golden]
    else:
        files = [picture.file for picture in islice(find([images]), MOST_PICTURES)]
    if not files:
        raise SourceError(
            f"no pictures in {images}" if images else "the model has no golden pictures: give --images PATH"
        )
    return files


def _usable(file: Path, model: Model) -> bytes:
    """Return a picture's bytes. Raises SourceError for one that cannot be read or is none."""
    try:
        data = file.read_bytes()
        model.predictor.prepare(data)
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}") from error
    except InputError as error:
        raise SourceError(f"{file}: {error}") from error
    return data


def _show(figures: Sequence[Figures]) -> None:
    head = ["shape", "workers", "batch", "clients", "per s", "p50 ms", "p95 ms"]
    rows = [
        [
            row.case.setting.shape,
            str(row.case.setting.workers),
            str(row.case.setting.max_batch_size),
            str(row.case.clients),
            f"{row.per_second:.1f}",
            f"{row.p50_ms:.1f}",
            f"{row.p95_ms:.1f}",
        ]
        for row in figures
    ]
    show(table(head, rows, right=head[1:]))
