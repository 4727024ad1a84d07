"""One span of time for the whole stop: parts are closed in reverse order of their start, whatever hangs.

A stop must end in time even where a part does not: on a frozen disk, at a broker that hangs, in a request without end.
So each part is closed in a thread of its own, which is left behind when its time is up; and where the shell itself
hangs, a last resort ends the process. What was stored stays stored.
"""

import inspect
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

RESERVE = 0.05
"""Share of the whole time that is kept for each part that is still to be closed."""
GRACE = 0.1
"""Share of a part's time that it is not told of: it needs it to come back when its time is up."""
LAST_WORDS_S = 0.5
"""How long the last resort may take to say what hung: a log that nobody reads must not hold it up."""

_log = logging.getLogger(__name__)
LAST_RESORT = "last-resort"
OWN_THREADS = frozenset({LAST_RESORT, "signals"})
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A part that did not close within ``given_s`` seconds."""

    part: str
    given_s: float


def share_s(*, left_s: float, whole_s: float, later: int) -> float:
    """Return how many seconds a part may take to close when ``later`` parts come after it.

    All that is left but ``RESERVE`` of the whole for each of them; where many hang, an equal share of what is left.
    """
    return max(left_s - RESERVE * whole_s * later, left_s / (later + 1), 0.0)


class Stopping(ExitStack):
    """A stack of what is to be closed. A callback that takes ``timeout_s`` is told how long it may take.

    ``timeout_s`` is for all of them together, from ``begin`` on (the first callback begins where nobody did). A fault
    in one of them is logged, and the others are closed all the same.
    """

    def __init__(self, *, timeout_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._timeout_s = timeout_s
        self._clock = clock
        self._ends_at: float | None = None
        self._waiting = 0
        self.closing: str | None = None
        """The part that is being closed."""
        self.left_behind: list[LeftBehind] = []
        self.failed: list[str] = []
        """Parts whose closing met a fault."""

    def begin(self) -> None:
        """Let the time run from now on; once."""
        if self._ends_at is None:
            self._ends_at = self._clock() + self._timeout_s

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        return self._timeout_s if self._ends_at is None else max(0.0, self._ends_at - self._clock())

    def callback(self, callback: Callable[P, T], /, *args: P.args, **kwds: P.kwargs) -> Callable[P, T]:
        """Have ``callback`` called when the stack is undone, for as long as it may take."""
        self._waiting += 1
        super().callback(self._close, callback, args, kwds)
        return callback

    def _close(self, close: Callable[..., object], args: Sequence[Any], kwds: dict[str, Any]) -> None:
        self.begin()
        self._waiting -= 1
        given_s = share_s(left_s=self.left_s, whole_s=self._timeout_s, later=self._waiting)
        if "timeout_s" in inspect.signature(close).parameters:
            kwds = {"timeout_s": given_s * (1 - GRACE)} | kwds
        self.closing = part_name(close)
        worker = threading.Thread(
            target=self._guarded, args=(self.closing, close, args, kwds), name="stopping", daemon=True
        )
        worker.start()
        worker.join(given_s)
        if worker.is_alive():
            self.left_behind.append(LeftBehind(self.closing, given_s))
            _log.error("a part does not stop and is left behind", extra={"part": self.closing, "after_s": given_s})

    def _guarded(self, part: str, close: Callable[..., object], args: Sequence[Any], kwds: dict[str, Any]) -> None:
        try:
            close(*args, **kwds)
        except Exception:  # noqa: BLE001 - logged in full and counted; the parts that follow are closed all the same
            self.failed.append(part)
            _log.exception("a part failed while stopping", extra={"part": part})


def part_name(close: Callable[..., object]) -> str:
    """Return what a method's object is called, for a person: its class and, where it has one, its name."""
    owner = getattr(close, "__self__", None)
    if owner is None:
        return getattr(close, "__qualname__", repr(close))
    name = getattr(owner, "name", None)
    return f"{type(owner).__name__} {name}" if isinstance(name, str) else type(owner).__name__


class LastResort:
    """While entered, ends the process ``timeout_s`` after ``asked`` is set.

    ``doing`` names what hangs; ``exit_code`` is asked at the end. Neither may wait for anything.
    """

    def __init__(
        self,
        asked: threading.Event,
        *,
        timeout_s: float,
        doing: Callable[[], str],
        exit_code: Callable[[], int],
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._asked = asked
        self._timeout_s = timeout_s
        self._doing = doing
        self._exit_code = exit_code
        self._end = end
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name=LAST_RESORT, daemon=True)

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._asked.set()
        self._watcher.join()

    def _watch(self) -> None:
        self._asked.wait()
        if self._over.wait(self._timeout_s):
            return
        threading.Thread(target=self._last_words, daemon=True).start()
        self._over.wait(LAST_WORDS_S)
        code = 1
        with suppress(RuntimeError):  # a collection that changes while it is counted
            code = self._exit_code()
        self._end(code)

    def _last_words(self) -> None:
        _log.critical("the stop hangs; the process ends now", extra={"part": self._doing(), "after_s": self._timeout_s})


def lingering(*, within_s: float) -> list[str]:
    """Return the names of threads that work on, after giving them time to end.

    One that keeps the process alive is not the only trouble: one that is in native code when the interpreter goes may
    bring it down.
    """
    ends_at = time.monotonic() + within_s
    threads = [t for t in threading.enumerate() if t is not threading.main_thread() and t.name not in OWN_THREADS]
    for thread in threads:
        thread.join(max(0.0, ends_at - time.monotonic()))
    return [thread.name for thread in threads if thread.is_alive()]


def end_now(code: int) -> None:
    """End the process without waiting for its threads."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)
