"""The outbox on the disk: ended at any moment, restarted, on disks that are full, read-only or lie."""

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.errors import OverloadedError
from edge.ports import Mark
from edge.publishers.high_water import HighWaterFile
from edge.publishers.outbox import Dropped, Limits, Message, OutboxStatus
from edge.publishers.sqlite_outbox import SqliteOutbox
from tests.edge.publishers.test_outbox import contents, message
from tests.mosquitto import until

ROOT = Path(__file__).parents[3]
WRITER = """
import sys
from pathlib import Path
from edge.publishers.outbox import Message
from edge.publishers.sqlite_outbox import SqliteOutbox
outbox = SqliteOutbox(Path(sys.argv[1]))
for seq in range(outbox.mark.seq + 1, 10**9):
    outbox.put(Message("t", b"%d" % seq * 100, seq))
    if seq % 3 == 0:
        for queued in outbox.take(2):
            outbox.acknowledge(queued.id)
    print(seq, flush=True)
"""

MakeOutbox = Callable[..., SqliteOutbox]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the outbox is."""
    return tmp_path / "var" / "outbox.db"


@pytest.fixture
def opened(path: Path) -> Iterator[MakeOutbox]:
    """Return how to open the outbox; opened again, it is closed first."""
    outboxes: list[SqliteOutbox] = []

    def make(limits: Limits = Limits(), **options: Any) -> SqliteOutbox:
        for outbox in outboxes:
            outbox.close()
        outboxes[:] = [SqliteOutbox(path, limits, tend_s=0.05, **options)]
        return outboxes[0]

    yield make
    for outbox in outboxes:
        outbox.close()


def filled(outbox: SqliteOutbox, *seqs: int) -> SqliteOutbox:
    for seq in seqs:
        outbox.put(message(seq))
    return outbox


def told(outbox: SqliteOutbox) -> list[int]:
    """Take everything; return each number that came, or that a record named, in order."""
    numbers: list[int] = []
    for item in contents(outbox, 100_000):
        numbers += range(item[0], item[1] + 1) if isinstance(item, tuple) else [item]
    return numbers


def acknowledged(outbox: SqliteOutbox, count: int) -> None:
    for queued in outbox.take(count):
        outbox.acknowledge(queued.id)


def killed_copy(path: Path, outbox: SqliteOutbox) -> Path:
    """Return the files as a kill at this moment would leave them, elsewhere."""
    elsewhere = path.parent.with_name("killed")
    shutil.copytree(path.parent, elsewhere)
    outbox.close()
    return elsewhere / path.name


def test_what_was_put_is_there_after_a_restart_in_order(opened: MakeOutbox) -> None:
    """So are the records of what was dropped; what was acknowledged is not."""
    filled(opened(Limits(entries=400)), *range(1, 501))
    acknowledged(outbox := opened(), 11)
    assert outbox.depth == 390
    assert contents(opened(), 1000) == list(range(111, 501))


def test_numbers_go_on_after_restarts_also_when_everything_has_left(opened: MakeOutbox) -> None:
    """Twice over; neither is a number given twice nor one left out."""
    outbox = opened()
    for _ in range(3):
        first = outbox.mark.seq + 1
        for seq in range(first, first + 10):
            outbox.put(Message("t", b"", seq, f"01K9ZZZZZZ{seq:016d}"))
        acknowledged(outbox, 10)
        outbox = opened()
        assert outbox.take(1) == ()
    assert outbox.mark == Mark(30, f"01K9ZZZZZZ{30:016d}")


@pytest.mark.parametrize("sync", ["normal", "full"])
def test_whatever_was_said_to_be_stored_is_there_after_a_kill(path: Path, sync: str, opened: MakeOutbox) -> None:
    """Killed in the middle, several times: no number is missing, none is given twice, what is left is in order."""
    for _ in range(3):
        script = WRITER.replace("sys.argv[1])", f'sys.argv[1]), sync="{sync}"')
        with subprocess.Popen([sys.executable, "-c", script, str(path)], cwd=ROOT, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            lines = [writer.stdout.readline() for _ in range(300)]
            writer.send_signal(signal.SIGKILL)
            lines += writer.stdout.readlines()
        stored = int([line for line in lines if line.endswith(b"\n")][-1])
    outbox = opened()
    assert outbox.mark.seq in {stored, stored + 1}
    numbers = told(outbox)
    assert numbers == list(range(numbers[0], outbox.mark.seq + 1))
    assert numbers[0] <= stored // 3 * 2 + 1
    assert outbox.status().damaged == 0


def test_a_power_cut_repeats_no_number_and_names_what_may_be_missing(path: Path, opened: MakeOutbox) -> None:
    """The system started anew without a clean end: what the disk did not get yet was given, and is named."""
    left = killed_copy(path, filled(opened(), 1, 2, 3))
    beside = HighWaterFile(left.with_suffix(".mark"))
    known = beside.read()
    assert known is not None
    beside.write(replace(known, boot="another"), force=True)
    with closing(SqliteOutbox(left)) as outbox:
        assert outbox.mark.seq == known.seq_bound
        assert contents(outbox) == [1, 2, 3, (4, known.seq_bound)]


def test_with_full_synchronisation_a_power_cut_leaves_no_doubt(path: Path, opened: MakeOutbox) -> None:
    """What was put was on the disk."""
    left = killed_copy(path, filled(opened(sync="full"), 1, 2, 3))
    beside = HighWaterFile(left.with_suffix(".mark"))
    known = beside.read()
    assert known is not None
    beside.write(replace(known, boot="another"), force=True)
    with closing(SqliteOutbox(left, sync="full")) as outbox:
        assert (outbox.mark.seq, contents(outbox)) == (3, [1, 2, 3])


def test_time_goes_on_over_a_restart_and_a_step_of_the_clock_makes_nothing_old(opened: MakeOutbox) -> None:
    """The age of what waits counts from when it was put, by the system's own time."""
    filled(opened(), 1)
    assert opened().status().oldest_s < 60


