"""The outbox's file: a SQLite database in WAL mode. What SQLite and the disk say is translated here.

Rule: a commit is in the file when ``write`` returns, so that it outlives the process however it ends.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from edge.errors import StoreError
from edge.ports import Mark
from edge.publishers.outbox import ENTRY_BYTES, Queued
from edge.publishers.outbox_rows import Damaged, Furthest, Row, damaged, from_row, furthest, to_row

SCHEMA_VERSION = 1
APPLICATION_ID = 0x61656F62
PAGE_BYTES = 4096
BUSY_S = 0.05
MAX_SET_ASIDE = 1000
"""How many damaged entries are kept for whoever wants to look."""

Sync = Literal["normal", "full"]
Way = Literal["shared", "alone", "frozen"]

SCHEMA = """
CREATE TABLE entries (
  id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, put_at_ms INTEGER NOT NULL,
  reason BLOB NOT NULL, newest_id BLOB NOT NULL, topic BLOB NOT NULL, payload BLOB NOT NULL, checksum INTEGER NOT NULL
);
CREATE TABLE mark (
  one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, newest_id BLOB NOT NULL, floor INTEGER NOT NULL
);
CREATE TABLE damaged (
  number INTEGER PRIMARY KEY, found_at TEXT NOT NULL, id, seq, last_seq, put_at_ms, reason, newest_id, topic, payload,
  checksum
);
INSERT INTO mark VALUES (1, 0, x'', 0);
"""
TABLES = {b"entries", b"mark", b"damaged"}
MARK_COLUMNS = ("one", "seq", "newest_id", "floor")
_WRITE = "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_LOAD = "SELECT * FROM entries WHERE id > ? ORDER BY id LIMIT ?"
_STAND = "UPDATE mark SET seq = ?, newest_id = ?, floor = ?"
_TOTALS = """
SELECT count(*) FILTER (WHERE last_seq = 0), max(id),
  sum(length(topic) + length(payload) + ?) FILTER (WHERE last_seq = 0) FROM entries
"""
_FURTHEST = "SELECT max(max(seq, last_seq)), max(put_at_ms), max(newest_id) FROM entries"
_ENTRIES = "SELECT * FROM entries ORDER BY id"
_NEWEST = "SELECT * FROM entries ORDER BY id DESC LIMIT 1"
_SET_ASIDE = "INSERT INTO damaged SELECT NULL, datetime('now'), * FROM entries WHERE id = ?"
_TRIM_ASIDE = "DELETE FROM damaged WHERE number <= (SELECT max(number) FROM damaged) - ?"

_DAMAGED_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
_PASSING = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
)
"""After these the same connection can be used again."""
_REMEDIES: Mapping[int, str] = {
    sqlite3.SQLITE_FULL: "the disk is full; free space on it, or set storage.path to a folder on another one",
    sqlite3.SQLITE_READONLY: "the file or its disk is read-only; mount it so that it can be written",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; give the right to write its folder, and look whether its disk is "
    "full or read-only",
    sqlite3.SQLITE_PERM: "the right to write it is missing; give it, or set storage.path to another folder",
    sqlite3.SQLITE_IOERR: "the disk reports an error; look at its health, its quota and the limit on sizes of files",
    sqlite3.SQLITE_BUSY: "another program uses it; end that program",
    sqlite3.SQLITE_LOCKED: "another program uses it; end that program",
}


class OutboxDamagedError(StoreError):
    """The file is no outbox of this version, or does not hold together. Never leaves the publishers."""


class OutboxRefusedError(StoreError):
    """The disk takes nothing. ``full``: for want of room; ``broken``: the file should be opened anew."""

    def __init__(self, message: str, *, full: bool, broken: bool) -> None:
        super().__init__(message)
        self.full = full
        self.broken = broken


@dataclass(frozen=True, slots=True)
class Standing:
    """Where numbering stands: the newest that was given, and the number up to which everything has left."""

    mark: Mark = field(default_factory=Mark)
    floor: int = 0

    @property
    def row(self) -> tuple[int, bytes, int]:
        """What is written of it."""
        return (self.mark.seq, self.mark.id.encode(), self.floor)


@dataclass(frozen=True, slots=True)
class Totals:
    """What a file holds: messages and their bytes, newest entry's id, its standing, newest time."""

    messages: int
    bytes: int
    newest: int
    standing: Standing
    put_at_ms: int


