"""The disk under the outbox: takes every change at once, and writes it as soon as the file takes it.

Rule: a disk that refuses is a state with a text, never an error for who changes something. A file that turns out to be
damaged is let go of; ``open_file`` then sets it aside and makes a new one of what can be read.
"""

import logging
import os
import time
from collections.abc import Container, Iterable
from contextlib import suppress
from itertools import islice

from edge.errors import StoreError
from edge.publishers.outbox import Message, Queued
from edge.publishers.outbox_database import (
    OutboxDamagedError,
    OutboxDatabase,
    OutboxRefusedError,
    Standing,
    Totals,
)
from edge.publishers.outbox_opening import Opened
from edge.publishers.outbox_rows import Damaged

CHUNK = 500
"""How many entries that the disk did not take are written at once, so that others wait only shortly."""
RETRY_S = 2.0
"""How often a disk that refuses is tried again."""
CHECKPOINT_TRIES = 5

log = logging.getLogger(__name__)


class OutboxDisk:
    """The file as it should be: what is in it, and what it does not know yet. For one thread at a time.

    ``stored`` is the newest id in the file.
    """

    def __init__(self) -> None:
        self._retry_at = 0.0
        self._database: OutboxDatabase | None = None
        self._unwritten: dict[int, Queued] = {}
        self._gone: dict[int, Message | None] = {}
        self.stored = 0
        self.problem: str | None = None
        self._mending = False  # the file is about to be made anew of what can be read
        self.written = 0
        """Writes since the start, by which the log's length is judged."""

    @property
    def attached(self) -> bool:
        """Whether a file is open."""
        return self._database is not None

    @property
    def due(self) -> bool:
        """Whether a disk that refused should be tried again."""
        return time.monotonic() >= self._retry_at

    def hurry(self) -> None:
        """Try a disk that refused at the next occasion."""
        self._retry_at = 0.0

    @property
    def wanted(self) -> bool:
        """Whether a file should be opened: none is, or one opened on a disk that took nothing, and now does."""
        if not self.due:
            return False
        database = self._database
        return database is None or (database.way == "frozen" and os.access(database.path.parent, os.W_OK))

    @property
    def in_step(self) -> bool:
        """Whether there is nothing that the file does not know."""
        return not self._unwritten and not self._gone

    @property
    def unwritten(self) -> list[Queued]:
        """What is only in memory, in order, with records that take the place of something in the file."""
        return sorted(self._unwritten.values(), key=lambda queued: queued.id)

    @property
    def gone(self) -> dict[int, Message | None]:
        """What has left and is still in the file."""
        return self._gone

    def attach(self, opened: Opened) -> None:
        """Write to this file from now on."""
        self._detach()
        self._mending = False
        self._database = opened.database
        self.stored = opened.totals.newest
        self._retry_at = 0.0

    def put(self, queued: Queued) -> None:
        """Add an entry, or put another in its place."""
        self._gone.pop(queued.id, None)
        self._unwritten[queued.id] = queued

    def remove(self, queued: Queued) -> None:
        """Remove an entry."""
        self._unwritten.pop(queued.id, None)
        if queued.id <= self.stored:
            content = queued.content
            self._gone[queued.id] = content if isinstance(content, Message) else None

    def flush(self, standing: Standing, *, deletes: bool = True) -> bool:
        """Write what the file does not know, at most CHUNK entries; tell whether it knows all now.

        ``deletes`` False leaves what has left in the file for now: deleting touches many pages, and is cheap only for
        many entries at once.
        """
        if self.in_step:
            if self.problem is not None and self.due:
                self.probe(standing)
            return True
        if self._database is None or not self.due:
            return False
        chunk = list(islice(self._unwritten.values(), CHUNK))
        whole = len(chunk) == len(self._unwritten)
        try:
            self._write(self._database, chunk, self._gone if whole and deletes else (), standing)
        except StoreError as exc:
            self.refuse(exc)
            return False
        self._known(chunk, whole=whole, deleted=whole and deletes)
        return self.in_step

    def _write(self, database: OutboxDatabase, chunk: list[Queued], gone: Iterable[int], standing: Standing) -> None:
        try:
            database.write(chunk, gone, standing)
        except OutboxRefusedError as exc:
            if not exc.full or self.problem is not None:
                raise
            database.checkpoint()  # what the log takes can be used again
            database.write(chunk, gone, standing)

    def _known(self, chunk: list[Queued], *, whole: bool, deleted: bool) -> None:
        self.written += len(chunk)
        for queued in chunk:
            self.stored = max(self.stored, queued.id)
        if deleted:
            self._gone.clear()
        if whole:
            self._unwritten.clear()
        else:
            for queued in chunk:
                del self._unwritten[queued.id]
        if whole and self.problem is not None:
            self.recovered()

    def recovered(self) -> None:
        """The disk takes what is put again."""
        log.info("the outbox is written again")
        self.problem = None

    def refuse(self, exc: StoreError) -> None:
        """Remember that the disk refuses; the first of an episode is logged."""
        if str(exc) != self.problem:
            log.warning(str(exc))
        self.problem = str(exc)
        self._retry_at = time.monotonic() + RETRY_S
        self._mending = isinstance(exc, OutboxDamagedError) and not self._mending
        if self._mending:
            self._retry_at = 0.0
        frozen = self._database is not None and self._database.way == "frozen"
        if not isinstance(exc, OutboxRefusedError) or (exc.broken and not frozen):
            self._detach()

    def totals(self) -> Totals | None:
        """Count what is in the file; None where it cannot be read."""
        if self._database is None:
            return None
        try:
            return self._database.totals()
        except StoreError as exc:
            self.refuse(exc)
            return None

    def probe(self, standing: Standing) -> None:
        """See whether the disk takes anything at all."""
        if self._database is None:
            return
        try:
            self._database.probe(standing)
        except StoreError as exc:
            self.refuse(exc)
        else:
            if self.problem is not None and not self._unwritten:
                self.recovered()

    def load(self, after: int, limit: int, *, without: Container[int]) -> list[Queued | Damaged]:
        """Return up to ``limit`` entries above ``after``, in order: from the file, then those it does not have.

        Where the file cannot be read, what is in memory goes first; not so while it is being mended.
        """
        if self._database is not None and after < self.stored:
            try:
                found = self._load(self._database, after, limit, without)
            except StoreError as exc:
                self.refuse(exc)
            else:
                if found:
                    return found
        if self._mending:
            return []
        beyond = max(after, self.stored)
        return list(islice((q for q in self.unwritten if q.id > beyond and q.id not in without), limit))

    def _load(
        self, database: OutboxDatabase, after: int, limit: int, without: Container[int]
    ) -> list[Queued | Damaged]:
        while rows := database.load(after, limit):
            known = (self._unwritten.get(row.id, row) for row in rows)
            found = [row for row in known if row.id not in without and row.id not in self._gone]
            if found:
                return found
            after = rows[-1].id
        return []

    def set_aside(self, id_: int) -> None:
        """Keep a copy of a damaged entry, as far as the disk takes it."""
        if self._database is not None:
            try:
                self._database.set_aside(id_)
            except StoreError as exc:
                self.refuse(exc)

    def move_log(self) -> None:
        """Move the log into the database: without who else uses this object, others may write meanwhile."""
        database = self._database
        if database is None:
            return
        self.written = 0
        with suppress(StoreError):  # what really is wrong shows when something is written
            for _ in range(CHECKPOINT_TRIES):
                if database.checkpoint():
                    return

    def _detach(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def close(self) -> None:
        """Let go of the file."""
        self._detach()