# What becomes of a damaged file


def flipped(path: Path, at: int, length: int = 64) -> None:
    """Turn the bits of some bytes."""
    with path.open("r+b") as file:
        file.seek(at)
        data = file.read(length)
        file.seek(at)
        file.write(bytes(byte ^ 0xFF for byte in data))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def other_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


def strange_name(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data.replace(b"tabledamageddamaged", b"tabledamaged\xc1amaged", 1))


def another_program(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE entries (id INTEGER PRIMARY KEY, what TEXT)")
        connection.execute("INSERT INTO entries VALUES (1, 'somebody else''s')")
        connection.commit()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "garbage": lambda path: path.write_bytes(os.urandom(50_000)),
    "zeros": lambda path: path.write_bytes(bytes(50_000)),
    "header": lambda path: flipped(path, 0, 100),
    "first page": lambda path: flipped(path, 0, 4096),
    "root page": lambda path: flipped(path, 4096, 4096),
    "leaf page": lambda path: flipped(path, 4096 * 40, 4096),
    "leaf's head": lambda path: flipped(path, 4096 * 40, 8),
    "cut": cut,
    "text": lambda path: path.write_text("no database\n"),
    "other version": other_version,
    "another program's": another_program,
    "strange name": strange_name,
}
READABLE = {
    "header": 500,
    "first page": 500,
    "root page": 500,
    "leaf page": 480,
    "leaf's head": 480,
    "cut": 100,
    "strange name": 500,
}
"""How many of 500 messages can be read at least."""


