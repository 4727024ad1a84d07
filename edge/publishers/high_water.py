"""A small file beside the outbox that says up to where numbers may have been given, whatever becomes of the outbox.

Two slots of fixed size, written in turns in place: a torn write leaves the other one, and a full disk, which has no
room for a new file, still takes what changes an old one.
"""

import os
import threading
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import orjson

from edge.boot import boot_id

SLOT_BYTES = 512
SLOTS = 2
RESERVED = 1000
"""How many numbers are reserved at once."""

State = Literal["running", "behind", "closed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HighWater:
    """What is known beside the outbox's own file.

    No number above ``seq_bound``, and no entry's id above ``id_bound``, was ever given; everything up to ``seq_floor``
    had left, and ``newest_id`` was the newest id of a result, when this was written. ``state``: ``running`` (the
    outbox's file knows the exact numbers), ``behind`` (the disk refuses it, ``seq_bound`` is exact), ``closed`` (ended
    in order, ``seq_bound`` is exact). ``boot`` names the run of the system, ``clock_offset_ms`` what its clock since
    boot lacks to the outbox's time.
    """

    seq_bound: int = 0
    seq_floor: int = 0
    id_bound: int = 0
    newest_id: str = ""
    state: State = "running"
    boot: str = ""
    clock_offset_ms: int = 0


class HighWaterFile:
    """Reads and writes the file. Methods raise OSError but for ``read``, which finds nothing in a file that is gone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._generation = 0

    def read(self) -> HighWater | None:
        """Return what was written last; None where nothing readable is there."""
        try:
            data = self._path.read_bytes()
        except OSError:
            return None
        slots = [_parse(data[number * SLOT_BYTES : (number + 1) * SLOT_BYTES]) for number in range(SLOTS)]
        readable = [slot for slot in slots if slot is not None]
        if not readable:
            return None
        self._generation, newest = max(readable, key=lambda slot: slot[0])
        return newest

    def write(self, high_water: HighWater, *, force: bool) -> None:
        """Replace what is there; ``force`` waits for the disk, so that it survives a power cut."""
        self._generation += 1
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if os.fstat(descriptor).st_size < SLOTS * SLOT_BYTES:
                os.pwrite(descriptor, bytes(SLOTS * SLOT_BYTES), 0)
            os.pwrite(descriptor, _slot(self._generation, high_water), self._generation % SLOTS * SLOT_BYTES)
            if force:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Reserve:
    """Numbers and ids that may be given without writing again. Thread-safe; a disk that refuses is no error here."""

    def __init__(self, path: Path) -> None:
        self.boot = boot_id()
        self._file = HighWaterFile(path)
        self._written = HighWater()
        self._lock = threading.Lock()

    def read(self) -> HighWater | None:
        """Return what the last process left; None where nothing readable is there."""
        return self._file.read()

    def exceeded(self, seq: int, id_: int) -> bool:
        """Tell whether more was given than is reserved."""
        return seq > self._written.seq_bound or id_ > self._written.id_bound

    def low(self, seq: int, id_: int) -> bool:
        """Tell whether more should be reserved soon."""
        return self.exceeded(seq + RESERVED // 2, id_ + RESERVED // 2)

    def extend(self, now: HighWater) -> None:
        """Reserve more where less than half is left or the state is another; waits for the disk."""
        if self.low(now.seq_bound, now.id_bound) or now.state != self._written.state:
            self.note(now, force=True)

    def note(self, now: HighWater, *, force: bool = False) -> None:
        """Write where numbering stands; a running outbox reserves more."""
        if now.state == "running":
            now = replace(now, seq_bound=now.seq_bound + RESERVED, id_bound=now.id_bound + RESERVED)
        self.write(now, force=force)

    def write(self, now: HighWater, *, force: bool = True) -> None:
        """Write this and no more."""
        with self._lock, suppress(OSError):  # the outbox's own file tells what is wrong with the disk
            self._file.write(now, force=force)
            self._written = now


def _slot(generation: int, high_water: HighWater) -> bytes:
    body = orjson.dumps({"generation": generation, **asdict(high_water)})
    return (b"%08x %b" % (zlib.crc32(body), body)).ljust(SLOT_BYTES - 1) + b"\n"


def _parse(slot: bytes) -> tuple[int, HighWater] | None:
    checksum, _, body = slot.rstrip().partition(b" ")
    if checksum != b"%08x" % zlib.crc32(body):
        return None
    try:
        fields: Mapping[str, object] = orjson.loads(body)
        known = {name: value for name, value in fields.items() if name != "generation"}
        return int(str(fields["generation"])), HighWater(**known)  # type: ignore[arg-type]  # its checksum holds: we wrote it
    except (ValueError, TypeError, KeyError):
        return None  # of another version