class OutboxDatabase:
    """One open file. Methods are for one thread at a time, but for ``checkpoint``.

    ``way``: ``shared`` lets the log be moved while somebody writes; ``alone`` needs no file beside the log, for which a
    full disk has no room; ``frozen`` reads a file on a disk that takes nothing. Raises OutboxDamagedError for a file
    that is damaged, of another version or no database, and OutboxRefusedError where the disk refuses, here and in every
    method.
    """

    def __init__(self, path: Path, *, sync: Sync = "normal", way: Way = "shared") -> None:
        self.path = path
        self.way: Way = way
        with self._explained():
            self._connection = _connect(path, frozen=way == "frozen")
        self._checkpointer = self._connection
        try:
            with self._explained():
                self._prepare(sync)
                if way == "shared":
                    self._checkpointer = _connect(path)
                    self._checkpointer.execute("SELECT seq FROM mark").fetchall()
        except StoreError:
            self._connection.close()
            raise

    def _prepare(self, sync: Sync) -> None:
        run = self._connection.execute
        version, application = (run(f"PRAGMA {what}").fetchone()[0] for what in ("user_version", "application_id"))
        tables = {name for (name,) in run("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if not tables and not version:
            run(f"PRAGMA page_size = {PAGE_BYTES}")
        if self.way == "alone":
            run("PRAGMA locking_mode = EXCLUSIVE")
        mode = run("PRAGMA journal_mode = WAL").fetchone()[0] if self.way != "frozen" else b"wal"
        if mode != b"wal":
            text = f"the outbox {self.path} cannot be used: its file system allows no WAL; set storage.path"
            raise OutboxRefusedError(text, full=False, broken=True)
        run(f"PRAGMA synchronous = {sync}")
        run("PRAGMA wal_autocheckpoint = 0")
        if not tables and not version:
            pragmas = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
            self._connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} {pragmas} COMMIT;")
        elif (version, application) != (SCHEMA_VERSION, APPLICATION_ID) or not tables >= TABLES:
            raise OutboxDamagedError(f"the outbox {self.path} is no outbox of this version (schema {version})")

    def check(self) -> None:
        """Look at how all pages hang together."""
        with self._explained():
            verdict = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != b"ok":
            raise OutboxDamagedError(f"the outbox {self.path} is damaged: {verdict.decode(errors='replace')}")

    def totals(self) -> Totals:
        """Count what is there. What a damaged entry says of numbers, ids and times counts for nothing."""
        with self._explained():
            messages, newest, size = self._connection.execute(_TOTALS, (ENTRY_BYTES,)).fetchone()
            mark_seq, mark_id, floor = self._connection.execute("SELECT seq, newest_id, floor FROM mark").fetchone()
            seq, put_at_ms, newest_id = self._furthest()
        try:
            mark = Mark(max(seq, mark_seq), max(newest_id, mark_id).decode())
            return Totals(messages, size or 0, newest or 0, Standing(mark, min(floor, mark.seq)), put_at_ms)
        except (TypeError, ValueError) as exc:
            raise OutboxDamagedError(f"the outbox {self.path} is damaged: {exc}") from exc

    def _furthest(self) -> Furthest:
        """Return the newest number, time and id of good entries. Mostly the newest entry vouches for all three."""
        claimed = self._connection.execute(_FURTHEST).fetchone()
        last = self._connection.execute(_NEWEST).fetchone()
        if last is not None and furthest([last]) == claimed:
            return cast("Furthest", claimed)
        return furthest(self._connection.execute(_ENTRIES))

    def write(self, writes: Sequence[Queued], deletes: Iterable[int], standing: Standing) -> None:
        """Write and delete entries in one transaction. ``standing`` is remembered when entries are deleted."""
        newest_id = standing.mark.id.encode()
        gone = _ranges(deletes)
        try:
            if len(writes) == 1 and not gone:
                self._connection.execute(_WRITE, to_row(writes[0], newest_id))
                return
            self._write_all([to_row(queued, newest_id) for queued in writes], gone, standing)
        except sqlite3.Error as exc:
            with suppress(sqlite3.Error):
                self._connection.rollback()
            raise self._translated(exc) from exc

    def _write_all(self, rows: Sequence[Row], gone: Sequence[tuple[int, int]], standing: Standing) -> None:
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        self._connection.executemany(_WRITE, rows)
        if gone:
            self._connection.executemany("DELETE FROM entries WHERE id BETWEEN ? AND ?", gone)
            run(_STAND, standing.row)
        run("COMMIT")

    def probe(self, standing: Standing) -> None:
        """Remember where numbering stands; shows whether the disk takes anything."""
        with self._explained():
            self._connection.execute(_STAND, standing.row)

    def load(self, after: int, limit: int) -> list[Queued | Damaged]:
        """Return up to ``limit`` entries with an id above ``after``, in order."""
        with self._explained():
            rows = self._connection.execute(_LOAD, (after, limit)).fetchall()
        return [from_row(row) or damaged(row) for row in rows]

    def set_aside(self, id_: int) -> None:
        """Copy a damaged entry to where it no longer matters."""
        with self._explained():
            self._connection.execute(_SET_ASIDE, (id_,))
            self._connection.execute(_TRIM_ASIDE, (MAX_SET_ASIDE,))

    def checkpoint(self) -> bool:
        """Move the log into the database, beside ``write``; tell whether all of it was."""
        with self._explained():
            _, logged, moved = self._checkpointer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return bool(logged == moved)

    def close(self) -> None:
        """Let go of the file; what was written is moved into the database where the disk takes it."""
        for connection in (self._checkpointer, self._connection):
            with suppress(sqlite3.Error):
                connection.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            raise self._translated(exc) from exc

    def _translated(self, exc: sqlite3.Error) -> StoreError:
        return explained(self.path, exc)


def explained(path: Path, exc: sqlite3.Error) -> StoreError:
    """Return the error that names the file and the remedy."""
    extended = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    code = extended & 0xFF
    unreadable = extended in {sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ}
    if code in _DAMAGED_CODES or code == sqlite3.SQLITE_ERROR or unreadable:
        return OutboxDamagedError(f"the outbox {path} is damaged: {exc}")
    text = f"the outbox {path} cannot be written: {_REMEDIES.get(code, str(exc))}"
    return OutboxRefusedError(text, full=code == sqlite3.SQLITE_FULL, broken=code not in _PASSING)


def _connect(path: Path, *, frozen: bool = False) -> sqlite3.Connection:
    name = f"{path.absolute().as_uri()}?mode=ro&immutable=1" if frozen else str(path)
    connection = sqlite3.connect(name, timeout=BUSY_S, isolation_level=None, check_same_thread=False, uri=frozen)
    connection.text_factory = bytes  # a damaged text need not be UTF-8
    return connection


def _ranges(ids: Iterable[int]) -> list[tuple[int, int]]:
    """Return the first and last of each run of neighbouring ids."""
    ranges: list[tuple[int, int]] = []
    for id_ in sorted(ids):
        if ranges and ranges[-1][1] == id_ - 1:
            ranges[-1] = (ranges[-1][0], id_)
        else:
            ranges.append((id_, id_))
    return ranges