@pytest.mark.parametrize("damage", list(DAMAGE))
def test_a_damaged_file_is_set_aside_and_what_can_be_read_goes_on(
    damage: str, path: Path, opened: MakeOutbox, caplog: pytest.LogCaptureFixture
) -> None:
    """It never keeps the outbox from starting; every number comes or is named, none is given again."""
    outbox = opened()
    for seq in range(1, 701):
        outbox.put(Message("t", b"%d" % seq * 100, seq))
    acknowledged(opened(), 200)
    opened().close()
    DAMAGE[damage](path)
    outbox = opened()
    assert outbox.mark.seq == 700
    items = contents(outbox, 1000)
    numbers = [n for item in items for n in (range(item[0], item[1] + 1) if isinstance(item, tuple) else [item])]
    assert numbers == list(range(201, 701))
    assert len([item for item in items if isinstance(item, int)]) >= READABLE.get(damage, 0)
    assert outbox.status().damaged == sum(item[1] - item[0] + 1 for item in items if isinstance(item, tuple))
    assert outbox.status().problem is None
    assert len(list(path.parent.glob("outbox.db.damaged-*Z"))) == 1
    assert [r.getMessage() for r in caplog.records if "set aside" in r.getMessage()]
    filled(outbox, 701)
    assert told(opened())[-1] == 701


def test_messages_larger_than_a_page_are_read_from_a_damaged_file_too(path: Path, opened: MakeOutbox) -> None:
    """Their parts are found on other pages."""
    outbox = opened()
    large = {seq: os.urandom(30_000 + seq) for seq in range(1, 21)}
    for seq, payload in large.items():
        outbox.put(Message("t", payload, seq))
    outbox.close()
    flipped(path, 0, 100)
    found = {q.content.seq: q.content.payload for q in opened().take(100) if isinstance(q.content, Message)}
    assert found == large


def test_an_entry_that_changed_on_the_disk_is_found_set_aside_and_named(path: Path, opened: MakeOutbox) -> None:
    """The file is whole for SQLite, the payload is not what was put."""
    filled(opened(), *range(1, 6)).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE entries SET payload = x'00' WHERE seq IN (3, 5)")
        connection.commit()
    outbox = opened()
    assert contents(outbox) == [1, 2, (3, 3), 4, (5, 5)]
    assert (outbox.status().damaged, outbox.depth, outbox.status().bytes > 0) == (2, 3, True)
    outbox.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM damaged").fetchone() == (2,)
    assert contents(opened()) == [1, 2, (3, 3), 4, (5, 5)]


@pytest.mark.parametrize(
    ("column", "value"), [("seq", 1 << 50), ("last_seq", 1 << 50), ("put_at_ms", 1 << 60), ("newest_id", b"~")]
)
def test_what_a_damaged_entry_claims_decides_nothing_for_the_others(
    column: str, value: object, path: Path, opened: MakeOutbox
) -> None:
    """Neither numbers nor time leap ahead, and no good result counts as too old."""
    filled(opened(), *range(1, 6)).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"UPDATE entries SET {column} = ? WHERE seq = 3", (value,))
        connection.commit()
    outbox = opened(Limits(max_age_s=3600))
    assert outbox.mark == Mark(5)
    assert contents(outbox) == [1, 2, (3, 3), 4, 5]


@pytest.mark.parametrize("unreadable", [False, True], ids=["an entry", "the file too"])
@pytest.mark.parametrize("behind", [(), (4, 5)], ids=["last", "between"])
def test_a_missing_result_is_named_also_where_a_message_without_a_number_follows(
    unreadable: bool, behind: tuple[int, ...], path: Path, opened: MakeOutbox
) -> None:
    """Such a message stands between the numbers and says nothing of them."""
    outbox = filled(opened(), 1, 2, 3)
    outbox.put(Message("plant/press-1/model", b"{}"))
    filled(outbox, *behind).close()
    with closing(sqlite3.connect(path)) as connection:
        change = "DELETE FROM entries" if unreadable else "UPDATE entries SET payload = x'00'"
        connection.execute(f"{change} WHERE seq = 3")
        connection.commit()
    if unreadable:
        flipped(path, 0, 100)
    outbox = opened()
    everything = [1, 2, 3, *behind, outbox.mark.seq + 1]
    filled(outbox, everything[-1])
    assert [number for number in told(outbox) if number] == everything
    assert [number for number in told(opened()) if number] == everything


