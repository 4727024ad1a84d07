"""`automl-train azure compute`: clusters to train on."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

from training.azure import compute as clusters
from training.azure.compute import Compute, Ensured, Wish
from training.azure.session import Session
from training.cli.azure.options import session_options
from training.cli.options import json_option


@click.group()
def compute() -> None:
    """Make and look at compute clusters.

    A cluster with --min 0 costs nothing while nothing runs; a job waits some minutes for its first node. A job can also
    run serverless, without any cluster: give its job file [serverless] with an instance_type in place of compute, and
    Azure makes the machine for that job and takes it away after. A cluster is worth it where many jobs follow each
    other (its nodes stay for --idle seconds), or where it has a network or an identity of its own.
    """


@compute.command(short_help="Make the cluster NAME, or change what differs.")
@click.argument("name")
@click.option("--size", required=True, metavar="SIZE", help="Size of the machines, as Standard_NC4as_T4_v3.")
@click.option(
    "--min", "low_nodes", type=click.IntRange(0), default=0, show_default=True, help="Nodes that always stay."
)
@click.option("--max", "high_nodes", type=click.IntRange(1), default=4, show_default=True, help="Nodes at most.")
@click.option(
    "--idle",
    "idle_s",
    type=click.IntRange(1),
    default=1200,
    show_default=True,
    help="Seconds that a node without work stays.",
)
@click.option(
    "--priority",
    type=click.Choice(["dedicated", "low"]),
    default="dedicated",
    show_default=True,
    help="Low is cheaper, and may be taken away while it works.",
)
@click.option("--identity", is_flag=True, help="Let what runs there sign in by itself, as a pipeline's steps.")
@session_options
@json_option
def ensure(session: Session, name: str, *, size: str, priority: str, as_json: bool, **wished: Any) -> None:
    """Make the cluster NAME, change what differs, or say that it is as wished.

    Size and priority of a cluster never change in Azure.
    """
    wish = Wish(name, size, low_priority=priority == "low", **wished)
    warning = clusters.gpu_warning(size)
    if warning:
        click.echo(f"warning: {warning}", err=True)
    with _status(f"cluster {name}") as shown:
        ensured = clusters.ensure(session, wish, shown)
    if as_json:
        click.echo(json.dumps({**asdict(ensured), "warning": warning}, indent=2))
    else:
        click.echo(_said(ensured))


@compute.command("list")
@session_options
@json_option
def list_(session: Session, *, as_json: bool) -> None:
    """List the computes of the workspace."""
    found = clusters.computes(session)
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=2))
    elif found:
        Console().print(_table(found))
    else:
        click.echo("no computes; `automl-train azure compute ensure` makes one")


@compute.command()
@click.argument("name")
@session_options
@json_option
def show(session: Session, name: str, *, as_json: bool) -> None:
    """Show the compute NAME."""
    found = clusters.compute_named(session, name)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2))
        return
    table = Table.grid(padding=(0, 2))
    rows = {
        "name": found.name,
        "kind": found.kind,
        "state": found.state,
        "error": found.error,
        "size": found.size,
        "nodes": _nodes(found) or None,
        "idle": None if found.idle_s is None else f"{found.idle_s} s",
        "priority": _priority(found) or None,
        "identity": found.identity and " ".join(filter(None, [found.identity, found.object_id])),
    }
    for key, value in rows.items():
        if value is not None:
            table.add_row(key, escape(value))
    Console().print(table)


@contextmanager
def _status(what: str) -> Iterator["_Line"]:
    """Show a line that changes on a terminal; elsewhere nothing, since nothing in it lasts."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Line(what, None)
        return
    with console.status(what) as status:
        yield _Line(what, status)


class _Line:
    def __init__(self, what: str, status: Status | None) -> None:
        self._what = what
        self._status = status

    def __call__(self, text: str) -> None:
        if self._status is not None:
            self._status.update(f"{self._what}: {text}")


def _said(ensured: Ensured) -> str:
    one = ensured.compute
    how = f"{ensured.outcome}: {', '.join(ensured.changes)}" if ensured.changes else ensured.outcome
    told = f"{one.size}, {_nodes(one)} nodes, {_priority(one)}, each kept for {one.idle_s} s without work"
    who = f"\nits identity, which needs roles: {one.object_id}" if one.object_id else ""
    return f"cluster {one.name} is {how}\n{told}{who}"


def _table(found: list[Compute]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "size", "nodes", "priority", "state"):
        table.add_column(heading, overflow="fold")
    for one in found:
        state = escape(f"{one.state}: {one.error}" if one.error else one.state)
        table.add_row(one.name, one.size or one.kind, _nodes(one), _priority(one), state)
    return table


def _nodes(one: Compute) -> str:
    return "" if one.high_nodes is None else f"{one.low_nodes} to {one.high_nodes}"


def _priority(one: Compute) -> str:
    return "" if one.low_priority is None else "low" if one.low_priority else "dedicated"
