"""Finds the rows of a damaged SQLite file page by page, without SQLite, which gives up where a page above them is bad.

Source of the format: sqlite.org/fileformat2.html (table leaf pages, records, overflow chains, the freelist, the WAL).
Rule: nothing here trusts a byte. Who reads rows checks them by their checksum.
"""

import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

PAGE_BYTES = 4096
WAL_HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES
WAL_MAGIC = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
FILE_HEADER_BYTES = 100
TABLE_LEAF = 0x0D
LEAF_HEADER_BYTES = 8
LARGEST_LOCAL = PAGE_BYTES - 35
SMALLEST_LOCAL = (PAGE_BYTES - 12) * 32 // 255 - 23
OVERFLOW_BYTES = PAGE_BYTES - 4
MAX_ROW_BYTES = 256 << 20

Value = int | bytes | None
Place = tuple[int, int]
"""A page's number, from 1, and where in it a row begins."""


class NotARowError(ValueError):
    """The bytes are no row of a table."""


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of a database as its log leaves them. ``log`` gives, by page, where its newest frame begins."""

    database: BinaryIO
    wal: BinaryIO | None
    count: int
    log: Mapping[int, int]

    def __getitem__(self, number: int) -> bytes:
        """Return a page's bytes, fewer where the file ends before. Raises OSError."""
        frame = self.log.get(number)
        file, offset = (self.database, (number - 1) * PAGE_BYTES) if frame is None else (self.wal, frame)
        if file is None or number < 1:
            return b""
        file.seek(offset)
        return file.read(PAGE_BYTES)


