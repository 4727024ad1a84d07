"""Tells whether files have changed since they were last read, cheaply enough to be asked at every request."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

LOOK_S = 1.0
"""How often, at most, the disk is asked."""

_Signature = tuple[tuple[int, int, int, int] | int | None, ...]


class Changes:
    """Looks at ``paths`` at most once in ``every_s`` seconds. Thread-safe.

    A file counts as changed when its inode, size or time of change (ctime: rights count too) differ, when it has come,
    and when it is gone: so one that was replaced is noticed, one behind a link that was turned, one written in place.
    """

    def __init__(self, *paths: Path, every_s: float = LOOK_S, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._paths = paths
        self._every_s = every_s
        self._monotonic = monotonic
        self._looking = threading.Lock()
        self._seen: _Signature = ()
        self._next_s = 0.0
        self.accept()

    def accept(self) -> None:
        """Take what is there now for known. Read the files only then: what changes meanwhile is noticed later."""
        self._seen = self._look()
        self._next_s = self._monotonic() + self._every_s

    def forget(self) -> None:
        """Count as changed at the next look: what is there could not be read."""
        self._seen = ()

    def found(self) -> bool:
        """Tell, to one caller only, that something has changed since; what is there now is known from then on."""
        if self._monotonic() < self._next_s or not self._looking.acquire(blocking=False):
            return False
        try:
            before = self._seen
            self.accept()
            return self._seen != before
        finally:
            self._looking.release()

    def _look(self) -> _Signature:
        return tuple(_signature(path) for path in self._paths)


def _signature(path: Path) -> tuple[int, int, int, int] | int | None:
    try:
        status = path.stat()
    except OSError as error:
        return error.errno
    return status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns
