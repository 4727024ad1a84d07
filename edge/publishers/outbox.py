"""The outbox: results wait here, in order, until the broker has acknowledged them.

Rule: whatever is put here either leaves by ``acknowledge`` or is named in a ``Dropped`` record.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from edge.errors import ConfigError
from edge.ports import Mark

MIB = 1 << 20
ENTRY_BYTES = 64
"""What an entry takes beside its topic and payload, about."""

Reason = Literal["full", "too-old", "damaged", "lost", "refused"]
"""Why numbers do not come: no room; waited too long; unreadable on the disk; given but not on the disk when the
process or the power ended; the broker ends each connection that brings it."""
Policy = Literal["drop-oldest", "refuse"]
Store = Literal["disk", "memory"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message for the broker.

    ``topic`` is the whole topic. ``seq`` is the device's running number, from 1; 0 marks a message outside of the
    numbering, such as the answer to a command. ``result_id`` is the id of a numbered result.
    """

    topic: str
    payload: bytes
    seq: int = 0
    result_id: str = ""

    @property
    def size(self) -> int:
        """What it takes of the outbox, in bytes."""
        return len(self.payload) + len(self.topic) + ENTRY_BYTES


@dataclass(frozen=True, slots=True)
class Dropped:
    """Stands in the stream where messages are missing: every number from ``first_seq`` to ``last_seq``."""

    first_seq: int
    last_seq: int
    reason: Reason = "full"

    @property
    def count(self) -> int:
        """How many messages are missing."""
        return self.last_seq - self.first_seq + 1

    def plus(self, seq: int, reason: Reason) -> "Dropped | None":
        """Return the record that names ``seq`` too, or None where it does not follow directly for the same reason."""
        follows = seq == self.last_seq + 1 and reason == self.reason
        return Dropped(self.first_seq, seq, reason) if follows else None


@dataclass(frozen=True, slots=True)
class Queued:
    """What waits. ``id`` rises in the order of delivery and is never used twice. ``put_at_ms`` is the outbox's time."""

    id: int
    content: Message | Dropped
    put_at_ms: int = 0


def numbers(queued: Queued) -> tuple[int, int]:
    """Return the first and last number that an entry stands for, 0 and 0 outside of the numbering."""
    content = queued.content
    return (content.seq, content.seq) if isinstance(content, Message) else (content.first_seq, content.last_seq)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may wait, for how long, and what happens beyond. ``max_age_s`` 0 is for ever. Raises ConfigError."""

    entries: int = 100_000
    bytes: int = 512 * MIB
    max_age_s: float = 0.0
    full: Policy = "drop-oldest"

    def __post_init__(self) -> None:
        if self.entries < 1 or self.bytes < 1:
            msg = f"the outbox must hold at least one message and one byte, not {self.entries} and {self.bytes}"
            raise ConfigError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxStatus:
    """What there is to say of an outbox.

    ``bytes`` is what waits, ``oldest_s`` the age of the oldest that waits (0 where none does). ``dropped`` counts
    messages that the limits let go, ``damaged`` those that could not be read, both since the start of the process.
    ``writable`` tells whether the store takes what is put. ``problem`` says what is wrong, with its remedy.
    """

    store: Store
    full: Policy
    depth: int
    bytes: int
    oldest_s: float
    dropped: int
    damaged: int
    writable: bool
    problem: str | None


class Outbox(Protocol):
    """A bounded queue of messages that leave only when they were acknowledged. Safe to use from several threads.

    Messages are put in rising order of their ``seq``. A full outbox whose policy is to drop lets go the oldest message
    that is not on its way and leaves a ``Dropped`` record in its place, which takes no room and is taken and
    acknowledged as a message is. Records of neighbouring numbers and one reason are one record as long as it has not
    been taken.
    """

    def listen(self, more: Callable[[], None]) -> None:
        """Have ``more`` called, in any thread, when there may be something to take that was put long ago."""

    @property
    def mark(self) -> Mark:
        """The newest number and id that were ever put, as far as this kind of outbox remembers."""

    def admit(self) -> None:
        """Raise OverloadedError where nothing may be dropped and there is no room, or the store takes nothing."""

    def put(self, message: Message) -> None:
        """Append a message. It is never refused here: what was admitted is kept."""

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
        """How many messages the limits have let go."""

    @property
    def unstored(self) -> int:
        """How many messages would not outlive the process: what is in memory only."""

    def status(self) -> OutboxStatus:
        """Return what there is to say of it."""

    def close(self) -> None:
        """Let go of what the outbox holds open."""
