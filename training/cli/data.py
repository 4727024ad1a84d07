"""`automl-train data`: makes, checks and uploads data. Imports neither torch nor onnxruntime, so it starts at once."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from training.azure.data import DATASTORE, Destination
from training.azure.data import upload as bring
from training.azure.session import Session
from training.cli.azure.options import session_options
from training.cli.findings import print_collection, print_uploaded
from training.cli.options import json_option
from training.cli.progress import Bars, bars
from training.dataset.annotations import TASKS
from training.dataset.collection import Collection, collect
from training.dataset.drawn import NATIVE_SIZE, SMALLEST_SIZE, write_drawn
from training.dataset.parts import Shares
from training.dataset.reading import FORMATS, Wishes
from training.errors import DataError, UsageError

_SHARE = click.FloatRange(0, 1, max_open=True)
_OPTIONS = (
    click.argument("folder", type=click.Path(exists=True, path_type=Path)),
    click.option(
        "--task",
        type=click.Choice(TASKS),
        metavar="TASK",
        help=f"What is learnt, where the labels do not tell: {', '.join(TASKS)}.",
    ),
    click.option("--format", "written", type=click.Choice(FORMATS), help="How FOLDER is written, if it does not show."),
    click.option(
        "--labels",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Labels' file; repeatable.  [default: the one in FOLDER]",
    ),
    click.option(
        "--pictures",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Where the pictures are.  [default: FOLDER]",
    ),
    click.option("--validation-share", type=_SHARE, default=0.2, show_default=True, help="Of each class."),
    click.option("--test-share", type=_SHARE, default=0.0, show_default=True, help="Of each class."),
    click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same split."),
    click.option("--in-place", is_flag=True, help="Use pictures where they lie in Azure, as the labels tell."),
    click.option("--strict", is_flag=True, help="Take warnings for problems."),
)


@click.group()
def data() -> None:
    """Make, check and upload data."""


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


def collection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a labelled collection, and ``shown`` and ``collected`` in their place.

    ``collected`` reads, looks and checks when it is called with bars to show it in; ``strict`` makes warnings count.
    """

    @wraps(command)
    def run(**given: Any) -> Any:
        wishes = Wishes(given.pop("task"), given.pop("written"), given.pop("labels"), given.pop("pictures"))
        shares = Shares(given.pop("validation_share"), given.pop("test_share"), given.pop("seed"))
        folder, in_place = given.pop("folder"), given.pop("in_place")
        if not shares.validation + shares.test < 1:  # "nan" is below nothing
            raise UsageError("--validation-share and --test-share leave nothing to train on; together they are below 1")

        def collected(shown: Bars) -> Collection:
            told = _told(shown, "checking")
            return collect(folder, wishes, shares, in_place=in_place, told=told)

        return command(collected=collected, **given)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run


def _told(shown: Bars, task: str) -> Callable[[int, int], None]:
    return lambda done, total: shown.update(task, done, total, f"{done}/{total}")


def _stopping(collection: Collection, *, strict: bool) -> str | None:
    """Return why a collection is not fit to be uploaded, None where it is."""
    stopping = collection.findings if strict else collection.problems
    if not stopping:
        return None
    return f"{len(stopping)} of these must be put right: {', '.join(finding.kind for finding in stopping)}"


@data.command(short_help="Check labelled pictures, and show how they would be split.")
@collection_options
@json_option
def check(collected: Callable[[Bars], Collection], *, strict: bool, as_json: bool) -> None:
    """Check the labelled pictures in FOLDER, and show how they would be split. Sends nothing.

    FOLDER is one folder a class, AutoML's JSONL, COCO, Pascal VOC, a CSV of labels, or what an Azure data-labelling
    project exports; or the labels' file itself.
    """
    with bars() as shown:
        collection = collected(shown)
    print_collection(collection, as_json=as_json)
    if reason := _stopping(collection, strict=strict):
        raise DataError(reason)


@data.command(short_help="Check, split and upload labelled pictures as data assets.")
@collection_options
@click.option("--name", required=True, help="Name of the data assets.")
@click.option("--version", help="Version of the data assets.  [default: the same content's, else the next]")
@click.option("--datastore", default=DATASTORE, show_default=True, help="Where the pictures go.")
@session_options
@json_option
def upload(
    collected: Callable[[Bars], Collection], session: Session, *, strict: bool, as_json: bool, **to: Any
) -> None:
    """Check and split the labelled pictures in FOLDER and upload them as data assets.

    The pictures become NAME (a folder), the tables NAME-train, NAME-validation and NAME-test. What is there already is
    not sent again: run the command once more after a loss of the network.
    """
    with bars() as shown:
        collection = collected(shown)
        reason = _stopping(collection, strict=strict)
        if not reason:
            uploaded = bring(collection, session, Destination(**to), _told(shown, "uploading"))
    if reason:
        print_collection(collection, as_json=as_json)
        raise DataError(f"{reason}; nothing was sent")
    print_uploaded(collection, uploaded, as_json=as_json)