def open_pages(database: BinaryIO, wal: BinaryIO | None) -> Pages:
    """Return the pages of a database file and, where there is one, its log. Raises OSError."""
    pages = -(-database.seek(0, 2) // PAGE_BYTES)
    if wal is None:
        return Pages(database, None, pages, {})
    possible = pages + wal.seek(0, 2) // FRAME_BYTES
    log = {number: at for number, at in _newest_frames(wal).items() if number <= possible}
    return Pages(database, wal, max([pages, *log]), log)


def committed_frames(wal: BinaryIO) -> int | None:
    """Return how many frames a log holds up to its last commit, by their headers alone; None where its own is bad.

    SQLite stops at the first bad frame. Good ones behind it are of a log that was damaged. Raises OSError.
    """
    header = wal.read(WAL_HEADER_BYTES)
    if len(header) == WAL_HEADER_BYTES and header[:4] not in WAL_MAGIC:
        return None
    return max((index for index, _, committed in _frames(wal, header) if committed), default=0)


def _newest_frames(wal: BinaryIO) -> dict[int, int]:
    """Return where the newest committed frame of each page begins."""
    wal.seek(0)
    header = wal.read(WAL_HEADER_BYTES)
    newest: dict[int, int] = {}
    pending: dict[int, int] = {}
    for index, number, committed in _frames(wal, header):
        pending[number] = WAL_HEADER_BYTES + index * FRAME_BYTES - PAGE_BYTES
        if committed:
            newest.update(pending)
            pending.clear()
    return newest


def _frames(wal: BinaryIO, header: bytes) -> Iterator[tuple[int, int, bool]]:
    """Yield index from 1, page and whether it ends a commit of each frame of the log's present round."""
    heads = list(_frame_heads(wal))
    if header[:4] in WAL_MAGIC:
        salts = header[16:24]
    else:
        salts = Counter(head[8:16] for head in heads).most_common(1)[0][0] if heads else b""
    for index, head in enumerate(heads, start=1):
        if head[8:16] == salts:
            number, committed = struct.unpack(">II", head[:8])
            yield index, number, bool(committed)


def _frame_heads(wal: BinaryIO) -> Iterator[bytes]:
    """Yield what each whole frame says of itself."""
    for at in range(WAL_HEADER_BYTES, wal.seek(0, 2) - FRAME_BYTES + 1, FRAME_BYTES):
        wal.seek(at)
        yield wal.read(FRAME_HEADER_BYTES)


def row_places(pages: Pages) -> Iterator[tuple[int, Place]]:
    """Yield the row id and the place of each row on each leaf that is in use. Raises OSError."""
    unused = _freed(pages)
    for number in range(1, pages.count + 1):
        page = pages[number]
        head = FILE_HEADER_BYTES if number == 1 else 0
        if number in unused or len(page) < PAGE_BYTES or page[head] != TABLE_LEAF:
            continue
        cells = struct.unpack_from(">H", page, head + 3)[0]
        first = head + LEAF_HEADER_BYTES
        for at in range(first, min(first + 2 * cells, PAGE_BYTES - 1), 2):
            with suppress(NotARowError):
                place = struct.unpack_from(">H", page, at)[0]
                _, after_size = _varint(page, place)
                yield _varint(page, after_size)[0], (number, place)


def _freed(pages: Pages) -> frozenset[int]:
    """Return the pages that hold only what was deleted, as far as the list of them can be read."""
    header = pages[1]
    trunk = struct.unpack_from(">I", header, 32)[0] if len(header) == PAGE_BYTES else 0
    freed: set[int] = set()
    while 0 < trunk <= pages.count and trunk not in freed:
        freed.add(trunk)
        page = pages[trunk]
        if len(page) < PAGE_BYTES:
            break
        trunk, count = struct.unpack_from(">II", page, 0)
        count = min(count, PAGE_BYTES // 4 - 2)
        freed.update(struct.unpack_from(f">{count}I", page, 8))
    return frozenset(freed)


def row(pages: Pages, place: Place) -> tuple[Value, ...]:
    """Return the values of the row at ``place``; a row id that a column stands for is None. Raises NotARowError."""
    number, at = place
    page = pages[number]
    size, at = _varint(page, at)
    _, at = _varint(page, at)
    if size > MAX_ROW_BYTES:
        raise NotARowError(f"{size} bytes are no row")
    local = _local(size)
    record = page[at : at + local]
    if local < size:
        record += _overflow(pages, page[at + local : at + local + 4], size - local)
    if len(record) < size:
        raise NotARowError("the row goes beyond its page")
    return tuple(_values(record))


def _local(size: int) -> int:
    """Return how much of a row of ``size`` bytes is on its leaf."""
    if size <= LARGEST_LOCAL:
        return size
    surplus = SMALLEST_LOCAL + (size - SMALLEST_LOCAL) % OVERFLOW_BYTES
    return surplus if surplus <= LARGEST_LOCAL else SMALLEST_LOCAL


def _overflow(pages: Pages, link: bytes, size: int) -> bytes:
    parts, left = [], size
    while left > 0:
        number = int.from_bytes(link, "big")
        page = pages[number]
        if len(page) < PAGE_BYTES:
            raise NotARowError("the row goes on where no page is")
        parts.append(page[4 : 4 + left])
        link, left = page[:4], left - OVERFLOW_BYTES
    return b"".join(parts)


def _values(record: bytes) -> Iterator[Value]:
    head_size, at = _varint(record, 0)
    body = head_size
    while at < head_size:
        kind, at = _varint(record, at)
        size = _size(kind)
        data = record[body : body + size]
        if len(data) < size:
            raise NotARowError("a value goes beyond its row")
        yield _value(kind, data)
        body += size


def _size(kind: int) -> int:
    if kind >= 12:
        return (kind - 12) // 2
    return (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0)[kind]


def _value(kind: int, data: bytes) -> Value:
    if kind >= 12:
        return data
    if kind in {8, 9}:
        return kind - 8
    return int.from_bytes(data, "big", signed=True) if 1 <= kind <= 6 else None


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of 1 to 9 bytes and where it ends."""
    number = 0
    for index in range(9):
        if at + index >= len(data):
            raise NotARowError("a number goes beyond its page")
        byte = data[at + index]
        if index == 8:
            return _signed(number << 8 | byte), at + 9
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, at + index + 1
    raise NotARowError("no number")  # not reached


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number
