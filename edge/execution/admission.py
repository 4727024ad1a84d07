"""How much may wait: a bound in pictures and in bytes, and an estimate of when there will be room again."""

import threading

from edge.errors import OverloadedError, StoppingError
from edge.predictor import Image

PACE_WEIGHT = 0.1
"""Share of the newest picture in the moving average of the pace."""


def image_bytes(image: Image) -> int:
    """Return how many bytes a waiting picture holds."""
    return len(image) if isinstance(image, bytes) else image.nbytes


class Admission:
    """Counts what was accepted and not answered yet. Thread-safe.

    ``max_pictures`` and ``max_bytes`` bound it; a picture larger than ``max_bytes`` is let in when nothing else waits.
    """

    def __init__(self, *, max_pictures: int, max_bytes: int, workers: int) -> None:
        self.max_pictures = max_pictures
        self._max_bytes = max_bytes
        self._workers = workers
        self._pictures = 0
        self._bytes = 0
        self._pace_s = 0.01
        self._open = True
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """Pictures accepted and not answered yet."""
        return self._pictures

    def enter(self, size_bytes: int) -> None:
        """Count a picture in. Raises OverloadedError when full, StoppingError once closed."""
        with self._lock:
            if not self._open:
                raise StoppingError("the daemon is stopping and takes no new work")
            if self._pictures and (self._pictures >= self.max_pictures or self._bytes + size_bytes > self._max_bytes):
                raise OverloadedError(
                    f"the queue is full ({self._pictures} pictures, {self._bytes / 2**20:.0f} MiB)",
                    retry_after_s=self._pictures * self._pace_s / self._workers,
                )
            self._pictures += 1
            self._bytes += size_bytes

    def leave(self, size_bytes: int) -> None:
        """Count a picture out, whatever became of it."""
        with self._lock:
            self._pictures -= 1
            self._bytes -= size_bytes

    def close(self) -> None:
        """Let nothing in any more."""
        with self._lock:
            self._open = False

    def note_pace(self, spent_s: float) -> None:
        """Take into account that one picture kept a worker busy for ``spent_s`` seconds."""
        self._pace_s += PACE_WEIGHT * (spent_s - self._pace_s)
