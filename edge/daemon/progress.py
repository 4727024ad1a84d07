"""Whether the daemon gets on with its work: what the watchdog is told, and what hangs where it is told nothing.

A process that lives is not a process that works. Each part counts its turns; a part that should turn and does not is
stuck. Time counts only while somebody looks, so that a machine that slept does not make all its parts look stuck.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

STUCK_S = 30.0
"""How long the event loop or the executor may take for one turn: far longer than any picture does."""
BROKER_STUCK_S = 120.0
"""How long the publisher's thread may take for one: names that do not resolve and pauses between tries are no fault."""
ROLLOUT_STUCK_S = 900.0
"""How long a look into the registry may take without a sign of life, beyond a version's own time to load: it may copy
from a slow share."""
LONGEST_STEP_S = 2.0

_log = logging.getLogger(__name__)


class Sign(Protocol):
    """A sign of life of one part."""

    @property
    def part(self) -> str:
        """The part, for a person."""

    def look(self) -> str | None:
        """Return what is wrong, None where the part gets on. Asked again and again."""


class Turns:
    """A part is stuck when ``count`` has stayed the same for ``limit_s`` while it was ``due`` to rise.

    ``ask`` is called at each look, to give an idle part a turn to make.
    """

    def __init__(
        self,
        part: str,
        count: Callable[[], int],
        *,
        limit_s: float,
        due: Callable[[], bool] = lambda: True,
        ask: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.part = part
        self._count = count
        self._limit_s = limit_s
        self._due = due
        self._ask = ask
        self._clock = clock
        self._seen = count()
        self._still_s = 0.0
        self._looked_at = clock()

    def look(self) -> str | None:
        """Return for how long nothing has moved, where that is too long."""
        now, count = self._clock(), self._count()
        step_s, self._looked_at = min(now - self._looked_at, LONGEST_STEP_S), now
        moved = count != self._seen or not self._due()
        self._seen = count
        self._still_s = 0.0 if moved else self._still_s + step_s
        self._ask()
        return f"nothing has moved for {self._still_s:.0f} s" if self._still_s > self._limit_s else None


class Lives:
    """A part is stuck when its thread has ended."""

    def __init__(self, part: str, alive: Callable[[], bool]) -> None:
        self.part = part
        self._alive = alive

    def look(self) -> str | None:
        """Return that the thread has ended, where it has."""
        return None if self._alive() else "its thread has ended"


class Pulse:
    """Counts signs of life of something that may rightly take long, such as a download."""

    def __init__(self) -> None:
        self._beats = 0

    @property
    def beats(self) -> int:
        """Rises with each of them."""
        return self._beats

    def beat(self) -> None:
        """Give one; by one thread at a time."""
        self._beats += 1


class Progress:
    """Looks at every part's sign of life. ``look`` belongs to one thread, ``stuck`` to any."""

    def __init__(self, signs: Sequence[Sign] = ()) -> None:
        self._signs = tuple(signs)
        self._stuck: Mapping[str, str] = {}

    @property
    def stuck(self) -> Mapping[str, str]:
        """What hangs, and why we think so, by part; empty where all goes on."""
        return self._stuck

    def status(self) -> Mapping[str, Any]:
        """Return the same for the status, JSON-ready."""
        stuck = self._stuck
        return {"moving": not stuck, "stuck": [{"part": part, "reason": why} for part, why in stuck.items()]}

    def look(self) -> bool:
        """Look once; log what has changed; tell whether every part gets on."""
        found = {sign.part: why for sign in self._signs if (why := sign.look()) is not None}
        for part in found.keys() - self._stuck.keys():
            _log.error("a part is stuck", extra={"part": part, "reason": found[part]})
        for part in self._stuck.keys() - found.keys():
            _log.info("a part moves again", extra={"part": part})
        self._stuck = found
        return not found
