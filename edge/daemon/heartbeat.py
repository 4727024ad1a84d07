"""The daemon's own round: is all moving, and what is the service manager told?"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from edge.daemon.progress import BROKER_STUCK_S, ROLLOUT_STUCK_S, STUCK_S, Lives, Progress, Sign, Turns
from edge.daemon.systemd import Notifier

START_EXTENSION_S = 60.0
"""How much more time to start is asked for at each round of a start that gets on."""
LONGEST_ROUND_S = 1.0


class Loop(Protocol):
    """A server's event loop."""

    @property
    def beats(self) -> int:
        """Rises some time after ``ask_beat``."""

    def ask_beat(self) -> None:
        """Have the loop count one beat."""


class Outlet(Protocol):
    """A publisher's thread."""

    @property
    def turns(self) -> int:
        """Rises some time after ``nudge``."""

    def nudge(self) -> None:
        """Give an idle thread something to do."""


class Work(Protocol):
    """Frames under way."""

    @property
    def settled(self) -> int:
        """Rises with each frame that comes to an end."""

    @property
    def under_way(self) -> int:
        """Frames that have not."""


class Looking(Protocol):
    """What looks into the registry."""

    @property
    def looks(self) -> int:
        """Rises with each look."""

    @property
    def due(self) -> bool:
        """Whether it should rise before long."""


class Beating(Protocol):
    """What a long look gives signs of life by."""

    @property
    def beats(self) -> int:
        """Rises with each of them."""


class Looked(Protocol):
    """A source under supervision."""

    @property
    def name(self) -> str:
        """The source's name."""

    @property
    def alive(self) -> bool:
        """Whether it is looked after."""


def signs_of(
    *,
    server: Loop | None,
    work: Work,
    publisher: Outlet | None,
    watch: Looking,
    pulse: Beating,
    sources: Sequence[Looked],
    load_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> list[Sign]:
    """Return a sign of life of each part. ``load_s`` is how long a version may take to load and prove itself.

    A look into the registry that gets on, by ``pulse``, may take as long as it likes.
    """
    turns = partial(Turns, clock=clock)
    signs: list[Sign] = [
        turns("execution", lambda: work.settled, due=lambda: work.under_way > 0, limit_s=STUCK_S),
        turns(
            "rollout",
            lambda: watch.looks + pulse.beats,
            due=lambda: watch.due,
            limit_s=ROLLOUT_STUCK_S + 2 * load_s,
        ),
    ]
    if server is not None:
        signs.append(turns("http", lambda: server.beats, ask=server.ask_beat, limit_s=STUCK_S))
    if publisher is not None:
        signs.append(turns("mqtt", lambda: publisher.turns, ask=publisher.nudge, limit_s=BROKER_STUCK_S))
    return signs + [_lives(source) for source in sources]


def _lives(source: Looked) -> Lives:
    return Lives(f"source {source.name}", lambda: source.alive)


class Heartbeat:
    """Looks at the progress in each round and tells the service manager what it sees.

    The watchdog is told that all goes on only where all does, so that systemd ends a daemon that hangs and starts it
    anew. ``status`` gives what ``/v1/status`` tells.
    """

    def __init__(
        self,
        progress: Progress,
        notifier: Notifier,
        status: Callable[[], Mapping[str, Any]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._progress = progress
        self._notifier = notifier
        self._status = status
        self._clock = clock
        self._pinged_at: float | None = None

    @property
    def every_s(self) -> float:
        """How long a round lasts."""
        ping_s = self._notifier.ping_every_s
        return LONGEST_ROUND_S if ping_s is None else min(LONGEST_ROUND_S, ping_s / 2)

    def round(self, *, starting: bool = False) -> None:
        """Look once and tell."""
        moving = self._progress.look()
        if not self._notifier.listened_to:
            return
        self._notifier.status(told(self._status()))
        if moving and starting:
            self._notifier.extend(START_EXTENSION_S)
        if moving and self._ping_is_due():
            self._notifier.ping()

    def _ping_is_due(self) -> bool:
        every_s, now = self._notifier.ping_every_s, self._clock()
        if every_s is None or (self._pinged_at is not None and now - self._pinged_at < every_s - self.every_s / 2):
            return False
        self._pinged_at = now
        return True


def told(status: Mapping[str, Any]) -> str:
    """Return one line for ``systemctl status``: what serves on what, or why nothing does, and what hangs."""
    stuck = [f"{one['part']} is stuck: {one['reason']}" for one in status.get("progress", {}).get("stuck", ())]
    model = status["model"]
    if model is None:
        return "; ".join([*stuck, "not ready", *status["problems"]])
    return "; ".join([*stuck, f"serves {model['name']}:{model['version']} on {status['provider']}"])
