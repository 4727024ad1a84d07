"""How full an outbox is against its limits: counts, what a full one says, and a line in the log per episode."""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from edge.errors import OverloadedError
from edge.publishers.outbox import MIB, Limits, Message, Queued, Reason

ROOM_SHARE = 0.9
"""Below this share of its limits an outbox that was full counts as having room again."""
MOVING_S = 5.0
"""An outbox from which something went within this time is about to have room."""
RETRY_SOON_S = 1.0
RETRY_LATER_S = 5.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Fill:
    """Counts what is in an outbox. For one thread at a time.

    ``messages`` and ``bytes`` are what it holds, ``dropped`` and ``damaged`` what it let go since the process began.
    """

    limits: Limits
    messages: int = 0
    bytes: int = 0
    dropped: int = 0
    damaged: int = 0
    _dropping_since: int | None = field(default=None, init=False)
    _moved_at: float = field(default=-MOVING_S, init=False)

    def count(self, messages: int, size: int, more: Iterable[Queued]) -> None:
        """Begin anew with what a file holds, and ``more``."""
        self.messages, self.bytes = messages, size
        for queued in more:
            if isinstance(queued.content, Message):
                self.add(queued.content)

    def add(self, message: Message) -> None:
        """Count one more."""
        self.messages += 1
        self.bytes += message.size

    def remove(self, message: Message) -> None:
        """Count one less: it was acknowledged."""
        self._subtract(message)
        self._moved_at = time.monotonic()
        if self._dropping_since is not None and self._has_room():
            log.info("the outbox has room again", extra={"dropped": self.dropped - self._dropping_since})
            self._dropping_since = None

    def drop(self, message: Message, reason: Reason) -> None:
        """Count one that the limits let go; the first of an episode is logged."""
        if reason == "too-old" and not self.dropped:
            log.warning("results are dropped: they have waited longer than mqtt.queue_max_age_h")
        if reason == "full" and self._dropping_since is None:
            self._dropping_since = self.dropped
            log.warning(self._full_text())
        self._subtract(message)
        self.dropped += 1

    def lose(self, size: int) -> None:
        """Count one of ``size`` bytes that cannot be read; of size 0 it was no message."""
        self.damaged += 1
        self.messages -= 1 if size else 0
        self.bytes -= size

    def _subtract(self, message: Message) -> None:
        self.messages -= 1
        self.bytes -= message.size

    def _has_room(self) -> bool:
        return self.messages <= ROOM_SHARE * self.limits.entries and self.bytes <= ROOM_SHARE * self.limits.bytes

    @property
    def too_much(self) -> bool:
        """Whether more is held than the limits allow."""
        return self.messages > self.limits.entries or self.bytes > self.limits.bytes

    @property
    def problem(self) -> str | None:
        """What a full outbox does to results now; None where there is room."""
        if self.limits.full == "refuse":
            return self._refusal() if self._is_full() else None
        return None if self._dropping_since is None else self._full_text()

    def admit(self) -> None:
        """Raise OverloadedError where there is no room and nothing may be dropped."""
        if self.limits.full == "refuse" and self._is_full():
            raise refused(self._refusal(), moving=time.monotonic() - self._moved_at < MOVING_S)

    def _is_full(self) -> bool:
        return self.messages >= self.limits.entries or self.bytes >= self.limits.bytes

    def _full_text(self) -> str:
        return f"the outbox is full and drops its oldest results: {self._what_is_full()}"

    def _refusal(self) -> str:
        return (
            f"the outbox is full and new pictures are refused: {self._what_is_full()}, "
            'or set mqtt.queue_full = "drop-oldest"'
        )

    def _what_is_full(self) -> str:
        by_count = self.messages >= ROOM_SHARE * self.limits.entries
        limit = (
            f"mqtt.queue_size = {self.limits.entries}"
            if by_count
            else f"mqtt.queue_mb = {max(1, self.limits.bytes // MIB)}"
        )
        return f"{limit} is reached; bring the broker back, or raise {limit.partition(' ')[0]}"


def refused(text: str, *, moving: bool) -> OverloadedError:
    """Return the error that tells a caller to come again: soon where the outbox empties itself, else later."""
    return OverloadedError(text, retry_after_s=RETRY_SOON_S if moving else RETRY_LATER_S)
