"""What a row of the fault suite is told and what it answers: pure counting, no processes."""

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

SHORT_SHARE = 0.1
"""The part of a row's counts that the short form of the suite runs."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much a row does, with which chance, and where: ``folder`` is empty and the row's own."""

    full: bool
    seed: int
    folder: Path

    def of(self, count: int, *, least: int = 1) -> int:
        """Return ``count`` in the full form, a tenth of it in the short one, but ``least`` in any."""
        return max(least, count if self.full else math.ceil(count * SHORT_SHARE))

    def chance(self, name: str) -> random.Random:
        """Return a source of random numbers that repeats for the same seed and name."""
        return random.Random(f"{self.seed}:{name}")


@dataclass(frozen=True, slots=True)
class Tally:
    """One line of the table.

    ``times`` counts the faults. ``produced`` counts results that were owed to the receiver, ``delivered`` those that it
    acknowledged, ``duplicated`` those that it got again under the same id, ``lost`` those it never got. ``recovery_s``
    is the worst time from the end of a fault to the first delivery after it. ``lost_by_broker`` counts what a broker
    acknowledged and then forgot, which no client can prevent; ``destroyed`` what the fault itself destroyed on the disk
    and the daemon has counted and named. A row fails where anything is lost or ``problems`` has
    entries; ``notes`` only tell.
    """

    fault: str
    times: int = 0
    produced: int = 0
    delivered: int = 0
    duplicated: int = 0
    lost: int = 0
    recovery_s: float | None = None
    lost_by_broker: int = 0
    destroyed: int = 0
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing was lost and nothing was wrong."""
        return self.lost == 0 and not self.problems

    def with_problems(self, problems: Iterable[str]) -> "Tally":
        """Return the tally with more problems."""
        return replace(self, problems=(*self.problems, *problems))

    def as_json(self) -> dict[str, Any]:
        """Return the tally as an object of ``faults.json``."""
        return asdict(self)


def from_json(found: Mapping[str, Any]) -> Tally:
    """Return what ``as_json`` wrote."""
    return Tally(**{**found, "notes": tuple(found["notes"]), "problems": tuple(found["problems"])})


def skipped(fault: str, reason: str) -> Tally:
    """Return the line of a fault that cannot be made on this machine."""
    return Tally(fault, notes=(f"skipped: {reason}",))


def crashed(fault: str, reason: str) -> Tally:
    """Return the line of a row that did not come to its end."""
    return Tally(fault, problems=(reason,))
