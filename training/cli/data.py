"""`automl-train data`: makes, checks and uploads data. Imports neither torch nor onnxruntime, so it starts at once."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from training.azure.data import DATASTORE, Destination
from training.azure.data import upload as bring
from training.azure.session import Session
from training.cli.azure.options import session_options
from training.cli.collection import Collected, collection_options, reading_options, splitting_options, told
from training.cli.findings import print_collection, print_summary, print_uploaded
from training.cli.options import json_option
from training.cli.progress import bars
from training.dataset.collection import Care, Collection, collect
from training.dataset.drawn import NATIVE_SIZE, SMALLEST_SIZE, write_drawn
from training.dataset.parts import Shares
from training.dataset.reading import Wishes, read_dataset
from training.dataset.writing import TARGETS, Target, planned, whole_folder, write
from training.errors import DataError, UsageError

_link_option = click.option(
    "--copy/--link", "copied", default=True, help="Copy pictures, or make symbolic links to them."
)


@click.group()
def data() -> None:
    """Make, check, convert, split and upload data."""


@data.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--count", type=click.IntRange(1), default=60, show_default=True, help="Pictures in all.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same pictures.")
@click.option(
    "--size", type=click.IntRange(SMALLEST_SIZE, 4096), default=NATIVE_SIZE, show_default=True, help="Pixels a side."
)
@click.option(
    "--format", "suffix", type=click.Choice(["png", "jpg"]), default="png", show_default=True, help="File format."
)
def draw(out: Path, count: int, seed: int, size: int, suffix: str) -> None:
    """Draw steel surfaces with six kinds of defect into OUT/<Class>/."""
    written = sum(1 for _ in write_drawn(out, count, seed, size, f".{suffix}"))
    click.echo(f"{written} pictures in {out}")


def _stopping(collection: Collection, *, strict: bool) -> str | None:
    """Return why a collection is not fit to be uploaded, None where it is."""
    stopping = collection.worries if strict else collection.problems
    if not stopping:
        return None
    return f"{len(stopping)} of these must be put right: {', '.join(finding.kind for finding in stopping)}"


@data.command(short_help="Check labelled pictures, and show how they would be split.")
@collection_options
@click.option(
    "--sheet",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Show what looks wrong as a contact sheet in this file, .html or .png.",
)
@click.option(
    "--suspects/--no-suspects",
    default=None,
    help="Look for wrong labels, with scikit-learn.  [default: where it is installed]",
)
@json_option
def check(collected: Collected, *, strict: bool, sheet: Path | None, suspects: bool | None, as_json: bool) -> None:
    """Check the labelled pictures in FOLDER, and show how they would be split. Sends nothing.

    FOLDER is one folder a class, AutoML's JSONL, COCO, Pascal VOC, YOLO, a CSV of labels, or what an Azure
    data-labelling project exports; or the labels' file itself.
    """
    write_sheet = _sheet_writer(sheet)
    with bars() as shown:
        collection = collected(shown, suspects=_searched(suspects))
    print_collection(collection, as_json=as_json)
    write_sheet(collection)
    if reason := _stopping(collection, strict=strict):
        raise DataError(reason)


def _searched(suspects: bool | None) -> bool:
    """Tell whether wrong labels are looked for; what that needs is not in every installation."""
    if suspects is None and not find_spec("sklearn"):
        click.echo("wrong labels are not looked for: that needs pip install 'automl-edge[cpu,train]'", err=True)
        return False
    return suspects is not False


def _sheet_writer(path: Path | None) -> Callable[[Collection], None]:
    """Return what writes the sheet; what keeps it from being written is found before the pictures are looked at."""
    if not path:
        return lambda _: None
    from training.pages.doubts import write_doubts  # noqa: PLC0415 - who wants no sheet needs no jinja2
    from training.pages.sheet import check_suffix  # noqa: PLC0415

    check_suffix(path)
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent}: no such folder, for {path.name}")

    def write(collection: Collection) -> None:
        count = write_doubts(path, collection)
        click.echo(f"{count} pictures to look at in {path}", err=True)

    return write


@data.command(short_help="Write labelled pictures in another format.")
@reading_options
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--to", "target", type=click.Choice(TARGETS), required=True, help="Format of OUT.")
@_link_option
def convert(folder: Path, wishes: Wishes, out: Path, *, target: Target, copied: bool) -> None:
    """Write the labelled pictures in FOLDER into the new folder OUT, in the format that --to names.

    What a format cannot hold is refused, or told of where it is little. OUT is made as a whole or not at all.
    """
    _check_outside(out, folder)
    with whole_folder(out) as partial, bars() as shown:
        plan = planned(read_dataset(folder, wishes), target, told(shown, "reading"))
        write(plan, partial, link=not copied, told=told(shown, "writing"))
    click.echo(f"{len(plan.sources)} pictures in {out}")
    _tell_lost(plan.lost)


@data.command(short_help="Split labelled pictures into folders of their own.")
@reading_options
@splitting_options
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--to", "target", type=click.Choice(TARGETS), help="Format of the parts.  [default: that of FOLDER]")
@_link_option
def split(
    folder: Path, wishes: Wishes, shares: Shares, care: Care, out: Path, *, target: Target | None, copied: bool
) -> None:
    """Split the labelled pictures in FOLDER by class and seed, into OUT/train, OUT/validation and OUT/test.

    Pictures that look the same, or that --by-name joins, are never parted. OUT is made as a whole or not at all.
    """
    _check_outside(out, folder)
    with whole_folder(out) as partial, bars() as shown:
        collection = collect(folder, wishes, shares, care, told=told(shown, "checking"))
        _check_usable(collection, folder)
        dataset, lost = collection.checked.dataset, Counter[str]()
        for part in collection.parts:
            inside = replace(dataset, examples=tuple(example for example, _ in collection.rows(part)))
            plan = planned(inside, target or dataset.format, classes=dataset.classes)
            write(plan, partial / part, link=not copied, told=told(shown, f"writing {part}"))
            lost += plan.lost
    print_summary(collection)
    _tell_lost(lost)
    if others := len(collection.problems):
        click.echo(
            f"{others} kinds of problems went into the parts, too; see automl-train data check {folder}", err=True
        )


_UNUSABLE = frozenset(("missing", "unreadable", "damaged", "huge", "contradiction"))
"""Findings that no part of a split should be given: nothing can be learnt from them."""


def _check_usable(collection: Collection, folder: Path) -> None:
    for finding in collection.problems:
        if finding.kind in _UNUSABLE:
            where = ", ".join(finding.where)
            raise DataError(
                f"{finding.count} {finding.text} ({where}); mend or remove them, see automl-train data check {folder}"
            )


def _check_outside(out: Path, folder: Path) -> None:
    """Refuse a new collection inside the old one, which would be another from then on."""
    if folder.is_dir() and out.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"{out}: lies in {folder}, and would be read as a part of it; name a place beside it")


def _tell_lost(lost: Mapping[str, int]) -> None:
    for what, count in lost.items():
        if count:
            click.echo(f"{count} {what}", err=True)


@data.command(short_help="Check, split and upload labelled pictures as data assets.")
@collection_options
@click.option("--name", required=True, help="Name of the data assets.")
@click.option("--version", help="Version of the data assets.  [default: the same content's, else the next]")
@click.option("--datastore", default=DATASTORE, show_default=True, help="Where the pictures go.")
@session_options
@json_option
def upload(collected: Collected, session: Session, *, strict: bool, as_json: bool, **to: Any) -> None:
    """Check and split the labelled pictures in FOLDER and upload them as data assets.

    The pictures become NAME (a folder), the tables NAME-train, NAME-validation and NAME-test. What is there already is
    not sent again: run the command once more after a loss of the network.
    """
    with bars() as shown:
        collection = collected(shown)
        reason = _stopping(collection, strict=strict)
        if not reason:
            uploaded = bring(collection, session, Destination(**to), told(shown, "uploading"))
    if reason:
        print_collection(collection, as_json=as_json)
        raise DataError(f"{reason}; nothing was sent")
    print_uploaded(collection, uploaded, as_json=as_json)
