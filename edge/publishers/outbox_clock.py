"""The outbox's time: goes on across restarts, and no step of the wall clock makes results old."""

import time
from collections.abc import Callable

PLAUSIBLE_MS = 1_577_836_800_000
"""The beginning of 2020. A device without a clock of its own starts before that; what it put then has no known age."""


def since_boot_ms() -> int:
    """Return the milliseconds since the system started, with those it slept."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def wall_ms() -> int:
    """Return the wall clock in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class OutboxClock:
    """Milliseconds since 1970 by the wall clock as it was at the first use since the system started; steady from then.

    ``offset_ms`` is that time less the system's time since its start.
    """

    def __init__(self, offset_ms: int | None = None, *, since_boot_ms: Callable[[], int] = since_boot_ms) -> None:
        self.offset_ms = wall_ms() - since_boot_ms() if offset_ms is None else offset_ms
        self._since_boot_ms = since_boot_ms

    def now_ms(self) -> int:
        """Return the present moment."""
        return self.offset_ms + self._since_boot_ms()

    def not_before(self, moment_ms: int) -> None:
        """Go on from ``moment_ms`` where that is later than now: what was put before was not put in the future."""
        self.offset_ms += max(0, moment_ms - self.now_ms())
