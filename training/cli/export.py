"""`automl-train export`: bundles of a fit, or of another bundle, also smaller and faster ones."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import click
from rich.console import Console
from rich.table import Table

from edge.bundle import MANIFEST, Bundle, Task, is_name, open_bundle
from training.calibration_pictures import count_copies
from training.cli.options import COLLECTION, FOLDER, json_option
from training.cli.progress import Bars, bars
from training.dataset.labelled import read_labelled
from training.dataset.reading import Wishes
from training.dataset.records import Record
from training.errors import DataError, UsageError
from training.export import check_identity, check_target
from training.local.run import RUN_FILE, read_run
from training.precision import Converted, Order, Told, convert_bundle
from training.quantization import Method, Precision

NAME, VERSION = "classifier", "1"
RUNS = "runs"


@dataclass(frozen=True, slots=True)
class _Data:
    """Pictures that the command names, instead of those of the run."""

    calibrate: tuple[Path, ...]
    judge: tuple[Path, ...]


@click.command()
@click.argument("source", metavar="RUN", type=FOLDER)
@click.option(
    "--precision",
    type=click.Choice(get_args(Precision)),
    default="fp32",
    show_default=True,
    help="fp32, as it was trained; fp16, half the size, for GPUs; int8, a quarter of the size, and faster on CPUs.",
)
@click.option("--name", help="The model's name.  [default: that of the fit or bundle]")
@click.option("--version", help="The model's version.  [default: that of the fit or bundle, with -fp16 or -int8]")
@click.option("--output", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the bundle.")
@click.option(
    "--registry",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Put it into this registry, as DIR/NAME/VERSION.  [default: models]",
)
@click.option(
    "--allowed-loss",
    type=click.FloatRange(0, 1),
    default=0.005,
    show_default=True,
    help="How much accuracy (multi-label: iou) fp16 and int8 may lose.",
)
@click.option(
    "--calibration-pictures",
    type=click.IntRange(1),
    default=128,
    show_default=True,
    metavar="N",
    help="Pictures that show int8 the range of each value.",
)
@click.option(
    "--calibration-method",
    type=click.Choice(get_args(Method)),
    default="minmax",
    show_default=True,
    help="Ranges that hold all that was seen, or less of it in finer steps; these take longer.",
)
@click.option(
    "--calibrate",
    multiple=True,
    type=COLLECTION,
    metavar="DATA",
    help="Calibrate on these pictures; repeatable.  [default: those that the run was trained on]",
)
@click.option(
    "--judge",
    multiple=True,
    type=COLLECTION,
    metavar="DATA",
    help="Judge by these pictures; repeatable.  [default: those that the run held out]",
)
@json_option
def export(  # noqa: PLR0913 - one parameter an option, as click passes them
    source: Path,
    *,
    precision: Precision,
    name: str | None,
    version: str | None,
    output: Path | None,
    registry: Path | None,
    allowed_loss: float,
    calibration_pictures: int,
    calibration_method: Method,
    calibrate: tuple[Path, ...],
    judge: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Make a bundle of RUN, the folder of a fit; or of a bundle, one in another precision.

    fp16 and int8 are judged before and after on pictures that were held out, through the edge's own path, and refused
    where more is lost than allowed.
    """
    if output and registry:
        raise UsageError("--output and --registry both say where the bundle goes; give one")
    bundle = _opened(source)
    known = (bundle.manifest.name, bundle.manifest.version) if bundle else _called(source)
    name, version = name or known[0], version or known[1] + ("" if precision == "fp32" else f"-{precision}")
    folder = output or (registry or Path("models")) / name / version
    check_identity(name, version)
    check_target(folder)
    if precision == "fp32":
        _check_plain(bundle, _Data(calibrate, judge))
        _show_plain(_of_run(source, name, version, folder), folder, as_json=as_json)
        return
    order = Order(
        precision=precision,
        name=name,
        version=version,
        allowed_loss=allowed_loss,
        calibration_pictures=calibration_pictures,
        method=calibration_method,
    )
    made = _converted(source, bundle, order, _Data(calibrate, judge), folder)
    _show(made, order, folder, as_json=as_json)


