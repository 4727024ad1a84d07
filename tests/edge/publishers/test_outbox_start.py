"""Where numbers and time go on."""

from dataclasses import replace

import pytest

from edge.ports import Mark
from edge.publishers.high_water import HighWater
from edge.publishers.outbox import Dropped
from edge.publishers.outbox_clock import OutboxClock
from edge.publishers.outbox_database import Standing, Sync
from edge.publishers.outbox_start import begin

RUNNING = HighWater(seq_bound=1010, seq_floor=4, id_bound=2000, state="running", boot="now")
IN_FILE = Standing(Mark(10, "01K"), 4)


@pytest.mark.parametrize(
    ("beside", "sync", "fresh", "late", "gap"),
    [
        (RUNNING, "normal", False, False, None),
        (RUNNING, "normal", True, False, (11, 1010)),
        (RUNNING, "normal", False, True, (11, 1010)),
        (replace(RUNNING, boot="before"), "normal", False, False, (11, 1010)),
        (replace(RUNNING, boot="before"), "full", False, False, None),
        (replace(RUNNING, state="closed", seq_bound=10), "normal", False, False, None),
        (replace(RUNNING, state="closed", seq_bound=12), "normal", False, False, (11, 12)),
        (replace(RUNNING, state="behind", seq_bound=15), "normal", False, False, (11, 15)),
        (None, "normal", False, False, None),
    ],
)
def test_what_was_given_and_is_not_in_the_file_is_named(
    beside: HighWater | None, sync: Sync, fresh: bool, late: bool, gap: tuple[int, int] | None
) -> None:
    """A killed process leaves no doubt; a power cut, a file that is gone and a disk that refused do."""
    found = begin(beside, "now", sync).gap(IN_FILE, fresh=fresh, late=late)
    assert found == (Dropped(*gap, "lost") if gap else None)


def test_an_emptied_file_loses_nothing_that_had_left_before() -> None:
    """What is named begins behind the numbers that are known to have left."""
    assert begin(RUNNING, "now", "normal").gap(Standing(), fresh=True, late=False) == Dropped(5, 1010, "lost")


def test_time_goes_on_within_one_run_of_the_system() -> None:
    """Whatever the wall clock says meanwhile; what is on the disk is never in the future."""
    clock = OutboxClock(1000, since_boot_ms=lambda: 50)
    assert clock.now_ms() == 1050
    clock.not_before(900)
    assert clock.now_ms() == 1050
    clock.not_before(2000)
    assert clock.now_ms() == 2000
    assert begin(replace(RUNNING, clock_offset_ms=77), "now", "normal").clock.offset_ms == 77