def test_the_very_first_number_is_named_too(path: Path, opened: MakeOutbox) -> None:
    """Nothing was before it."""
    filled(opened(), 1, 2).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE entries SET payload = x'00' WHERE seq = 1")
        connection.commit()
    assert told(opened()) == [1, 2]


def test_the_number_of_a_damaged_newest_entry_is_not_given_again(path: Path, opened: MakeOutbox) -> None:
    """Whatever it claims: it is named, also where only the entries tell how far the numbers went."""
    copy = killed_copy(path, filled(opened(), *range(1, 6)))
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("UPDATE entries SET seq = 2 WHERE seq = 5")
        connection.commit()
        outbox = SqliteOutbox(copy)
    assert (outbox.mark, told(outbox)) == (Mark(5), [1, 2, 3, 4, 5])
    outbox.close()


def test_a_log_that_is_gone_is_noticed(path: Path, opened: MakeOutbox) -> None:
    """What was only in it is named, and its numbers are not given again."""
    left = killed_copy(path, filled(opened(), *range(1, 51)))
    left.with_name("outbox.db-wal").unlink()
    with closing(SqliteOutbox(left)) as outbox:
        assert outbox.mark.seq >= 50
        assert told(outbox)[:50] == list(range(1, 51))


@pytest.mark.parametrize("at", [0.0, 0.4, 0.8])
def test_a_log_that_is_damaged_in_its_middle_is_noticed(path: Path, opened: MakeOutbox, at: float) -> None:
    """SQLite would leave out all that follows without a word."""
    left = killed_copy(path, filled(opened(), *range(1, 301)))
    log = left.with_name("outbox.db-wal")
    flipped(log, int(log.stat().st_size * at), 4096)
    with closing(SqliteOutbox(left)) as outbox:
        assert outbox.mark.seq >= 300
        items = contents(outbox, 1000)
        numbers = [n for item in items for n in (range(item[0], item[1] + 1) if isinstance(item, tuple) else [item])]
        assert set(numbers) >= set(range(1, 301))
        assert len([item for item in items if isinstance(item, int)]) > 200


def test_damage_that_shows_while_it_runs_does_not_stop_it(path: Path, opened: MakeOutbox) -> None:
    """The file is set aside, what is in memory or can be read goes on, and what is put meanwhile is kept."""
    outbox = opened()
    for seq in range(1, 2001):
        outbox.put(Message("t", b"%d" % seq * 1000, seq))
    outbox = opened()
    woken = threading.Event()
    outbox.listen(woken.set)
    flipped(path, 4096 * 500, path.stat().st_size - 4096 * 600)
    numbers = told(outbox)
    filled(outbox, 2001)
    assert woken.wait(10)
    numbers += told(outbox)
    assert list(dict.fromkeys(numbers)) == list(range(1, 2002))
    assert len(list(path.parent.glob("outbox.db.damaged-*Z"))) == 1
    assert outbox.status().damaged > 0
    assert outbox.status().problem is None


@pytest.mark.parametrize("moved", [(), ("outbox.db-wal",), ("outbox.db-wal", "outbox.db")])
def test_a_kill_while_a_damaged_file_is_set_aside_loses_nothing(
    path: Path, opened: MakeOutbox, moved: tuple[str, ...]
) -> None:
    """The fresh file is complete, the damaged one is still there, in part or whole: the next start goes on."""
    filled(opened(), *range(1, 51)).close()
    path.rename(path.with_name("outbox.db.salvaged"))
    for name in ("outbox.db", "outbox.db-wal"):
        if name not in moved:
            path.with_name(name).write_bytes(b"damaged")
    assert contents(opened()) == list(range(1, 51))
    assert not path.with_name("outbox.db.salvaged").exists()


