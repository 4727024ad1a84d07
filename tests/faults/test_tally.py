"""How rows are counted and shown."""

import json
import random
from pathlib import Path

import pytest

from tests.faults import rows
from tests.faults.table import BEGIN, END, WIDTH, markdown, page_with, table
from tests.faults.tally import Scale, Tally, crashed, from_json, skipped

LONG = Tally(
    "broker restarted without what it knew",
    times=20,
    produced=12_345,
    delivered=12_345,
    duplicated=678,
    recovery_s=1.234,
    lost_by_broker=3,
    notes=("three were acknowledged and then forgotten by the broker, " * 3,),
)


@pytest.mark.parametrize(("count", "short", "full"), [(200, 20, 200), (25, 3, 25), (1, 1, 1)])
def test_the_short_form_runs_a_tenth(tmp_path: Path, count: int, short: int, full: int) -> None:
    """Rounded up, so that every row runs in both forms."""
    assert Scale(full=False, seed=1, folder=tmp_path).of(count) == short
    assert Scale(full=True, seed=1, folder=tmp_path).of(count) == full


def test_chance_repeats(tmp_path: Path) -> None:
    """The same seed and name give the same numbers; another name or seed gives others."""

    def first(seed: int, name: str) -> float:
        chance: random.Random = Scale(full=False, seed=seed, folder=tmp_path).chance(name)
        return chance.random()

    assert first(1, "kill") == first(1, "kill")
    assert len({first(1, "kill"), first(2, "kill"), first(1, "cut")}) == 3


def test_what_fails_a_row() -> None:
    """A lost result or a problem; what the broker lost, and a fault that cannot be made here, do not."""
    assert LONG.passed
    assert skipped("disk full", "no root").passed
    assert not Tally("killed", lost=1).passed
    assert not LONG.with_problems(["seq 7 went to two results"]).passed
    assert not crashed("killed", "ended with exit code 1").passed


def test_a_tally_survives_json() -> None:
    """With the names that the table's file promises, first and in order."""
    found = json.loads(json.dumps(LONG.as_json()))
    assert from_json(found) == LONG
    assert list(found)[:7] == ["fault", "times", "produced", "delivered", "duplicated", "lost", "recovery_s"]


def test_the_table_fits_a_terminal() -> None:
    """80 columns, long names wrapped; the last line tells how many failed."""
    text = table([LONG, crashed("killed", "ended with exit code 1; ValueError: " + "x" * 200)])
    assert max(map(len, text.splitlines())) <= WIDTH
    assert ["12345", "12345", "678", "0", "1.23", "3"] in [line.split()[-6:] for line in text.splitlines()]
    assert text.splitlines()[-1] == "1 of 2 failed"


def test_the_page_gets_the_table_between_its_markers() -> None:
    """And nothing else changes; again and again."""
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = page_with(markdown([LONG]), page)
    assert once.startswith("before\n")
    assert once.endswith("after\n")
    assert "| 20 | 12345 | 12345 | 678 | 0 | 1.23 | 3 |" in once
    assert page_with(markdown([LONG]), once) == once


def test_every_row_has_a_title() -> None:
    """So that a row which crashes has a name in the table."""
    assert all(rows.row(name).TITLE for name in rows.names())
