"""Figures of a judged model, as a table for people or JSON for programs."""

import json
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from training.evaluation import Confusion


def print_figures(judged: Confusion, figures: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the figures as JSON, or the confusion table and accuracy."""
    if as_json:
        click.echo(json.dumps(figures, indent=2))
        return
    table = Table("true class", box=None, pad_edge=False)
    for label in judged.labels:
        table.add_column(label, justify="right", no_wrap=True)
    for label, row in zip(judged.labels, judged.counts.tolist(), strict=True):
        table.add_row(label, *map(str, row))
    Console().print(table)
    click.echo(f"accuracy {judged.accuracy:.4f}: {judged.mistakes} of {judged.total} wrong")
