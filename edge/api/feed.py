"""The last results, and those who watch them live.

A slow watcher loses the oldest results and is told how many; memory stays bounded.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from edge.errors import OverloadedError, StoppingError
from edge.results import Result

KEEP = 100
QUEUE = 64
MAX_WATCHERS = 32


@dataclass(frozen=True, slots=True)
class Batch:
    """What a watcher gets at once: how many results it lost before these, and these, oldest first."""

    dropped: int
    results: Sequence[Result]


class Watcher:
    """One watcher's bounded queue. Filled from any thread, emptied in the event loop that made it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, queue: int) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._waiting: deque[Result] = deque(maxlen=queue)
        self._dropped = 0
        self._closed = False
        self._woken = False
        self._event = asyncio.Event()

    def offer(self, result: Result) -> None:
        """Queue a result; the oldest waiting one gives way when the queue is full."""
        with self._lock:
            self._dropped += len(self._waiting) == self._waiting.maxlen
            self._waiting.append(result)
            self._wake()

    def close(self) -> None:
        """End the watch at once."""
        with self._lock:
            self._closed = True
            self._wake()

    def _wake(self) -> None:
        """Wake the loop, once for all that comes before it looks."""
        if not self._woken:
            self._woken = True
            with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody watches any more
                self._loop.call_soon_threadsafe(self._event.set)

    async def next(self, *, timeout_s: float) -> Batch | None:
        """Return what has come, an empty batch after ``timeout_s`` without anything, None once closed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        with self._lock:
            self._event.clear()
            self._woken = False
            if self._closed:
                return None
            batch = Batch(self._dropped, tuple(self._waiting))
            self._waiting.clear()
            self._dropped = 0
        return batch


class Feed:
    """Keeps the last ``keep`` results and passes each on to at most ``max_watchers`` watchers of ``queue`` results."""

    def __init__(self, *, keep: int = KEEP, queue: int = QUEUE, max_watchers: int = MAX_WATCHERS) -> None:
        self._lock = threading.Lock()
        self._last: deque[Result] = deque(maxlen=keep)
        self._queue = queue
        self._max_watchers = max_watchers
        self._watchers: set[Watcher] = set()
        self._closed = False

    @property
    def keep(self) -> int:
        """How many results are kept at most."""
        return self._last.maxlen or 0

    def observe(self, result: Result) -> None:
        """Take a delivered result (an Observer: any thread, never blocks)."""
        with self._lock:
            self._last.append(result)
            for watcher in self._watchers:
                watcher.offer(result)

    def latest(self, limit: int) -> list[Result]:
        """Return at most ``limit`` results, newest first."""
        with self._lock:
            results = list(self._last)
        return results[::-1][:limit]

    def watch(self, *, after: str | None = None) -> Watcher:
        """Return a new watcher for the running event loop, starting with what came behind the id ``after``.

        Where that result is no longer kept, it starts with all that are.
        Raises OverloadedError when too many watch, StoppingError once closed.
        """
        with self._lock:
            if self._closed:
                raise StoppingError("the daemon is stopping; no results will follow")
            if len(self._watchers) >= self._max_watchers:
                raise OverloadedError(f"{self._max_watchers} clients watch the results already", retry_after_s=10)
            watcher = Watcher(asyncio.get_running_loop(), queue=self._queue)
            if after is not None:
                for result in _behind(after, list(self._last)):
                    watcher.offer(result)
            self._watchers.add(watcher)
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Forget a watcher."""
        with self._lock:
            self._watchers.discard(watcher)

    def close(self) -> None:
        """End every watch at once and take no more watchers; the last results stay readable."""
        with self._lock:
            self._closed = True
            watchers = tuple(self._watchers)
        for watcher in watchers:
            watcher.close()


def _behind(id_: str, results: list[Result]) -> list[Result]:
    """Return what came after the result of that id: ids follow the time of the picture, not that of the answer."""
    place = next((number for number, result in enumerate(results) if result.id == id_), -1)
    return results[place + 1 :]
