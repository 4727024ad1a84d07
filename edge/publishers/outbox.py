"""The outbox: results wait here, in order, until the broker has acknowledged them.

Rule: whatever is put here either leaves by ``acknowledge`` or is named in a ``Dropped`` record.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from edge.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Message:
    """One message for the broker.

    ``topic`` is the whole topic. ``seq`` is the device's running number, from 1; 0 marks a message outside of the
    numbering, such as the answer to a command.
    """

    topic: str
    payload: bytes
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Dropped:
    """Stands in the stream where messages were dropped: every number from ``first_seq`` to ``last_seq``."""

    first_seq: int
    last_seq: int

    @property
    def count(self) -> int:
        """How many messages were dropped."""
        return self.last_seq - self.first_seq + 1

    def plus(self, seq: int) -> "Dropped | None":
        """Return the record that names ``seq`` too, or None where ``seq`` does not follow directly."""
        return Dropped(self.first_seq, seq) if seq == self.last_seq + 1 else None


@dataclass(frozen=True, slots=True)
class Queued:
    """What waits. ``id`` rises in the order of delivery and is never used twice."""

    id: int
    content: Message | Dropped


class Outbox(Protocol):
    """A bounded queue of messages that leave only when they were acknowledged. Safe to use from several threads.

    Messages are put in rising order of their ``seq``. A full outbox drops the oldest message that is not on its way and
    leaves a ``Dropped`` record in its place, which takes no room and is taken and acknowledged as a message is. Records
    of neighbouring numbers are one record as long as it has not been taken.
    """

    def put(self, message: Message) -> None:
        """Append a message, wholly or not at all. Raises StoreError."""

    def take(self, limit: int) -> Sequence[Queued]:
        """Return up to ``limit`` of the oldest that are not on their way, oldest first; from now on they are."""

    def acknowledge(self, id_: int) -> None:
        """Forget what the receiver has. An id that is no longer known is no error."""

    def rewind(self) -> int:
        """Say that nothing is on its way: ``take`` begins again at the oldest. Return the newest id, 0 where empty."""

    @property
    def depth(self) -> int:
        """How many messages wait or are on their way; records do not count."""

    @property
    def dropped(self) -> int:
        """How many messages this outbox has dropped."""

    def close(self) -> None:
        """Let go of what the outbox holds open."""


class MemoryOutbox:
    """An outbox that lives as long as the process. ``capacity`` is the most messages it holds."""

    def __init__(self, capacity: int = 10_000) -> None:
        if capacity < 1:
            msg = f"the outbox must hold at least one message, not {capacity}"
            raise ConfigError(msg)
        self._capacity = capacity
        self._waiting: deque[Queued] = deque()
        self._taken: OrderedDict[int, Queued] = OrderedDict()
        self._newest = 0
        self._messages = 0
        self._dropped = 0
        self._lock = threading.Lock()

    def put(self, message: Message) -> None:
        """Append a message; a full outbox first drops the oldest that is not on its way."""
        with self._lock:
            self._newest += 1
            self._waiting.append(Queued(self._newest, message))
            self._messages += 1
            if self._messages > self._capacity:
                self._drop_oldest()

    def _drop_oldest(self) -> None:
        """Put a record in the place of the oldest waiting message, or widen the record right before it."""
        index = next(i for i, queued in enumerate(self._waiting) if isinstance(queued.content, Message))
        oldest = self._waiting[index]
        self._messages -= 1
        self._dropped += 1
        seq = oldest.content.seq if isinstance(oldest.content, Message) else 0
        if seq == 0:
            del self._waiting[index]
            return
        before = self._waiting[index - 1] if index else None
        wider = before.content.plus(seq) if before is not None and isinstance(before.content, Dropped) else None
        if before is None or wider is None:
            self._waiting[index] = Queued(oldest.id, Dropped(seq, seq))
            return
        self._waiting[index - 1] = Queued(before.id, wider)
        del self._waiting[index]

    def take(self, limit: int) -> Sequence[Queued]:
        """Return up to ``limit`` of the oldest that are not on their way, oldest first."""
        with self._lock:
            batch = tuple(islice(self._waiting, limit))
            for queued in batch:
                self._waiting.popleft()
                self._taken[queued.id] = queued
            return batch

    def acknowledge(self, id_: int) -> None:
        """Forget what the receiver has."""
        with self._lock:
            queued = self._taken.pop(id_, None)
            if queued is not None and isinstance(queued.content, Message):
                self._messages -= 1

    def rewind(self) -> int:
        """Make everything wait again, in order; return the newest id, 0 where empty."""
        with self._lock:
            self._waiting.extendleft(reversed(self._taken.values()))
            self._taken.clear()
            return self._waiting[-1].id if self._waiting else 0

    @property
    def depth(self) -> int:
        """How many messages wait or are on their way."""
        return self._messages

    @property
    def dropped(self) -> int:
        """How many messages were dropped."""
        return self._dropped

    def close(self) -> None:
        """Hold nothing open: there is nothing to do."""
