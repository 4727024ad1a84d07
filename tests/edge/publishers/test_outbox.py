"""What every outbox promises; each kind that there is goes through the same examples."""

import threading
from collections.abc import Callable

import pytest

from edge.errors import ConfigError
from edge.publishers.outbox import Dropped, MemoryOutbox, Message, Outbox

MakeOutbox = Callable[[int], Outbox]


@pytest.fixture(params=[MemoryOutbox], ids=["memory"])
def make_outbox(request: pytest.FixtureRequest) -> MakeOutbox:
    """Return how to make an outbox of a given capacity."""
    make: MakeOutbox = request.param
    return make


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
    _, second, _ = outbox.take(3)
    outbox.acknowledge(second.id)
    assert outbox.rewind() == 4
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


def test_an_outbox_for_nothing_is_refused() -> None:
    """A capacity of zero would drop everything."""
    with pytest.raises(ConfigError, match="at least one"):
        MemoryOutbox(0)
