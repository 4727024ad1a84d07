"""Where numbers and time go on when an outbox starts: what its file says against what stands beside it. Pure."""

from dataclasses import dataclass

from edge.ports import Mark
from edge.publishers.high_water import HighWater
from edge.publishers.outbox import Dropped
from edge.publishers.outbox_clock import OutboxClock, wall_ms
from edge.publishers.outbox_database import Standing, Sync

UNKNOWN_ID = 1 << 40
"""Ids of entries begin beyond this where nothing on the disk can be read, so that they come behind what is there."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is known before the file is open.

    ``mark`` is where numbering goes on should the file stay closed. ``trusted`` tells that the file, once it can be
    read and was not made anew, knows better: no number was given that it does not have.
    """

    mark: Mark
    floor: int
    id: int
    trusted: bool
    clock: OutboxClock

    def gap(self, standing: Standing, *, fresh: bool, late: bool) -> Dropped | None:
        """Return the numbers that were given, or may have been, and are not in the file.

        ``late`` says that numbers were given from ``mark`` on before the file could be read.
        """
        known = standing.mark.seq
        if (self.trusted and not fresh and not late) or self.mark.seq <= known:
            return None
        return Dropped(max(known, self.floor) + 1, self.mark.seq, "lost")


def begin(beside: HighWater | None, boot: str, sync: Sync) -> Beginning:
    """Return where to go on. ``beside`` is what the last process left, None where there is nothing."""
    if beside is None:
        return Beginning(Mark(), 0, max(UNKNOWN_ID, wall_ms() * 1000), trusted=True, clock=OutboxClock())
    same_boot = bool(boot) and beside.boot == boot
    return Beginning(
        mark=Mark(beside.seq_bound, beside.newest_id),
        floor=beside.seq_floor,
        id=beside.id_bound,
        # a commit outlives the process; a power cut only where each one waited for the disk
        trusted=beside.state == "running" and (same_boot or sync == "full"),
        clock=OutboxClock(beside.clock_offset_ms if same_boot else None),
    )