# What becomes of a disk that refuses


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Give a disk of 4 MiB of its own."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def full(status: OutboxStatus) -> bool:
    return not status.writable and "the disk is full; free space on it" in str(status.problem)


def test_a_full_disk_is_a_state_and_ends(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Results wait in memory, in order, and are written once there is room; told once."""
    with small_disk(tmp_path / "disk") as disk, closing(SqliteOutbox(disk / "outbox.db", tend_s=0.05)) as outbox:
        filled(outbox, *range(1, 11))
        hog = disk / "hog"
        with pytest.raises(OSError, match="No space"):
            hog.write_bytes(bytes(8 << 20))
        for seq in range(11, 111):
            outbox.put(Message("t", bytes(5000), seq))
        assert full(outbox.status())
        assert outbox.depth == 110
        assert len([r for r in caplog.records if "the disk is full" in r.getMessage()]) == 1
        acknowledged(outbox, 5)
        hog.unlink()
        until(lambda: outbox.status().writable, what="the disk taken up again")
        outbox.close()
        with closing(SqliteOutbox(disk / "outbox.db")) as again:
            assert (told(again), again.mark.seq) == (list(range(6, 111)), 110)


@pytest.mark.parametrize("started_full", [False, True])
def test_a_disk_that_has_room_again_at_the_last_moment_gets_everything(tmp_path: Path, started_full: bool) -> None:
    """Closing tries once more, however short ago the disk refused."""
    with small_disk(tmp_path / "disk") as disk:
        hog = disk / "hog"
        if started_full:
            with pytest.raises(OSError, match="No space"):
                hog.write_bytes(bytes(8 << 20))
        with closing(SqliteOutbox(disk / "outbox.db", tend_s=60)) as outbox:
            if not started_full:
                with pytest.raises(OSError, match="No space"):
                    hog.write_bytes(bytes(8 << 20))
            for seq in range(1, 21):
                outbox.put(Message("t", bytes(5000), seq))
            assert full(outbox.status())
            hog.unlink()
        with closing(SqliteOutbox(disk / "outbox.db")) as again:
            assert told(again) == list(range(1, 21))
            assert again.depth == 20


def test_a_start_on_a_full_disk_works_in_memory(tmp_path: Path) -> None:
    """It says so, takes and gives, and writes once there is room."""
    with small_disk(tmp_path / "disk") as disk:
        with pytest.raises(OSError, match="No space"):
            (disk / "hog").write_bytes(bytes(8 << 20))
        with closing(SqliteOutbox(disk / "outbox.db", tend_s=0.05)) as outbox:
            filled(outbox, *range(1, 51))
            assert not outbox.status().writable
            acknowledged(outbox, 10)
            (disk / "hog").unlink()
            until(lambda: outbox.status().writable, what="the disk taken up again")
            filled(outbox, 51)
        with closing(SqliteOutbox(disk / "outbox.db")) as again:
            assert (told(again), again.mark.seq) == (list(range(11, 52)), 51)


def test_a_full_disk_with_results_on_it_delivers_them_before_what_came_later(tmp_path: Path) -> None:
    """Order holds between what is on the disk and what is in memory; what was acknowledged leaves when it can."""
    with small_disk(tmp_path / "disk") as disk:
        with closing(SqliteOutbox(disk / "outbox.db")) as before:
            filled(before, *range(1, 501))
        with pytest.raises(OSError, match="No space"):
            (disk / "hog").write_bytes(bytes(8 << 20))
        with closing(SqliteOutbox(disk / "outbox.db", tend_s=0.05)) as outbox:
            filled(outbox, *range(501, 1101))
            assert told(outbox) == list(range(1, 1101))


def test_an_outbox_that_may_drop_nothing_refuses_while_its_disk_does(tmp_path: Path) -> None:
    """The error names the disk and the remedy; what was accepted is kept."""
    limits = Limits(full="refuse")
    with small_disk(tmp_path / "disk") as disk, closing(SqliteOutbox(disk / "o.db", limits, tend_s=0.05)) as outbox:
        outbox.admit()
        with pytest.raises(OSError, match="No space"):
            (disk / "hog").write_bytes(bytes(8 << 20))
        for seq in range(1, 101):
            outbox.put(Message("t", bytes(5000), seq))
        with pytest.raises(OverloadedError, match="the disk is full; free space on it"):
            outbox.admit()
        assert told(outbox) == list(range(1, 101))
        (disk / "hog").unlink()
        until(lambda: outbox.status().writable, what="the disk taken up again")
        outbox.admit()


def test_a_file_that_may_not_grow_is_a_state(opened: MakeOutbox) -> None:
    """The limit on sizes of files, as a quota would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    outbox = filled(opened(), 1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    try:
        for seq in range(2, 102):
            outbox.put(Message("t", bytes(5000), seq))
        problem = str(outbox.status().problem)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "cannot be written" in problem
    until(lambda: outbox.status().writable, what="the disk taken up again")
    assert told(opened()) == list(range(1, 102))


def test_a_folder_that_cannot_be_made_is_a_state(tmp_path: Path) -> None:
    """A file stands where the folder should be; once it is gone the outbox is written."""
    blocker = tmp_path / "var"
    blocker.write_text("no folder")
    with closing(SqliteOutbox(blocker / "outbox.db", tend_s=0.05)) as outbox:
        filled(outbox, 1, 2)
        assert "cannot be opened" in str(outbox.status().problem)
        blocker.unlink()
        until(lambda: outbox.status().writable, what="the outbox written")
        assert told(outbox) == [1, 2]
    with closing(SqliteOutbox(blocker / "outbox.db")) as again:
        assert told(again) == [1, 2]


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nobody write to a folder, not even root."""
    bind = ["mount", "--bind", str(folder), str(folder)]
    if os.geteuid() != 0 or subprocess.run(bind, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount")
    subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_read_only_is_a_state(path: Path, opened: MakeOutbox) -> None:
    """A start on it works in memory and says so; numbers go on behind those that may have been given."""
    filled(opened(), 1, 2, 3)
    opened().close()
    with read_only(path.parent), closing(SqliteOutbox(path, tend_s=0.05)) as outbox:
        first = outbox.mark.seq + 1
        filled(outbox, first)
        assert (first, outbox.status().writable) == (4, False)
        assert contents(outbox) == [1, 2, 3, 4]
    assert contents(opened()) == [1, 2, 3]


def test_another_program_that_holds_the_file_is_a_state(path: Path, opened: MakeOutbox) -> None:
    """Somebody looks at the file with a tool of theirs; what is put meanwhile is written when they are done."""
    outbox = filled(opened(), 1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        filled(outbox, 2)
        assert "another program uses it" in str(outbox.status().problem)
        other.execute("ROLLBACK")
    until(lambda: outbox.status().writable, what="the outbox written")
    assert contents(opened()) == [1, 2]


def test_the_log_does_not_grow_for_ever(path: Path, opened: MakeOutbox) -> None:
    """It is moved into the database again and again."""
    outbox = opened()
    for start in range(1, 9001, 1000):
        filled(outbox, *range(start, start + 1000))
        until(lambda: outbox._disk.written < 3000, what="the log moved")  # noqa: SLF001 - what the thread works on
    assert path.with_name("outbox.db-wal").stat().st_size < 40 << 20


def test_records_of_damage_can_be_told_from_others() -> None:
    """Only neighbours of one reason are one record."""
    assert Dropped(1, 2).plus(3, "full") == Dropped(1, 3)
    assert Dropped(1, 2).plus(3, "too-old") is None
    assert message(1).size > 0
