"""Opens the outbox's file whatever state it is in: makes it, takes it as it is, or salvages it."""

import logging
import sqlite3
import struct
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from edge.errors import StoreError
from edge.publishers.outbox_database import (
    OutboxDamagedError,
    OutboxDatabase,
    OutboxRefusedError,
    Sync,
    Totals,
    Way,
)
from edge.publishers.pages import WAL_HEADER_BYTES, committed_frames
from edge.publishers.salvage import WAL, Salvaged, finish, salvage, unfinished

INDEX = "-shm"
INDEX_HEADER = struct.Struct("=16xI12x8s")
"""The log's index has its number of frames, in the machine's own order, and its salts (sqlite.org/walformat.html)."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """An open file. ``fresh`` tells that it was not there, or empty, or without the log that a running outbox has.

    ``salvaged`` tells what was read of a damaged one.
    """

    database: OutboxDatabase
    totals: Totals
    fresh: bool
    salvaged: Salvaged | None


def open_file(path: Path, *, sync: Sync, seq_floor: int, seq_bound: int) -> Opened:
    """Open the file, make it, or salvage it. Raises StoreError where the disk refuses."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if unfinished(path).exists():
            finish(path)
        fresh = not path.exists() or not path.stat().st_size or not _log(path).exists()
        whole = _log_is_whole(path)
    except OSError as exc:
        msg = f"the outbox {path} cannot be opened: {exc.strerror}; give the right to read and write its folder"
        raise StoreError(msg) from exc
    try:
        if not whole:
            raise OutboxDamagedError(f"the outbox {path} is damaged: its log is not whole")
        return Opened(*_open(path, sync), fresh, None)
    except OutboxDamagedError as exc:
        log.warning(str(exc))
        salvaged = salvage(path, seq_floor=seq_floor, seq_bound=seq_bound)
        return Opened(*_open(path, sync), fresh, salvaged)


def _open(path: Path, sync: Sync) -> tuple[OutboxDatabase, Totals]:
    """Open the file in the best way that its disk allows. Raises StoreError: why the first one does not work."""
    try:
        return _opened(path, sync, "shared")
    except OutboxRefusedError as exc:
        for way in _other_ways(path):
            with suppress(OutboxRefusedError):
                return _opened(path, sync, way)
        raise exc from None


def _other_ways(path: Path) -> Sequence[Way]:
    """Return how else a file may be read; frozen leaves out the log, so only where there is none."""
    log_file = _log(path)
    if not path.exists():
        return ()
    return ("alone",) if log_file.exists() and log_file.stat().st_size else ("alone", "frozen")


def _opened(path: Path, sync: Sync, way: Way) -> tuple[OutboxDatabase, Totals]:
    database = OutboxDatabase(path, sync=sync, way=way)
    try:
        database.check()
        return database, database.totals()
    except StoreError:
        database.close()
        raise


def _log(path: Path) -> Path:
    return path.with_name(path.name + WAL)


def _log_is_whole(path: Path) -> bool:
    """Tell whether all of the log is there and SQLite reads it: it says nothing of what it leaves out. Raises OSError.

    What the last process left as the log's index tells how long the log was. Then it is looked at through a connection
    that only reads, for one that writes removes the log when it is closed.
    """
    if not path.exists() or not _log(path).exists():
        return True
    with _log(path).open("rb") as wal:
        salts = wal.read(WAL_HEADER_BYTES)[16:]
        wal.seek(0)
        promised = committed_frames(wal)
    frames, of = _index(path)
    if promised is None or (frames > promised and of.startswith(salts[:8])):
        return False
    if not promised:
        return True
    with suppress(sqlite3.Error):  # who opens it for writing explains what is wrong
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as reader:
            reader.execute("SELECT count(*) FROM sqlite_schema").fetchall()
            frames, of = _index(path)
        return frames >= promised or not of
    return True


def _index(path: Path) -> tuple[int, bytes]:
    """Return the number of frames and the salts that the log's index tells of; 0 and nothing where there is none."""
    try:
        head = path.with_name(path.name + INDEX).read_bytes()[: INDEX_HEADER.size]
    except FileNotFoundError:
        return 0, b""
    if len(head) < INDEX_HEADER.size:
        return 0, b""
    frames, salts = INDEX_HEADER.unpack(head)
    return frames, salts
