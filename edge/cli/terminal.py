"""Tables for people: they fit a narrow terminal, and are plain lines of any width where nobody looks."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

UNLIMITED = 100_000
"""Columns of an output that is no terminal: nothing is wrapped, so that other programs get whole lines."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> Table:
    """Return a table; columns named in ``right`` hold numbers, line up to the right and are never broken."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in head:
        made.add_column(name, justify="right" if name in right else "left", no_wrap=name in right, overflow="fold")
    for row in rows:
        made.add_row(*map(Text, row))
    return made


def show(renderable: Table) -> None:
    """Print a table on standard output."""
    if sys.stdout.isatty():
        Console().print(renderable)
        return
    buffer = StringIO()
    Console(file=buffer, width=UNLIMITED, color_system=None).print(renderable)
    click.echo("\n".join(line.rstrip() for line in buffer.getvalue().splitlines()))


def size_text(size_bytes: int) -> str:
    """Return a size as a person reads it, in KiB or MiB."""
    return f"{size_bytes / 2**20:.1f} MiB" if size_bytes >= 1 << 20 else f"{size_bytes / 2**10:.1f} KiB"


@contextmanager
def byte_bar(what: str) -> Iterator[Callable[[int, int], object]]:
    """Show how much of something is here, on standard error and where that is a terminal; give what is told it."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda took, of: bar.update(task, completed=took, total=of or None)
