"""How long a rehearsal may take: the time in which it could have got on, not that in which it waited for a core."""

import time
from collections.abc import Callable
from pathlib import Path

MOST = 4
"""However long it waits for a core, it is given up after so many times its limit."""
PROC = Path("/proc")


class Patience:
    """``timeout_s`` for the process ``pid``, longer by what it waited for a core, but at most :data:`MOST` times.

    A modest process on a busy device is slow through no fault of the model that it loads.
    """

    def __init__(
        self,
        timeout_s: float,
        pid: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        waited_s: Callable[[int], float] | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        self._pid = pid
        self._clock = clock
        self._waited_s = waited_s or waited_for_a_core_s
        self._began = clock()

    @property
    def left_s(self) -> float:
        """Seconds that are left, 0 where none are."""
        left = self._timeout_s - (self._clock() - self._began)
        if left > 0:
            return left
        more = min(self._waited_s(self._pid), (MOST - 1) * self._timeout_s)
        return max(left + more, 0.0)


def waited_for_a_core_s(pid: int) -> float:
    """Return the longest that a thread of a process was ready to run and did not; 0 where the kernel does not tell.

    The second number in ``/proc/PID/task/TID/schedstat``, in nanoseconds: Linux, Documentation/scheduler/sched-stats.
    """
    waits = [0]
    for task in PROC.glob(f"{pid}/task/*/schedstat"):
        try:
            waits.append(int(task.read_text(encoding="ascii").split()[1]))
        except (OSError, ValueError, IndexError):
            continue
    return max(waits) / 1e9
