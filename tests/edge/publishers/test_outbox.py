"""What every outbox promises; each kind that there is goes through the same examples."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.errors import ConfigError, OverloadedError
from edge.ports import Mark
from edge.publishers.memory_outbox import MemoryOutbox
from edge.publishers.outbox import Dropped, Limits, Message, Outbox
from edge.publishers.sqlite_outbox import SqliteOutbox

MakeOutbox = Callable[..., Outbox]


class Clock:
    """A clock that a test sets; it begins when this was written."""

    def __init__(self) -> None:
        self.ms = 1_795_000_000_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    """The time of every outbox."""
    return Clock()


@pytest.fixture(params=["memory", "disk"])
def make_outbox(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[MakeOutbox]:
    """Return how to make an outbox of a given capacity."""
    made: list[Outbox] = []

    def make(entries: int = 100, **limits: Any) -> Outbox:
        bounds = Limits(entries=entries, **limits)
        if request.param == "memory":
            made.append(MemoryOutbox(bounds, now_ms=clock))
        else:
            made.append(SqliteOutbox(tmp_path / f"{len(made)}.db", bounds, now_ms=clock))
        return made[-1]

    yield make
    for outbox in made:
        outbox.close()


def message(seq: int) -> Message:
    return Message("t", b"%d" % seq, seq)


def filled(outbox: Outbox, *seqs: int) -> Outbox:
    for seq in seqs:
        outbox.put(message(seq))
    return outbox


def contents(outbox: Outbox, limit: int = 100) -> list[int | tuple[int, int]]:
    """Take what waits: a message shows as its number, a record as its range."""
    taken = [queued.content for queued in outbox.take(limit)]
    return [(c.first_seq, c.last_seq) if isinstance(c, Dropped) else c.seq for c in taken]


def test_messages_are_taken_once_and_in_order(make_outbox: MakeOutbox) -> None:
    """What is on its way is not taken again."""
    outbox = filled(make_outbox(10), 1, 2, 3)
    assert contents(outbox, 2) == [1, 2]
    assert contents(outbox, 2) == [3]
    assert contents(outbox) == []


def test_only_an_acknowledgement_lets_a_message_leave(make_outbox: MakeOutbox) -> None:
    """Taking does not shorten the outbox; an unknown id is no error."""
    outbox = filled(make_outbox(10), 1, 2)
    first, _ = outbox.take(2)
    assert outbox.depth == 2
    outbox.acknowledge(first.id)
    outbox.acknowledge(first.id)
    assert outbox.depth == 1


def test_rewinding_sends_the_unacknowledged_again_in_order_before_all_else(make_outbox: MakeOutbox) -> None:
    """After a lost connection the order is that of the first time, without what was acknowledged."""
    outbox = filled(make_outbox(10), 1, 2, 3, 4)
    _, second, third = outbox.take(3)
    outbox.acknowledge(second.id)
    assert outbox.rewind() == third.id + 1
    assert contents(outbox) == [1, 3, 4]


def test_an_empty_outbox_rewinds_to_nothing(make_outbox: MakeOutbox) -> None:
    """There is no newest id where nothing waits."""
    assert make_outbox(3).rewind() == 0


def test_a_full_outbox_drops_the_oldest_and_names_them(make_outbox: MakeOutbox) -> None:
    """One record stands where neighbouring numbers are missing, at the place of the gap."""
    outbox = filled(make_outbox(3), 1, 2, 3, 4, 5)
    assert (outbox.depth, outbox.dropped) == (3, 2)
    assert contents(outbox) == [(1, 2), 3, 4, 5]


def test_what_is_on_its_way_is_not_dropped(make_outbox: MakeOutbox) -> None:
    """The oldest that nobody has taken goes instead."""
    outbox = filled(make_outbox(3), 1, 2, 3)
    outbox.take(2)
    filled(outbox, 4)
    assert contents(outbox) == [(3, 3), 4]


def test_a_message_that_finds_everything_on_its_way_is_dropped_itself(make_outbox: MakeOutbox) -> None:
    """Then the record is all that waits."""
    outbox = filled(make_outbox(2), 1, 2)
    outbox.take(2)
    filled(outbox, 3)
    assert outbox.depth == 2
    assert contents(outbox) == [(3, 3)]


def test_a_record_that_was_taken_no_longer_grows(make_outbox: MakeOutbox) -> None:
    """What the receiver may have read stays as it was; later gaps get their own record."""
    outbox = filled(make_outbox(2), 1, 2, 3)
    assert contents(outbox, 1) == [(1, 1)]
    filled(outbox, 4)
    assert contents(outbox) == [(2, 2), 3, 4]
    outbox.rewind()
    assert contents(outbox) == [(1, 1), (2, 2), 3, 4]


def test_a_record_is_acknowledged_like_a_message(make_outbox: MakeOutbox) -> None:
    """Until then it comes again; it never counts as depth."""
    outbox = filled(make_outbox(1), 1, 2)
    record, _ = outbox.take(2)
    outbox.rewind()
    assert contents(outbox, 1) == [(1, 1)]
    outbox.acknowledge(record.id)
    outbox.rewind()
    assert contents(outbox) == [2]
    assert outbox.depth == 1


def test_messages_outside_of_the_numbering_leave_no_record(make_outbox: MakeOutbox) -> None:
    """An answer to a command that is dropped is counted, but no number is missing."""
    outbox = filled(make_outbox(1), 0, 1)
    assert outbox.dropped == 1
    assert contents(outbox) == [1]


def test_every_number_is_either_there_or_named_whatever_happens(make_outbox: MakeOutbox) -> None:
    """Over puts, takes, acknowledgements and rewinds, no number goes missing without a word."""
    outbox, told = make_outbox(7), set[int]()
    for seq in range(1, 200):
        outbox.put(message(seq))
        if seq % 5 == 0:
            for queued in outbox.take(3):
                content = queued.content
                last = content.last_seq if isinstance(content, Dropped) else content.seq
                told.update(range(content.first_seq if isinstance(content, Dropped) else last, last + 1))
                outbox.acknowledge(queued.id)
        if seq % 11 == 0:
            outbox.take(2)
            outbox.rewind()
    for item in contents(outbox):
        told.update(range(item[0], item[1] + 1) if isinstance(item, tuple) else [item])
    assert told == set(range(1, 200))


def test_threads_may_put_at_the_same_time(make_outbox: MakeOutbox) -> None:
    """Nothing is lost between them."""
    outbox = make_outbox(1000)
    threads = [threading.Thread(target=filled, args=(outbox, *range(100))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outbox.take(1000)) == outbox.depth == 400


def test_more_than_fits_in_memory_keeps_its_order(make_outbox: MakeOutbox) -> None:
    """Whatever was read ahead, and whatever came meanwhile."""
    outbox = filled(make_outbox(5000), *range(1, 1001))
    told = contents(outbox, 10)
    outbox.rewind()
    told = contents(outbox, 700)
    filled(outbox, *range(1001, 1401))
    assert told + contents(outbox, 5000) == list(range(1, 1401))
    assert outbox.depth == 1400


def test_bytes_are_a_limit_too(make_outbox: MakeOutbox) -> None:
    """Large messages push out more of the older ones."""
    outbox = filled(make_outbox(bytes=1000), *range(1, 11))
    outbox.put(Message("t", bytes(800), 11))
    assert contents(outbox) == [(1, 8), 9, 10, 11]
    assert outbox.status().bytes <= 1000


def test_what_waited_too_long_is_dropped_and_named_for_that(make_outbox: MakeOutbox, clock: Clock) -> None:
    """Only what has waited longer than allowed; a record says why."""
    outbox = filled(make_outbox(max_age_s=60), 1, 2)
    clock.ms += 30_000
    filled(outbox, 3)
    clock.ms += 31_000
    record, rest = outbox.take(10)
    assert (record.content, outbox.dropped) == (Dropped(1, 2, "too-old"), 2)
    assert isinstance(rest.content, Message)


def test_records_of_different_reasons_stay_apart(make_outbox: MakeOutbox, clock: Clock) -> None:
    """Each says its own."""
    outbox = filled(make_outbox(2, max_age_s=60), 1, 2, 3)
    clock.ms += 61_000
    filled(outbox, 4)
    assert [q.content for q in outbox.take(2)] == [Dropped(1, 1, "full"), Dropped(2, 3, "too-old")]


def test_an_outbox_that_may_drop_nothing_refuses_new_work_and_keeps_what_was_accepted(make_outbox: MakeOutbox) -> None:
    """The error names the limit and the remedies; there is room again after an acknowledgement."""
    outbox = make_outbox(2, full="refuse")
    outbox.admit()
    filled(outbox, 1, 2)
    with pytest.raises(OverloadedError, match=r"mqtt\.queue_size = 2 is reached; bring the broker back") as refused:
        outbox.admit()
    assert refused.value.retry_after_s > 1
    assert "new pictures are refused" in str(outbox.status().problem)
    filled(outbox, 3)  # accepted before the outbox was full
    assert (outbox.depth, outbox.dropped) == (3, 0)
    for queued in outbox.take(2):
        outbox.acknowledge(queued.id)
    outbox.admit()
    assert contents(outbox) == [3]


def test_a_full_outbox_that_drops_says_so_until_it_has_room(
    make_outbox: MakeOutbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Told once in the log however much is dropped, and in the status as long as it lasts."""
    outbox = filled(make_outbox(10), *range(1, 51))
    outbox.admit()
    assert "mqtt.queue_size = 10 is reached" in str(outbox.status().problem)
    assert len([r for r in caplog.records if "drops its oldest" in r.getMessage()]) == 1
    for queued in outbox.take(5):
        outbox.acknowledge(queued.id)
    assert outbox.status().problem is None


