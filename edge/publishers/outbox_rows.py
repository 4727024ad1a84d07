"""Entries of the outbox as rows of a table: each with a checksum over all that it says. Pure."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from edge.publishers.outbox import ENTRY_BYTES, Dropped, Message, Queued, Reason

ENTRY_COLUMNS = ("id", "seq", "last_seq", "put_at_ms", "reason", "newest_id", "topic", "payload", "checksum")

Row = tuple[int, int, int, int, bytes, bytes, bytes, bytes, int]
Furthest = tuple[int, int, bytes]
"""The newest number, the newest time in milliseconds, the newest id of a result."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """An entry that is not what was written. ``claimed_seq`` is what it says of itself; a record's ``size`` is 0."""

    id: int
    claimed_seq: int
    size: int


def checksum(row: Row) -> int:
    """Return the CRC-32 of all that an entry says."""
    id_, seq, last_seq, put_at_ms, reason, newest_id, topic, payload, _ = row
    head = b"%d %d %d %d %b %b %b" % (id_, seq, last_seq, put_at_ms, reason, newest_id, topic)
    return zlib.crc32(payload, zlib.crc32(head))


def to_row(queued: Queued, newest_id: bytes) -> Row:
    """Return an entry as it is written."""
    content = queued.content
    row: Row
    if isinstance(content, Message):
        row = (queued.id, content.seq, 0, queued.put_at_ms, b"", newest_id, content.topic.encode(), content.payload, 0)
    else:
        reason = content.reason.encode()
        row = (queued.id, content.first_seq, content.last_seq, queued.put_at_ms, reason, newest_id, b"", b"", 0)
    return (*row[:-1], checksum(row))


def from_row(row: Sequence[Any]) -> Queued | None:
    """Return what was written, None where the row is not that."""
    try:
        entry = cast("Row", tuple(row))
        if checksum(entry) != entry[-1]:
            return None
        id_, seq, last_seq, put_at_ms, reason, _, topic, payload, _ = entry
        if last_seq:
            return Queued(id_, Dropped(seq, last_seq, cast("Reason", reason.decode())), put_at_ms)
        return Queued(id_, Message(topic.decode(), payload, seq), put_at_ms)
    except (TypeError, ValueError):  # a number where bytes belong, or the reverse
        return None


def damaged(row: Sequence[Any]) -> Damaged:
    """Return what there is to say of a row that is not what was written."""
    id_, seq, last_seq, _, _, _, topic, payload, _ = row
    texts = sum(len(text) for text in (topic, payload) if isinstance(text, bytes))
    return Damaged(id_, seq if isinstance(seq, int) else 0, 0 if last_seq else texts + ENTRY_BYTES)


def furthest(rows: Iterable[Sequence[Any]]) -> Furthest:
    """Return the newest number, time and id of a result that ``rows``, in order of their ids, tell of; 0 where none is.

    A damaged one tells only that a number may have been given: one more for each id since the last good one. Where none
    is good, what they claim must do.
    """
    newest: Furthest = (0, 0, b"")
    claimed = good_id = id_ = 0
    for row in rows:
        id_, seq, last_seq, put_at_ms, _, newest_id, *_ = row
        if from_row(row) is not None:
            newest = (max(newest[0], seq, last_seq), max(newest[1], put_at_ms), max(newest[2], newest_id))
            good_id = id_
        elif isinstance(seq, int):
            claimed = max(claimed, seq)
    return newest if good_id == id_ else (newest[0] + id_ - good_id if good_id else claimed, *newest[1:])
