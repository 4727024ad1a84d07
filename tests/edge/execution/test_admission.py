"""Bounds by priority, and promises about time that hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.schema import REQUEST_SHARE
from edge.errors import OverloadedError, StoppingError
from edge.execution.admission import LONGEST_RETRY_S, SHARE, SHORTEST_RETRY_S, Admission
from edge.ports import Priority

TRIGGER, REQUEST, STREAM = Priority


def admission(*, pictures: int = 10, size: int = 1000, workers: int = 1, pace_s: float = 0.1) -> Admission:
    made = Admission(max_pictures=pictures, max_bytes=size, workers=workers)
    made.note_pace(pace_s)
    return made


@pytest.mark.parametrize(("priority", "rooms"), [(STREAM, 5), (REQUEST, 9), (TRIGGER, 10)])
def test_each_priority_has_its_share(priority: Priority, rooms: int) -> None:
    """Of ten places and of a thousand bytes."""
    by_count, by_size = admission(), admission(pictures=100)
    for _ in range(rooms):
        assert by_count.full(priority) is None
        by_count.enter(1, priority)
        by_size.enter(100, priority)
    assert by_count.full(priority) == pytest.approx(rooms * 0.1)
    for full in (by_count, by_size):
        with pytest.raises(OverloadedError):
            full.enter(1, priority)


def test_the_configuration_knows_the_share_of_requests() -> None:
    """It refuses limits of HTTP that would never fit, without importing what computes."""
    assert SHARE[REQUEST] == REQUEST_SHARE


def test_a_queue_of_one_takes_anybody() -> None:
    """Shares are rounded up, so that the smallest queue is of use to streams too."""
    for priority in Priority:
        admission(pictures=1).enter(1, priority)


def test_a_picture_larger_than_its_share_is_let_in_alone() -> None:
    """Nothing that may be sent at all is refused for ever."""
    lone = admission(size=8)
    lone.enter(100, STREAM)
    with pytest.raises(OverloadedError):
        lone.enter(1, TRIGGER)
    lone.leave(100, STREAM)
    lone.enter(1, TRIGGER)


def test_what_could_only_come_too_late_is_refused_at_once() -> None:
    """The wait is what goes before it at the present pace; those that it overtakes do not count."""
    busy = admission(pictures=100)
    for _ in range(20):
        busy.enter(1, STREAM)
    for _ in range(5):
        busy.enter(1, REQUEST)
    with pytest.raises(OverloadedError, match=r"takes some 0\.5 s, longer than the 0\.4 s") as refused:
        busy.enter(1, REQUEST, 0.4)
    assert refused.value.retry_after_s == pytest.approx(2.5)
    busy.enter(1, REQUEST, 0.6)
    busy.enter(1, TRIGGER, 0.01)


def test_an_idle_worker_is_tried_however_slow_the_last_picture_was() -> None:
    """One slow run does not shut the door for ever: without work ahead the estimate is zero."""
    slow = admission(workers=2, pace_s=100.0)
    slow.enter(1, REQUEST, 0.1)
    slow.enter(1, REQUEST, 0.1)
    with pytest.raises(OverloadedError):
        slow.enter(1, REQUEST, 0.1)


def test_one_picture_that_hung_for_a_moment_shuts_nobody_out() -> None:
    """A stall of the machine says little about the pace; a slower model says it again with each picture."""
    busy = admission(pictures=100, pace_s=0.01)
    for _ in range(50):
        busy.enter(1)
    busy.note_pace(100.0)
    busy.enter(1, REQUEST, 1.0)
    for _ in range(20):
        busy.note_pace(1.0)
    with pytest.raises(OverloadedError):
        busy.enter(1, REQUEST, 20.0)


@pytest.mark.parametrize(("pace_s", "retry_s"), [(0.0, SHORTEST_RETRY_S), (0.2, 1.0), (1000.0, LONGEST_RETRY_S)])
def test_the_time_to_come_again_is_honest_and_bounded(pace_s: float, retry_s: float) -> None:
    """As long as the present work takes; never a tight loop, never an hour."""
    full = admission(pictures=5, pace_s=pace_s)
    for _ in range(5):
        full.enter(1, TRIGGER)
    assert full.full(TRIGGER) == pytest.approx(retry_s)


def test_closed_is_closed_for_all() -> None:
    """Also with room."""
    closed = admission()
    closed.close()
    with pytest.raises(StoppingError):
        closed.enter(1, TRIGGER)


@given(st.lists(st.tuples(st.sampled_from(Priority), st.integers(0, 300), st.booleans()), max_size=200))
def test_counts_hold_whatever_comes_and_goes(steps: list[tuple[Priority, int, bool]]) -> None:
    """No bound is passed by two pictures or more, and an emptied queue is empty."""
    kept, inside = admission(), list[tuple[int, Priority]]()
    for priority, size, leaves in steps:
        if leaves and inside:
            kept.leave(*inside.pop())
            continue
        try:
            kept.enter(size, priority)
        except OverloadedError:
            assert inside
        else:
            inside.append((size, priority))
        assert kept.waiting == len(inside) <= 10
        assert len(inside) <= 1 or sum(size for size, _ in inside) <= 1000
    for each in inside:
        kept.leave(*each)
    assert kept.waiting == 0
    assert kept.full(STREAM) is None
