"""An outbox on the disk: what was put is there after the process ends, however it ends.

Rule: the disk may refuse, be full or be damaged, and nobody who puts, takes or acknowledges notices more than a state.
What the disk does not have is kept in memory, in order and within the same limits, and written when it is taken.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.errors import StoreError
from edge.ports import Mark
from edge.publishers.high_water import HighWater, Reserve, State
from edge.publishers.numbering import Numbering
from edge.publishers.outbox import Dropped, Limits, Message, OutboxStatus, Queued, Reason, numbers
from edge.publishers.outbox_clock import PLAUSIBLE_MS
from edge.publishers.outbox_database import Standing, Sync
from edge.publishers.outbox_disk import OutboxDisk
from edge.publishers.outbox_fill import Fill, refused
from edge.publishers.outbox_gaps import Gap, Gaps
from edge.publishers.outbox_opening import Opened, open_file
from edge.publishers.outbox_rows import Damaged
from edge.publishers.outbox_start import begin
from edge.publishers.waiting import Waiting

AHEAD = 256
"""How many waiting entries are kept in memory, and how many are read at a time."""
DELETES = 128
"""How many acknowledged entries are gathered before they are deleted."""
TEND_S = 0.5
CHECKPOINT_S = 5.0
"""At least so often the log is forced to the disk: what a power cut can cost."""
CHECKPOINT_WRITES = 2000
"""After so many writes, some 12 MiB, the log is moved into the database."""

log = logging.getLogger(__name__)


class SqliteOutbox:
    """Keeps messages in the SQLite file ``path``. Nothing here raises because of the disk.

    ``put`` returns when the entry is in the file (``sync`` full: on the disk). A thread of its own deletes what was
    acknowledged, moves the log into the database and tries a disk again that refused, every ``tend_s``.
    """

    def __init__(
        self,
        path: Path,
        limits: Limits = Limits(),
        *,
        sync: Sync = "normal",
        now_ms: Callable[[], int] | None = None,
        tend_s: float = TEND_S,
    ) -> None:
        self._path, self._limits, self._sync, self._tend_s = path, limits, sync, tend_s
        self._reserve = Reserve(path.with_suffix(".mark"))
        self._beginning = begin(self._reserve.read(), self._reserve.boot, sync)
        self._clock = self._beginning.clock
        self._now_ms = now_ms or self._clock.now_ms
        self._numbering = Numbering(self._beginning.mark)
        self._newest = self._beginning.id + 1  # this one is kept for the record of a gap
        self._floor = self._beginning.floor
        self._lock = threading.Lock()
        self._fill = Fill(limits)
        self._head = Waiting()
        self._loaded = 0  # up to this id, entries are in the head or have been
        self._gaps = Gaps()
        self._disk = OutboxDisk()
        self._known = False  # the file was open once, so that numbers go on from it
        self._counted = False  # the counts are those of the file
        self._moved_at = time.monotonic()
        self._more: Callable[[], None] = lambda: None
        self._attach(self._open())
        self._reserve.extend(self._high_water())
        self._wake, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def listen(self, more: Callable[[], None]) -> None:
        """Have ``more`` called when a file can be read again."""
        self._more = more

    @property
    def mark(self) -> Mark:
        """The newest number and id that were ever put, or may have been."""
        return self._numbering.mark

    def admit(self) -> None:
        """Raise OverloadedError where nothing may be dropped and the outbox is full or the disk refuses."""
        if self._limits.full == "refuse":
            if self._disk.problem is not None:
                raise refused(f"new pictures are refused: {self._disk.problem}", moving=False)
            self._fill.admit()

    def put(self, message: Message) -> None:
        """Append a message; a full outbox first drops the oldest that is not on its way."""
        with self._lock:
            self._newest += 1
            self._numbering.note(message)
            queued = Queued(self._newest, message, self._now_ms())
            if self._loaded == self._newest - 1 and len(self._head) < AHEAD and not self._gaps.open:
                self._head.append(queued)
                self._loaded = self._newest
                self._gaps.put(self._newest, message.seq)
            self._disk.put(queued)
            self._fill.add(message)
            self._bound()
            self._disk.flush(self._standing(), deletes=False)
            if self._disk.problem is not None or self._reserve.exceeded(self._numbering.seq, self._newest):
                self._reserve.note(self._high_water())
            elif self._reserve.low(self._numbering.seq, self._newest):
                self._wake.set()

    def _bound(self) -> None:
        """Drop what is too much or too old."""
        if self._limits.max_age_s:
            born_ms = self._now_ms() - self._limits.max_age_s * 1e3
            first = self._head.next
            if first is None or first.put_at_ms < born_ms:
                self._expire(born_ms)
        if self._limits.full == "drop-oldest":
            while self._fill.too_much and self._drop("full"):
                pass

    def _expire(self, born_ms: float) -> None:
        while (oldest := self._oldest_message()) and PLAUSIBLE_MS < oldest.put_at_ms < born_ms:
            self._drop("too-old")

    def _oldest_message(self) -> Queued | None:
        while (oldest := self._head.oldest_message()) is None and self._load():
            pass
        return oldest

    def _drop(self, reason: Reason) -> bool:
        oldest = self._oldest_message()
        drop = self._head.drop_oldest(reason)
        if oldest is None or drop is None:
            return False
        self._fill.drop(drop.message, reason)
        if drop.record is None or drop.record.id != oldest.id:
            self._disk.remove(oldest)
        if drop.record is not None:
            self._disk.put(drop.record)
        return True

    def _load(self) -> bool:
        """Bring the next entries into memory, with records for numbers that are missing; tell whether any came."""
        if self._loaded >= self._newest:
            return False
        batch = self._disk.load(self._loaded, AHEAD, without=self._head.on_their_way)
        for entry in batch:
            if isinstance(entry, Damaged):
                self._set_aside(entry)
            else:
                self._name(self._gaps.before(entry))
                self._head.append(entry)
            self._loaded = entry.id
        return bool(batch) or self._end()

    def _end(self) -> bool:
        """Say that all is loaded where the disk can be read; tell whether that named something that is missing."""
        if self._disk.problem is not None:
            return False
        missing = self._gaps.end(self._numbering.seq)
        self._name(missing)
        self._loaded = self._newest
        return missing is not None

    def _set_aside(self, damaged: Damaged) -> None:
        """Keep a damaged entry where it no longer matters; its number is named when the next good one comes."""
        log.error("a damaged entry of the outbox was set aside", extra={"path": str(self._path), "entry": damaged.id})
        self._disk.set_aside(damaged.id)
        self._disk.remove(Queued(damaged.id, Dropped(0, 0)))
        self._fill.lose(damaged.size)
        self._gaps.damaged(damaged.id, damaged.claimed_seq, floor=self._floor, newest=self._numbering.seq)

    def _name(self, gap: Gap | None) -> None:
        """Let a record wait where numbers are missing."""
        if gap is not None:
            id_, missing = gap
            record = Queued(id_, missing, self._now_ms())
            self._head.append(record)
            self._disk.put(record)

    def take(self, limit: int) -> Sequence[Queued]:
        """Return up to ``limit`` of the oldest that are not on their way, oldest first."""
        with self._lock:
            self._bound()
            while len(self._head) < limit and self._load():
                pass
            return self._head.take(limit)

    def acknowledge(self, id_: int) -> None:
        """Forget what the receiver has; the file forgets it a little later, together with others."""
        with self._lock:
            queued = self._head.acknowledge(id_)
            if queued is None:
                return
            if isinstance(queued.content, Message):
                self._fill.remove(queued.content)
            self._disk.remove(queued)
            if len(self._disk.gone) >= DELETES:
                self._flush()

    def rewind(self) -> int:
        """Make everything wait again, in order; return the newest id, 0 where empty."""
        with self._lock:
            self._head.rewind()
            return self._newest if self._head.oldest or self._load() else 0

    @property
    def depth(self) -> int:
        """How many messages wait or are on their way."""
        return self._fill.messages

    @property
    def dropped(self) -> int:
        """How many messages the limits have let go."""
        return self._fill.dropped

    @property
    def unstored(self) -> int:
        """How many messages the disk has not taken."""
        return sum(isinstance(queued.content, Message) for queued in self._disk.unwritten)

    def status(self) -> OutboxStatus:
        """Return what there is to say of it."""
        with self._lock:
            if self._head.oldest is None:
                self._load()
            oldest = self._head.oldest
            return OutboxStatus(
                store="disk",
                full=self._limits.full,
                depth=self._fill.messages,
                bytes=self._fill.bytes,
                oldest_s=max(0, self._now_ms() - oldest.put_at_ms) / 1e3 if oldest else 0.0,
                dropped=self._fill.dropped,
                damaged=self._fill.damaged,
                writable=self._disk.problem is None,
                problem=self._disk.problem or self._fill.problem,
            )

    def close(self) -> None:
        """Write what can be written, and let go of the file; does nothing the second time."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._wake.set()
        self._thread.join()
        self._disk.hurry()  # it may just have come back, and there is no later
        opened = self._open() if self._disk.wanted and self._disk.unwritten else None
        with self._lock:
            if opened is not None:
                self._attach(opened)
            while not self._flush() and self._disk.problem is None:
                pass
            self._disk.probe(self._standing())
            whole = self._disk.attached and self._disk.problem is None
            self._disk.close()
            self._reserve.write(self._high_water("closed" if whole else "behind"))

    def _standing(self) -> Standing:
        return Standing(self._numbering.mark, self._floor)

    def _high_water(self, state: State | None = None) -> HighWater:
        """Return what stands beside the file: exact numbers, which a running outbox reserves more of."""
        return HighWater(
            seq_bound=self._numbering.seq,
            seq_floor=self._floor,
            id_bound=self._newest,
            newest_id=self._numbering.id,
            state=state or ("running" if self._disk.problem is None else "behind"),
            boot=self._reserve.boot,
            clock_offset_ms=self._clock.offset_ms,
        )

    def _flush(self) -> bool:
        """Let the file know what it does not; tell whether it knows all."""
        if self._disk.gone:
            self._floor = self._left()
        whole = self._disk.flush(self._standing())
        if whole and not self._counted:
            self._recount()
        return whole

    def _left(self) -> int:
        """Return the number up to which everything has left."""
        oldest = self._head.oldest
        if oldest is not None:
            return max(self._floor, numbers(oldest)[0] - 1)
        return self._numbering.seq if self._loaded >= self._newest else self._floor

    def _recount(self) -> None:
        """Count what is in the file, which knows all."""
        totals = self._disk.totals()
        if totals is not None:
            self._fill.count(totals.messages, totals.bytes, ())
            self._counted = True

    def _open(self) -> Opened | StoreError:
        """Open the file, slowly where it is damaged: not under the lock."""
        bound = next((first - 1 for first, _ in map(numbers, self._disk.unwritten) if first), self._numbering.seq)
        try:
            return open_file(self._path, sync=self._sync, seq_floor=self._floor, seq_bound=bound)
        except StoreError as exc:
            return exc

    def _attach(self, opened: Opened | StoreError) -> None:
        """Use this file from now on, and bring memory into step with it."""
        if isinstance(opened, StoreError):
            self._disk.refuse(opened)
            return
        if opened.salvaged is not None:
            self._fill.damaged += opened.salvaged.missing
            for queued in self._head:  # of these there is a good copy
                self._disk.put(queued)
        self._disk.attach(opened)
        if not self._known:
            self._go_on_from(opened)
        self._head.clear()
        self._loaded = 0
        self._gaps = Gaps()
        self._counted = self._disk.in_step
        self._fill.count(opened.totals.messages, opened.totals.bytes, ())
        self._disk.probe(self._standing())
        while not self._flush() and self._disk.problem is None:
            pass
        if not self._counted:  # the disk can be read, not written
            self._fill.count(opened.totals.messages, opened.totals.bytes, self._disk.unwritten)

    def _go_on_from(self, opened: Opened) -> None:
        """Number on from the file, or from what stands beside it; name the numbers that lie between."""
        late, self._known = bool(self._disk.unwritten or self._numbering.seq > self._beginning.mark.seq), True
        standing, beginning = opened.totals.standing, self._beginning
        self._clock.not_before(opened.totals.put_at_ms)
        self._floor = max(self._floor, standing.floor)
        gap = beginning.gap(standing, fresh=opened.fresh, late=late)
        gap_id = beginning.id + 1
        if not late:
            gap_id = self._newest = max(gap_id, opened.totals.newest + 1)
            seq = beginning.mark.seq if gap is not None else standing.mark.seq
            self._numbering = Numbering(Mark(seq, max(standing.mark.id, beginning.mark.id)))
        if gap is not None:
            log.error(
                "results are missing that were given before", extra={"first": gap.first_seq, "last": gap.last_seq}
            )
            self._disk.put(Queued(gap_id, gap, self._now_ms()))

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(self._tend_s)
            self._wake.clear()
            self._tend()

    def _tend(self) -> None:
        """Do what nobody should wait for."""
        if self._disk.wanted:
            opened = self._open()
            with self._lock:
                self._attach(opened)
            self._more()
        whole = False
        while not whole and not self._closing.is_set():
            with self._lock:
                whole = self._flush() or self._disk.problem is not None
        with self._lock:
            self._bound()
            high_water = self._high_water()
        self._reserve.extend(high_water)
        if self._disk.written >= CHECKPOINT_WRITES or time.monotonic() - self._moved_at > CHECKPOINT_S:
            self._moved_at = time.monotonic()
            self._disk.move_log()
