"""A damaged outbox is set aside, and what can be read of it goes on in a fresh file.

Killed at any moment, nothing readable is lost: the fresh file is complete under a name of its own before the damaged
one is moved, and a start that finds it there goes on from where the move was.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from edge.errors import StoreError
from edge.ports import Mark
from edge.publishers.outbox import Dropped, Message, Queued, numbers
from edge.publishers.outbox_database import MARK_COLUMNS, OutboxDatabase, Standing
from edge.publishers.outbox_rows import ENTRY_COLUMNS, from_row
from edge.publishers.pages import NotARowError, Pages, Place, Value, open_pages, row, row_places

CHUNK = 500
MARK_ROW = 1
WAL = "-wal"
SIDE_FILES = (WAL, "-shm", "-journal")
NOTHING = Standing()

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Salvaged:
    """How many messages were read from a damaged file, how many numbers are missing, and where the file is now."""

    messages: int
    missing: int
    aside: Path


def unfinished(path: Path) -> Path:
    """Return where the fresh file is until it takes its place."""
    return path.with_name(f"{path.name}.salvaged")


def salvage(path: Path, *, seq_floor: int, seq_bound: int) -> Salvaged:
    """Put a fresh file in the place of a damaged one.

    ``seq_floor`` is a number up to which everything is known to have left, ``seq_bound`` the highest that may have been
    given. Numbers between them that cannot be read are named by records in their place. Raises StoreError where the
    disk refuses; the damaged file is where it was then.
    """
    fresh, building = unfinished(path), path.with_name(f"{path.name}.salvaging")
    try:
        _remove(building)
        messages, missing = _rebuild(path, building, seq_floor, seq_bound)
        building.replace(fresh)
        aside = finish(path)
    except OSError as exc:
        msg = f"the damaged outbox {path} cannot be set aside: {exc.strerror}; free space, or give the right to write"
        raise StoreError(msg) from exc
    found = {"read": messages, "missing": missing, "aside": str(aside)}
    log.error("the outbox was damaged and set aside; what could be read of it is kept", extra=found)
    return Salvaged(messages, missing, aside)


def finish(path: Path) -> Path:
    """Move the damaged file away and the fresh one to its place; return where the former is. Raises OSError."""
    aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
    for suffix in (WAL, ""):  # the log first: left behind, it would be taken for the fresh file's
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    _remove(path)
    unfinished(path).replace(path)
    return aside


def _remove(path: Path) -> None:
    for suffix in ("", *SIDE_FILES):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _rebuild(path: Path, building: Path, seq_floor: int, seq_bound: int) -> tuple[int, int]:
    """Write what ``path`` holds into a new file ``building``; return how many messages, and how many are missing."""
    database = OutboxDatabase(building, sync="full")
    messages = missing = 0
    try:
        with ExitStack() as files:
            floor, entries = _read(path, files)
            whole = _without_gaps(entries, max(floor, seq_floor), seq_bound)
            while chunk := list(islice(whole, CHUNK)):
                database.write(chunk, (), NOTHING)
                messages += sum(isinstance(queued.content, Message) for queued in chunk)
                missing += sum(_missing(queued) for queued in chunk)
        database.probe(Standing(Mark(seq_bound), 0))
    finally:
        database.close()
    return messages, missing


def _missing(queued: Queued) -> int:
    content = queued.content
    return content.count if isinstance(content, Dropped) and content.reason == "damaged" else 0


def _read(path: Path, files: ExitStack) -> tuple[int, Iterator[Queued]]:
    """Return the number up to which everything had left, as far as the file tells, and the entries, in order."""
    try:
        database = files.enter_context(path.open("rb"))
    except FileNotFoundError:
        return 0, iter(())
    wal_path = path.with_name(path.name + WAL)
    wal = files.enter_context(wal_path.open("rb")) if wal_path.exists() else None
    pages = open_pages(database, wal)
    places = sorted(row_places(pages))
    floor = max((_floor(_values(pages, place)) for id_, place in places if id_ == MARK_ROW), default=0)
    return floor, _entries(pages, places)


def _entries(pages: Pages, places: Iterable[tuple[int, Place]]) -> Iterator[Queued]:
    """Yield the entries whose checksum holds."""
    newest = 0
    for id_, place in places:
        values = _values(pages, place)
        entry = from_row((id_, *values[1:])) if len(values) == len(ENTRY_COLUMNS) else None
        if entry is not None and id_ > newest:
            newest = id_
            yield entry


def _values(pages: Pages, place: Place) -> tuple[Value, ...]:
    try:
        return row(pages, place)
    except NotARowError:
        return ()


def _floor(values: Sequence[Value]) -> int:
    """Return what the row of the mark says of numbers that have left; 0 for any other row."""
    if len(values) != len(MARK_COLUMNS):
        return 0
    floor = values[MARK_COLUMNS.index("floor")]
    return floor if isinstance(floor, int) else 0


def _without_gaps(entries: Iterable[Queued], seq_floor: int, seq_bound: int) -> Iterator[Queued]:
    """Yield the entries with records where numbers are missing before, between and after them."""
    last_seq, last_id, free_id = min(seq_floor, seq_bound), 0, 0
    for entry in entries:
        first, last = numbers(entry)
        if 0 < last <= seq_floor:
            continue  # it had left; only the page that said so is gone
        if entry.id > last_id + 1:
            free_id = entry.id - 1
        if first > last_seq + 1 and free_id:
            yield Queued(free_id, Dropped(last_seq + 1, first - 1, "damaged"), entry.put_at_ms)
        yield entry
        last_seq, last_id = max(last_seq, last), entry.id
        free_id = 0 if first else free_id  # one outside of the numbering says nothing of what is missing before it
    if seq_bound > last_seq:
        yield Queued(last_id + 1, Dropped(last_seq + 1, seq_bound, "damaged"))
