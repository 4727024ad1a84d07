"""An outbox that lives as long as the process."""

import threading
import time
from collections.abc import Callable, Sequence

from edge.ports import Mark
from edge.publishers.numbering import Numbering
from edge.publishers.outbox import Limits, Message, OutboxStatus, Queued, Reason
from edge.publishers.outbox_fill import Fill
from edge.publishers.waiting import Waiting


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class MemoryOutbox:
    """Keeps everything in memory; ``now_ms`` is a clock that only goes forward."""

    def __init__(self, limits: Limits = Limits(), *, now_ms: Callable[[], int] = _monotonic_ms) -> None:
        self._limits = limits
        self._now_ms = now_ms
        self._waiting = Waiting()
        self._fill = Fill(limits)
        self._numbering = Numbering()
        self._newest = 0
        self._lock = threading.Lock()

    def listen(self, more: Callable[[], None]) -> None:
        """Never call ``more``: nothing comes up here but what is put."""

    @property
    def mark(self) -> Mark:
        """The newest number and id of this process."""
        return self._numbering.mark

    def admit(self) -> None:
        """Raise OverloadedError where the outbox is full and may drop nothing."""
        self._fill.admit()

    def put(self, message: Message) -> None:
        """Append a message; a full outbox first drops the oldest that is not on its way."""
        with self._lock:
            self._newest += 1
            self._numbering.note(message)
            self._waiting.append(Queued(self._newest, message, self._now_ms()))
            self._fill.add(message)
            self._expire()
            while self._fill.too_much and self._limits.full == "drop-oldest" and self._drop("full"):
                pass

    def _drop(self, reason: Reason) -> bool:
        drop = self._waiting.drop_oldest(reason)
        if drop is not None:
            self._fill.drop(drop.message, reason)
        return drop is not None

    def _expire(self) -> None:
        """Drop what has waited too long."""
        if self._limits.max_age_s:
            born_ms = self._now_ms() - self._limits.max_age_s * 1e3
            while (oldest := self._waiting.oldest_message()) and oldest.put_at_ms < born_ms and self._drop("too-old"):
                pass

    def take(self, limit: int) -> Sequence[Queued]:
        """Return up to ``limit`` of the oldest that are not on their way, oldest first."""
        with self._lock:
            self._expire()
            return self._waiting.take(limit)

    def acknowledge(self, id_: int) -> None:
        """Forget what the receiver has."""
        with self._lock:
            queued = self._waiting.acknowledge(id_)
            if queued is not None and isinstance(queued.content, Message):
                self._fill.remove(queued.content)

    def rewind(self) -> int:
        """Make everything wait again, in order; return the newest id, 0 where empty."""
        with self._lock:
            self._waiting.rewind()
            return self._newest if len(self._waiting) else 0

    @property
    def depth(self) -> int:
        """How many messages wait or are on their way."""
        return self._fill.messages

    @property
    def dropped(self) -> int:
        """How many messages the limits have let go."""
        return self._fill.dropped

    @property
    def unstored(self) -> int:
        """How many messages would not outlive the process: all."""
        return self.depth

    def status(self) -> OutboxStatus:
        """Return what there is to say of it."""
        with self._lock:
            oldest = self._waiting.oldest
            return OutboxStatus(
                store="memory",
                full=self._limits.full,
                depth=self._fill.messages,
                bytes=self._fill.bytes,
                oldest_s=(self._now_ms() - oldest.put_at_ms) / 1e3 if oldest else 0.0,
                dropped=self._fill.dropped,
                damaged=0,
                writable=True,
                problem=self._fill.problem,
            )

    def close(self) -> None:
        """Hold nothing open: there is nothing to do."""
