"""The part of an outbox that is in memory: what is on its way, and what waits behind it. Pure, for one thread."""

from collections import OrderedDict, deque
from collections.abc import Container, Iterator
from dataclasses import dataclass
from itertools import chain, islice

from edge.publishers.outbox import Dropped, Message, Queued, Reason


@dataclass(frozen=True, slots=True)
class Drop:
    """What a drop changed: ``message`` went from the place ``id``; ``record`` was written or widened, if any was."""

    id: int
    message: Message
    record: Queued | None


class Waiting:
    """Entries in the order of delivery: first those that were taken, then those that wait."""

    def __init__(self) -> None:
        self._taken: OrderedDict[int, Queued] = OrderedDict()
        self._waiting: deque[Queued] = deque()

    def __len__(self) -> int:
        """Return how many wait, without those on their way."""
        return len(self._waiting)

    def __iter__(self) -> Iterator[Queued]:
        """Give all in order."""
        return chain(self._taken.values(), self._waiting)

    @property
    def on_their_way(self) -> Container[int]:
        """The ids of what was taken."""
        return self._taken

    @property
    def oldest(self) -> Queued | None:
        """The oldest of all."""
        return next(iter(self._taken.values()), None) or self.next

    @property
    def next(self) -> Queued | None:
        """The oldest that waits."""
        return self._waiting[0] if self._waiting else None

    def append(self, queued: Queued) -> None:
        """Let one wait behind all others."""
        self._waiting.append(queued)

    def take(self, limit: int) -> tuple[Queued, ...]:
        """Return up to ``limit`` of those that wait; from now on they are on their way."""
        batch = tuple(islice(self._waiting, limit))
        for queued in batch:
            self._waiting.popleft()
            self._taken[queued.id] = queued
        return batch

    def acknowledge(self, id_: int) -> Queued | None:
        """Remove and return what was on its way."""
        return self._taken.pop(id_, None)

    def rewind(self) -> None:
        """Make everything wait again, in order."""
        self._waiting.extendleft(reversed(self._taken.values()))
        self._taken.clear()

    def clear(self) -> None:
        """Forget what waits; what is on its way stays."""
        self._waiting.clear()

    def oldest_message(self) -> Queued | None:
        """Return the oldest message, no record, that is not on its way."""
        return next((queued for queued in self._waiting if isinstance(queued.content, Message)), None)

    def drop_oldest(self, reason: Reason) -> Drop | None:
        """Put a record in the place of the oldest waiting message, or widen the record right before it."""
        for index, oldest in enumerate(self._waiting):
            if isinstance(oldest.content, Message):
                return Drop(oldest.id, oldest.content, self._replace(index, oldest, oldest.content.seq, reason))
        return None

    def _replace(self, index: int, oldest: Queued, seq: int, reason: Reason) -> Queued | None:
        if seq == 0:
            del self._waiting[index]
            return None
        before = self._waiting[index - 1] if index else None
        wider = before.content.plus(seq, reason) if before is not None and isinstance(before.content, Dropped) else None
        if before is None or wider is None:
            self._waiting[index] = Queued(oldest.id, Dropped(seq, seq, reason), oldest.put_at_ms)
            return self._waiting[index]
        self._waiting[index - 1] = Queued(before.id, wider, before.put_at_ms)
        del self._waiting[index]
        return self._waiting[index - 1]
