"""`automl-train azure promote`: which version devices follow."""

import json
from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from edge.azureml.tags import BUNDLE_TAGS, PROVEN, TASK
from training.azure.promote import Promotion, read_mark, standing
from training.azure.promote import promote as promote_version
from training.azure.registered import Registered
from training.azure.session import Session
from training.cli.azure.options import place_options
from training.cli.options import json_option
from training.errors import UsageError


@click.command()
@click.argument("model", metavar="NAME[:VERSION]")
@click.option("--stage", default="", metavar="S", help="The stage to give, in a workspace: Production.")
@click.option("--tag", default="", metavar="K=V", help="The tag to give: line=prod.")
@click.option("--keep-others", is_flag=True, help="Leave the stage or tag on the versions that have it too.")
@click.option("--list", "listed", is_flag=True, help="Show the versions of NAME with their stages and tags.")
@json_option
@place_options
def promote(
    model: str, *, session: Session, stage: str, tag: str, keep_others: bool, listed: bool, as_json: bool
) -> None:
    """Give NAME:VERSION the stage or tag that devices follow.

    It is taken from the versions that had it before. Everything else about them stays as it is.
    """
    name, _, version = model.partition(":")
    if listed:
        _list(standing(session, name), as_json=as_json)
        return
    if not version:
        raise UsageError(f"which version of {name}? promote {name}:VERSION; --list shows them")
    done = promote_version(session, name, version, read_mark(stage, tag), keep_others=keep_others)
    if as_json:
        click.echo(json.dumps(_told(name, done), indent=2))
        return
    click.echo("\n".join(f"{what:<7} {found}" for what, found in _lines(done)))


def _told(name: str, done: Promotion) -> dict[str, Any]:
    return {
        "name": name,
        "version": done.version.version,
        "mark": str(done.mark),
        "before": list(done.before),
        "after": list(done.after),
        "changed": list(done.changed),
    }


def _lines(done: Promotion) -> Iterator[tuple[str, str]]:
    yield "model", str(done.version)
    yield "mark", str(done.mark)
    yield "before", ", ".join(done.before) or "no version"
    yield "after", ", ".join(done.after)
    yield "result", "changed" if done.changed else "nothing to do: it had it already, alone"


def _list(versions: list[Registered], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([_row(one) for one in versions], indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("version", "stage", "tags", "task", "proven", "registered"):
        table.add_column(column, overflow="fold")
    for one in versions:
        row = _row(one)
        stage = f"{row['stage'] or '-'}{' (archived)' if one.archived else ''}"
        tags = ", ".join(f"{key}={value}" for key, value in row["tags"].items()) or "-"
        task = (row["task"] or one.kind).removeprefix("image-")
        proven = {"true": "yes", "false": "no"}.get(one.tags.get(PROVEN, ""), "-")
        registered = one.created_at.strftime("%Y-%m-%d %H:%M") if one.created_at else "-"
        table.add_row(one.version, stage, tags, task, proven, registered)
    Console().print(table)


def _row(one: Registered) -> dict[str, Any]:
    return {
        "name": one.name,
        "version": one.version,
        "stage": one.stage or None,
        "tags": {key: value for key, value in one.tags.items() if key not in BUNDLE_TAGS},
        "task": one.tags.get(TASK),
        "proven": one.tags.get(PROVEN) == "true",
        "archived": one.archived,
        "registered_at": one.created_at.isoformat() if one.created_at else None,
        "changed_by": one.changed_by or None,
    }
