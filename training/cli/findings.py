"""A labelled collection and its data assets, as tables for people or JSON for programs."""

import json
from collections.abc import Mapping

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from training.azure.data import Uploaded
from training.azure.data_assets import Asset
from training.cli.azure.shown import size_text
from training.dataset.collection import Collection
from training.dataset.finding import Level
from training.dataset.parts import counts

STYLES: Mapping[Level, str] = {"problem": "red", "warning": "yellow", "hint": "cyan"}
MOST_CLASSES = 40
"""How many classes the table of counts has; the rest is summed up."""


def print_collection(collection: Collection, *, as_json: bool) -> None:
    """Print what a collection is, how it is split, and what is wrong with it."""
    if as_json:
        click.echo(json.dumps(collection.as_json(), indent=2, ensure_ascii=False))
        return
    print_summary(collection)
    print_findings(collection)


def print_uploaded(collection: Collection, uploaded: Uploaded, *, as_json: bool) -> None:
    """Print the data assets and the lines for a job file."""
    if as_json:
        assets: dict[str, Asset | None] = {"pictures": uploaded.pictures}
        assets.update({str(part): asset for part, asset in uploaded.tables.items()})
        told = {part: asset.as_json() if asset else None for part, asset in assets.items()}
        sent = {"files": uploaded.sent.files, "bytes": uploaded.sent.bytes, "kept": uploaded.sent.kept}
        content = {**collection.as_json(), "assets": told, "sent": sent}
        click.echo(json.dumps(content, indent=2, ensure_ascii=False))
        return
    print_summary(collection)
    print_findings(collection)
    _print_assets(uploaded)


def print_summary(collection: Collection) -> None:
    """Print the task and the pictures of each class in each part."""
    dataset = collection.checked.dataset
    click.echo(f"{len(dataset.examples)} pictures, {dataset.task}, read as {dataset.format}")
    parts = collection.parts
    table = Table("class", box=None, pad_edge=False)
    for part in parts:
        table.add_column(part, justify="right", no_wrap=True)
    counted = counts(dataset.examples, collection.checked.parts)
    for label, by_part in list(counted.items())[:MOST_CLASSES]:
        table.add_row(escape(label), *(str(by_part[part]) for part in parts))
    if len(counted) > MOST_CLASSES:
        table.add_row(f"and {len(counted) - MOST_CLASSES} more", *("" for _ in parts))
    table.add_row("pictures", *(str(collection.checked.parts.count(part)) for part in parts), style="bold")
    Console().print(table)


def print_findings(collection: Collection) -> None:
    """Print problems, warnings and hints, each with a few of the places."""
    if collection.checked.suspects.silent:
        click.echo(f"wrong labels were not looked for: {collection.checked.suspects.silent}")
    if not collection.findings:
        return
    table = Table("", "what", box=None, pad_edge=False)
    table.add_column("count", justify="right")
    table.add_column("where", overflow="fold")
    for finding in collection.findings:
        style = STYLES[finding.level]
        more = [f"and {finding.count - len(finding.where)} more"] if finding.count > len(finding.where) else []
        where = "\n".join([*map(escape, finding.where), *more])
        level = f"[{style}]{finding.level}[/{style}]"
        table.add_row(level, f"{finding.kind}: {finding.text}", str(finding.count), where)
    Console().print(table)


def _print_assets(uploaded: Uploaded) -> None:
    table = Table("data asset", "type", box=None, pad_edge=False)
    table.add_column("pictures", justify="right")
    table.add_column("")
    for asset in uploaded.assets:
        state = "already there" if asset.known else "new"
        table.add_row(f"{asset.name}:{asset.version}", asset.kind, str(asset.pictures), state)
    Console().print(table)
    sent = uploaded.sent
    click.echo(f"{sent.files} files sent ({size_text(sent.bytes)}), {sent.kept} were there")
    for key, part in (("training_data", "train"), ("validation_data", "validation")):
        for name, asset in uploaded.tables.items():
            if name == part:
                click.echo(f'{key} = "{asset.reference}"')
