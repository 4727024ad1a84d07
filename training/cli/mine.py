"""`automl-train mine`: which pictures a person should look at next, and why."""

import json
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge.bundle import Bundle, open_bundle
from edge.session import Device
from training.cli.options import COLLECTION, FOLDER, json_option, wishes_options
from training.cli.progress import bars
from training.dataset.labelled import read_labelled
from training.dataset.reading import Wishes
from training.dataset.records import Record
from training.errors import UsageError
from training.hard_negatives import Found, Hard, find_hard, printable, unlabelled
from training.judge import check_classes
from training.mining import WAYS, By
from training.set_aside import copy_by_answer, list_paths, write_lists

MOST_NAMED = 5


@click.command()
@click.argument("bundle", type=FOLDER)
@click.argument("paths", nargs=-1, required=True, type=COLLECTION, metavar="PICTURES...")
@click.option("--labelled", is_flag=True, help="PICTURES have labels: a folder a class, JSONL, COCO or a CSV.")
@wishes_options
@click.option("--count", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Pictures, at most.")
@click.option(
    "--by", type=click.Choice(WAYS), help="What is looked for.  [default: both with --labelled, else uncertain]"
)
@click.option("--output", type=click.Path(path_type=Path), metavar="DIR", help="Write DIR.csv and DIR.jsonl.")
@click.option("--copy", is_flag=True, help="Copy the pictures to DIR/ANSWER/, for a labelling tool.")
@click.option("--sheet", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.html|.png", help="Show them.")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "gpu", "require-gpu"]),
    default="auto",
    show_default=True,
    help="What runs the model.",
)
@json_option
def mine(  # noqa: PLR0913 - one parameter an option, as click passes them
    bundle: Path,
    paths: tuple[Path, ...],
    *,
    labelled: bool,
    wishes: Wishes,
    count: int,
    by: By | None,
    output: Path | None,
    copy: bool,
    sheet: Path | None,
    device: Device,
    as_json: bool,
) -> None:
    """Find the pictures that BUNDLE learns most from next, and tell why.

    Without labels those that it is not sure of, no two alike; with --labelled first the mistakes that it is sure of.
    PICTURES are files and folders, or labelled collections. Nothing that is there is changed.
    """
    way = _way(by, labelled=labelled)
    _check_targets(output, sheet, paths, copy=copy)
    opened = open_bundle(bundle)
    records = _records(opened, paths, wishes, labelled=labelled)
    with bars() as shown:
        found = find_hard(
            opened,
            records,
            by=way,
            count=count,
            device=device,
            told=lambda task, done, total: shown.update(task, done, total, f"{done}/{total}"),
        )
    _print(found, as_json=as_json)
    _warn(found)
    if sheet is not None:
        _write_sheet(sheet, opened, found)
    if output is not None:
        _set_aside(output, found, copy=copy)


def _way(by: By | None, *, labelled: bool) -> By:
    if by not in (None, "uncertain") and not labelled:
        raise UsageError(f"--by {by}: only labels tell what is a mistake; give --labelled, or --by uncertain")
    return by or ("both" if labelled else "uncertain")


def _check_targets(output: Path | None, sheet: Path | None, paths: tuple[Path, ...], *, copy: bool) -> None:
    """Make sure, before any work, that what is asked for can be written."""
    if copy and output is None:
        raise UsageError("--copy: give the folder that the copies go to with --output")
    if output is not None and (output.is_file() or not output.name):
        raise UsageError(f"--output {output}: must be a folder's name")
    given = {path.resolve() for path in paths}
    for path in [*(list_paths(output) if output else ()), *([sheet] if sheet else ())]:
        if path.resolve() in given:
            raise UsageError(f"{path}: is what is to be read, and would be overwritten; choose another name")
    if sheet is not None:
        from training.pages.sheet import check_suffix  # noqa: PLC0415 - jinja2, for who wants a sheet

        check_suffix(sheet)
        if not sheet.parent.is_dir():
            raise UsageError(f"{sheet}: there is no folder {sheet.parent}")


def _records(bundle: Bundle, paths: tuple[Path, ...], wishes: Wishes, *, labelled: bool) -> list[Record]:
    task = bundle.manifest.task
    if not labelled:
        if wishes != Wishes():
            raise UsageError("--task, --format, --labels and --pictures tell how labels are read; give --labelled too")
        return unlabelled(paths)
    if wishes.task not in (None, task):
        raise UsageError(f"--task {wishes.task}: the bundle is for {task}; leave --task out")
    records = list(read_labelled(paths, replace(wishes, task=task)).records)
    check_classes(bundle, records)
    return records


def _print(found: Found, *, as_json: bool) -> None:
    if as_json:
        told = {
            "pictures": found.pictures,
            "mistakes": found.mistakes,
            "hard": [asdict(one.hard) for one in found.chosen],
        }
        unreadable = [{"path": printable(one.record.path), "reason": one.reason} for one in found.unreadable]
        click.echo(json.dumps({**told, "unreadable": unreadable}, indent=2, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("margin", "entropy"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    table.add_column("picture", overflow="fold")
    for one in (chosen.hard for chosen in found.chosen):
        table.add_row(f"{one.margin:.3f}", f"{one.entropy:.3f}", Text(_why(one)), Text(one.path))
    console = Console()
    console.print(table, soft_wrap=not console.is_terminal)


def _why(one: Hard) -> str:
    return f"{one.reason} ({one.alike} alike)" if one.alike else one.reason


def _warn(found: Found) -> None:
    kinds = Counter(one.hard.kind for one in found.chosen)
    mistakes = "" if found.mistakes is None else f" of {found.mistakes} mistakes"
    parts = [f"{kinds['mistake']}{mistakes}"] if kinds["mistake"] or found.mistakes is not None else []
    parts += [f"{kinds['uncertain']} uncertain"] if kinds["uncertain"] else []
    pictures = "1 picture" if found.pictures == 1 else f"{found.pictures} pictures"
    click.echo(f"{pictures}: {', '.join(parts) or 'none to look at'}", err=True)
    if found.unreadable:
        named = "; ".join(f"{one.record.path}: {one.reason}" for one in found.unreadable[:MOST_NAMED])
        more = f"; and {len(found.unreadable) - MOST_NAMED} more" if len(found.unreadable) > MOST_NAMED else ""
        unreadable = "1 picture" if len(found.unreadable) == 1 else f"{len(found.unreadable)} pictures"
        click.echo(f"warning: {unreadable} cannot be read: {named}{more}", err=True)


def _write_sheet(sheet: Path, bundle: Bundle, found: Found) -> None:
    from training.pages.sheet import Section, Tile, write_sections  # noqa: PLC0415 - as above

    titles = {"mistake": "Confident mistakes", "uncertain": "Uncertain"}
    sections = [
        Section(
            title,
            [
                Tile(
                    one.record.path,
                    f"{one.hard.answer or 'nothing'} {one.hard.score:.2f}",
                    (_why(one.hard), one.hard.path),
                )
                for one in found.chosen
                if one.hard.kind == kind
            ],
        )
        for kind, title in titles.items()
        if any(one.hard.kind == kind for one in found.chosen)
    ]
    intro = f"{len(found.chosen)} of {found.pictures} pictures, chosen by what {bundle} answers to them."
    write_sections(sheet, sections, title="Pictures to look at", intro=intro)
    click.echo(f"written: {sheet}", err=True)


def _set_aside(output: Path, found: Found, *, copy: bool) -> None:
    for path in write_lists(output, [one.hard for one in found.chosen]):
        click.echo(f"written: {path}", err=True)
    if copy:
        new = copy_by_answer(output, found.chosen)
        click.echo(f"copied to {output}: {new}; there already: {len(found.chosen) - new}", err=True)