def _opened(source: Path) -> Bundle | None:
    """Return the bundle in a folder, None where it holds a run."""
    if (source / RUN_FILE).exists():
        return None
    if (source / MANIFEST).exists():
        return open_bundle(source)
    raise DataError(f"{source}: holds neither a fit ({RUN_FILE}) nor a bundle ({MANIFEST})")


def _called(run_folder: Path) -> tuple[str, str]:
    """Return the name and version that a fit gave its bundle, as far as its folder tells: runs/NAME/VERSION."""
    version, name, above = (run_folder.absolute(), *list(run_folder.absolute().parents)[:2])
    told = above.name == RUNS and is_name(name.name) and is_name(version.name)
    return (name.name, version.name) if told else (NAME, VERSION)


def _check_plain(bundle: Bundle | None, data: _Data) -> None:
    if bundle:
        raise UsageError(f"{bundle} is a bundle already; make it smaller with --precision fp16 or int8")
    if data.calibrate or data.judge:
        raise UsageError("--calibrate and --judge are for --precision fp16 and int8")


def _of_run(run_folder: Path, name: str, version: str, folder: Path) -> Bundle:
    from training.local.bundling import Export, export_run  # noqa: PLC0415 - torch, which a bundle does not need

    return export_run(run_folder, Export(name=name, version=version), folder, say=_say)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _converted(source: Path, bundle: Bundle | None, order: Order, data: _Data, folder: Path) -> Converted:
    with tempfile.TemporaryDirectory(prefix="automl-train-") as work:
        if bundle is None:
            run = read_run(source)
            held_out, trained_on = run.held_out, run.training
            if not (held_out or data.judge):
                raise DataError(
                    f"{source}: held no pictures out; give some that were not trained on, with --judge DATA"
                )
            bundle = _of_run(source, order.name, order.version, Path(work) / "fp32")
        else:
            held_out, trained_on = (), ()
        task = bundle.manifest.task
        judging, calibration = _records(data.judge, task) or held_out, _records(data.calibrate, task) or trained_on
        with bars() as shown:
            if data.judge:
                _warn_of_trained_on(shown, judging, trained_on)
            return convert_bundle(bundle, order, folder, calibration=calibration, judging=judging, told=_told(shown))


def _warn_of_trained_on(shown: Bars, judging: Sequence[Record], trained_on: Sequence[Record]) -> None:
    copies = count_copies(judging, trained_on)
    if copies:
        shown.say(f"{copies} of {len(judging)} pictures to judge by were trained on: the figures will be too good")


def _records(roots: Sequence[Path], task: Task) -> tuple[Record, ...]:
    return read_labelled(roots, Wishes(task=task)).records if roots else ()


def _told(shown: Bars) -> Told:
    return Told(shown.say, shown.update)


def _show_plain(bundle: Bundle, folder: Path, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_json(bundle, folder, "fp32") | {"metrics": dict(bundle.manifest.metrics)}))
    else:
        click.echo(f"{bundle} is proven and lies in {folder}")


def _json(bundle: Bundle, folder: Path, precision: str) -> dict[str, Any]:
    return {"bundle": str(bundle), "folder": str(folder), "digest": bundle.digest, "precision": precision}


def _show(made: Converted, order: Order, folder: Path, *, as_json: bool) -> None:
    """Print what was won and lost."""
    if as_json:
        told = {"metrics": dict(made.bundle.manifest.metrics), "proven": bool(made.bundle.manifest.golden)}
        click.echo(json.dumps(_json(made.bundle, folder, order.precision) | told))
        return
    table = Table("", "fp32", order.precision, "", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    judged, (before, after) = made.comparison, made.sizes
    table.add_row(judged.metric, f"{judged.before:.4f}", f"{judged.after:.4f}", f"{judged.after - judged.before:+.4f}")
    table.add_row("size", f"{before / 1e6:.2f} MB", f"{after / 1e6:.2f} MB", f"{after / before:.0%}")
    for one in made.speeds:
        threads = "1 thread" if one.threads == 1 else f"{one.threads} threads"
        table.add_row(threads, f"{one.before_ms:.2f} ms", f"{one.after_ms:.2f} ms", f"{one.ratio:.2f}x")
    Console().print(table)
    proven = "is proven" if made.bundle.manifest.golden else "is unproven, as its source has no golden pictures,"
    click.echo(f"{made.bundle} {proven} and lies in {folder}")
