"""Ids of results: ULIDs (github.com/ulid/spec), unique and sortable, whatever the wall clock does."""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from datetime import datetime

from ulid import ULID

from edge.ports import Frame

TIME_BYTES, CHANCE_BYTES = 6, 10
MAX_MS = (1 << 48) - 1


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class Ids:
    """Gives each result its id. Thread-safe.

    Ids rise in the order in which they are given, also where the clock jumps back and after a restart: ``after`` is the
    newest id that was ever given; one that is no ULID counts for nothing. A frame with an identity gets the same id
    each time, made of the time of its capture and its identity.
    """

    def __init__(self, *, after: str = "", wall_ms: Callable[[], int] = _wall_ms) -> None:
        self._wall_ms = wall_ms
        self._last = _number(after)
        self._lock = threading.Lock()

    def of(self, frame: Frame) -> str:
        """Return the id of a frame's result."""
        if frame.identity is not None:
            return _derived(frame.captured_at, frame.source, frame.identity)
        moment_ms = min(max(self._wall_ms(), 0), MAX_MS)
        fresh = moment_ms << 8 * CHANCE_BYTES | secrets.randbits(8 * CHANCE_BYTES)
        with self._lock:
            self._last = max(self._last + 1, fresh)
            return str(ULID.from_int(self._last))


def _number(id_: str) -> int:
    try:
        return int(ULID.from_str(id_))
    except ValueError:
        return 0  # none was given yet, or the disk changed it


def _derived(captured_at: datetime, source: str, identity: bytes) -> str:
    moment_ms = min(max(int(captured_at.timestamp() * 1000), 0), MAX_MS)
    chance = hashlib.sha256(source.encode() + b"\0" + identity).digest()[:CHANCE_BYTES]
    return str(ULID.from_bytes(moment_ms.to_bytes(TIME_BYTES, "big") + chance))
