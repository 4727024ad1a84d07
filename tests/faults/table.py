"""The table at the end of the fault suite: for a terminal of 80 columns, and for the page about reliability."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.faults.tally import Tally

PAGE = Path(__file__).parents[2] / "docs/reliability.md"
BEGIN, END = "<!-- faults: written by python -m tests.faults --page -->", "<!-- end of faults -->"
WIDTH, PAGE_WIDTH = 80, 120
HEAD = ("fault", "times", "produced", "delivered", "dup.", "lost", "worst s", "broker")
WIDTHS = (21, 5, 8, 9, 5, 4, 7, 6)
GAP = "  "


def table(tallies: Sequence[Tally]) -> str:
    """Return the table with everything that there is to say below it."""
    lines = [_line(HEAD), GAP.join("-" * width for width in WIDTHS)]
    for tally in tallies:
        lines += _rows(tally)
    return "\n".join([*lines, "", *_remarks(tallies)]).rstrip()


def markdown(tallies: Sequence[Tally]) -> str:
    """Return the table for the page."""
    head = ("fault", "times", "produced", "delivered", "duplicated", "lost", "worst recovery, s", "lost by the broker")
    rows = [head, ("---", *["---:"] * 7), *((tally.fault, *_cells(tally)) for tally in tallies)]
    said = [f"- {tally.fault}: {note}" for tally in tallies for note in (*tally.problems, *tally.notes)]
    notes = [line for text in said for line in textwrap.wrap(text, PAGE_WIDTH, subsequent_indent="  ")]
    return "\n".join([*(f"| {' | '.join(row)} |" for row in rows), *(["", *notes] if notes else [])])


def page_with(text: str, page: str) -> str:
    """Return ``page`` with what stands between its two markers written anew."""
    between = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", flags=re.S)
    return between.sub(lambda _: f"{BEGIN}\n\n{text}\n\n{END}", page)


def _rows(tally: Tally) -> Iterator[str]:
    first, *rest = textwrap.wrap(tally.fault, WIDTHS[0]) or [""]
    yield _line((first, *_cells(tally)))
    yield from rest


def _cells(tally: Tally) -> tuple[str, ...]:
    recovery = "-" if tally.recovery_s is None else f"{tally.recovery_s:.2f}"
    counts = (tally.times, tally.produced, tally.delivered, tally.duplicated, tally.lost)
    return (*map(str, counts), recovery, str(tally.lost_by_broker))


def _line(cells: Sequence[str]) -> str:
    first, *rest = cells
    numbers = (cell.rjust(width) for cell, width in zip(rest, WIDTHS[1:], strict=True))
    return GAP.join([first.ljust(WIDTHS[0]), *numbers]).rstrip()


def _remarks(tallies: Sequence[Tally]) -> Iterator[str]:
    for tally in tallies:
        said = [*(f"PROBLEM: {problem}" for problem in tally.problems), *tally.notes]
        for text in said:
            yield from textwrap.wrap(f"{tally.fault}: {text}", WIDTH, subsequent_indent="  ")
    failed = [tally.fault for tally in tallies if not tally.passed]
    yield f"{len(failed)} of {len(tallies)} failed" if failed else f"all {len(tallies)} passed"
