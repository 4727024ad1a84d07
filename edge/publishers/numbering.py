"""Where numbering goes on: the newest ``seq`` and id that were given. Pure but for the wall clock."""

import time
from collections.abc import Callable

from edge.ports import Mark
from edge.publishers.outbox import Message

TIME_CHARACTERS = 10
"""A ULID's first characters are its time in milliseconds (github.com/ulid/spec)."""

_CROCKFORD = str.maketrans("0123456789ABCDEFGHJKMNPQRSTVWXYZ", "0123456789ABCDEFGHIJKLMNOPQRSTUV")


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class Numbering:
    """Follows what is put. For one thread at a time.

    A result may carry an id made of its picture's own time. Where that lies in the future, the id does not count: ids
    that follow would be dated by a camera whose clock is wrong.
    """

    def __init__(self, mark: Mark = Mark(), *, wall_ms: Callable[[], int] = _wall_ms) -> None:
        self.seq = mark.seq
        self.id = mark.id
        self._wall_ms = wall_ms

    @property
    def mark(self) -> Mark:
        """Where numbering goes on."""
        return Mark(self.seq, self.id)

    def note(self, message: Message) -> None:
        """Count a message in; those outside of the numbering change nothing."""
        if message.seq == 0:
            return
        self.seq = max(self.seq, message.seq)
        if message.result_id > self.id and self._counts(message.result_id):
            self.id = message.result_id

    def _counts(self, id_: str) -> bool:
        if id_[:TIME_CHARACTERS] == self.id[:TIME_CHARACTERS]:
            return True  # also where the clock was set back and ids go on from the newest
        try:
            return int(id_[:TIME_CHARACTERS].translate(_CROCKFORD), 32) <= self._wall_ms()
        except ValueError:
            return False  # no ULID
