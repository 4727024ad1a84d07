"""How much may wait: bounds in pictures and in bytes by priority, and an estimate of when there will be room again."""

import math
import threading
from collections.abc import Mapping

from edge.errors import OverloadedError, StoppingError
from edge.ports import Priority
from edge.predictor import Image

PACE_WEIGHT = 0.1
"""Share of the newest picture in the moving average of the pace."""
LARGEST_LEAP = 4.0
"""A picture that was this many times slower than the average, or more, counts as so many times slower."""
SHARE: Mapping[Priority, float] = {Priority.TRIGGER: 1.0, Priority.REQUEST: 0.9, Priority.STREAM: 0.5}
"""How much of the queue may be taken when a picture of that priority asks for room: the rest is kept for others."""
SHORTEST_RETRY_S = 0.1
LONGEST_RETRY_S = 60.0


def image_bytes(image: Image) -> int:
    """Return how many bytes a waiting picture holds."""
    return len(image) if isinstance(image, bytes) else image.nbytes


class Admission:
    """Counts what was accepted and not answered yet. Thread-safe.

    ``max_pictures`` and ``max_bytes`` bound it; a priority gets its ``SHARE`` of both, rounded up. A picture larger
    than its share is let in when nothing else waits. ``workers`` is how many pictures are worked on at once.
    """

    def __init__(self, *, max_pictures: int, max_bytes: int, workers: int) -> None:
        self.max_pictures = max_pictures
        self._rooms = tuple(
            (math.ceil(max_pictures * SHARE[priority]), math.ceil(max_bytes * SHARE[priority])) for priority in Priority
        )
        self._workers = workers
        self._pictures = 0
        self._bytes = 0
        self._by_priority = [0 for _ in Priority]
        self._pace_s = 0.0
        self._open = True
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """Pictures accepted and not answered yet."""
        return self._pictures

    def enter(self, size_bytes: int, priority: Priority = Priority.REQUEST, deadline_s: float | None = None) -> None:
        """Count a picture in.

        Raises OverloadedError where there is no room for its priority, or where its turn would come later than
        ``deadline_s`` at the present pace; StoppingError once closed.
        """
        with self._lock:
            if not self._open:
                raise StoppingError("the daemon is stopping and takes no new work")
            if self._pictures:
                self._check_room(size_bytes, priority)
                self._check_time(priority, deadline_s)
            self._pictures += 1
            self._by_priority[priority] += 1
            self._bytes += size_bytes

    def leave(self, size_bytes: int, priority: Priority = Priority.REQUEST) -> None:
        """Count a picture out, whatever became of it."""
        with self._lock:
            self._pictures -= 1
            self._by_priority[priority] -= 1
            self._bytes -= size_bytes

    def full(self, priority: Priority) -> float | None:
        """Return in how many seconds to come again where not even a small picture would find room; else None."""
        max_pictures, max_bytes = self._rooms[priority]
        return self._retry_after_s() if self._pictures >= max_pictures or self._bytes >= max_bytes else None

    def close(self) -> None:
        """Let nothing in any more."""
        with self._lock:
            self._open = False

    def note_pace(self, spent_s: float) -> None:
        """Take into account that all workers together finished a picture every ``spent_s`` seconds.

        A single picture that took very long counts as a somewhat slower one; many in a row are believed within a dozen.
        """
        if not self._pace_s:
            self._pace_s = spent_s
        self._pace_s += PACE_WEIGHT * (min(spent_s, LARGEST_LEAP * self._pace_s) - self._pace_s)

    def _check_room(self, size_bytes: int, priority: Priority) -> None:
        max_pictures, max_bytes = self._rooms[priority]
        if self._pictures >= max_pictures or self._bytes + size_bytes > max_bytes:
            raise OverloadedError(
                f"the queue is full for a {priority.name.lower()} "
                f"({self._pictures} pictures, {self._bytes / 2**20:.0f} MiB)",
                retry_after_s=self._retry_after_s(),
            )

    def _check_time(self, priority: Priority, deadline_s: float | None) -> None:
        """Refuse at once what could only be refused later."""
        if deadline_s is None:
            return
        ahead = sum(self._by_priority[: priority + 1])
        wait_s = max(0, ahead - self._workers + 1) * self._pace_s
        if wait_s > deadline_s:
            raise OverloadedError(
                f"the work before it takes some {wait_s:.1f} s, longer than the {deadline_s:g} s allowed",
                retry_after_s=self._retry_after_s(),
            )

    def _retry_after_s(self) -> float:
        """Return how long the present work will take, never so little that asking again would be a loop."""
        return min(max(self._pictures * self._pace_s, SHORTEST_RETRY_S), LONGEST_RETRY_S)