def test_the_status_tells_how_much_waits_and_how_long(make_outbox: MakeOutbox, clock: Clock) -> None:
    """Counts, bytes, the age of the oldest."""
    outbox = filled(make_outbox(), 1)
    clock.ms += 2000
    filled(outbox, 2)
    status = outbox.status()
    assert (status.depth, status.oldest_s, status.damaged, status.writable) == (2, 2.0, 0, True)
    assert status.bytes > 0
    for queued in outbox.take(2):
        outbox.acknowledge(queued.id)
    assert (outbox.status().depth, outbox.status().bytes, outbox.status().oldest_s) == (0, 0, 0.0)


def test_the_mark_is_the_newest_number_and_id(make_outbox: MakeOutbox) -> None:
    """Also once all has left; an id dated in the future, by a file's own time, does not count."""
    outbox = make_outbox()
    outbox.put(Message("t", b"", 7, "01K9ZZZZZZ0000000000000000"))
    outbox.put(Message("t", b"", 8, "7ZZZZZZZZZ0000000000000000"))
    outbox.put(Message("t", b"", 0))
    for queued in outbox.take(3):
        outbox.acknowledge(queued.id)
    assert outbox.mark == Mark(8, "01K9ZZZZZZ0000000000000000")


def test_an_outbox_for_nothing_is_refused() -> None:
    """A capacity of zero would drop everything."""
    with pytest.raises(ConfigError, match="at least one"):
        Limits(entries=0)
