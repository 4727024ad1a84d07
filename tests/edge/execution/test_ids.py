"""Ids: unique, rising, and the same again for a picture that is handed in again."""

from datetime import UTC, datetime, timedelta

from edge.execution.ids import Ids
from edge.ports import Frame

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def frame(identity: bytes | None = None, *, source: str = "belt", at: datetime = NOW) -> Frame:
    return Frame(b"", source, at, identity=identity)


def test_ids_rise_within_one_millisecond() -> None:
    """Many ids of the same moment are distinct and sort as they were given."""
    ids = Ids(wall_ms=lambda: 1_700_000_000_000)
    given = [ids.of(frame()) for _ in range(1000)]
    assert given == sorted(set(given))


def test_a_clock_that_jumps_back_does_not_turn_the_order() -> None:
    """Ids go on rising, in this process and after a restart, though the wall clock is set back by years."""
    moments = iter([1_700_000_000_000, 5, -3])
    ids = Ids(wall_ms=lambda: next(moments))
    first, second, third = (ids.of(frame()) for _ in range(3))
    assert first < second < third < Ids(after=third, wall_ms=lambda: 0).of(frame())


def test_the_same_picture_gets_the_same_id() -> None:
    """A frame with an identity keeps its id over restarts; another source, identity or time gives another one."""
    given = Ids().of(frame(b"a.png"))
    assert Ids().of(frame(b"a.png")) == given
    later = NOW + timedelta(seconds=1)
    others = {Ids().of(frame(b"b.png")), Ids().of(frame(b"a.png", source="x")), Ids().of(frame(b"a.png", at=later))}
    assert len(others | {given}) == 4
    assert given < Ids().of(frame(b"a.png", at=later))


def test_a_time_that_no_id_can_hold_is_moved_to_the_nearest() -> None:
    """Files dated before 1970 get ids too."""
    assert Ids().of(frame(b"a", at=datetime(1960, 1, 1, tzinfo=UTC))).startswith("0000000000")


def test_a_newest_id_that_the_disk_changed_stops_nothing() -> None:
    """Ids are made of the present time then."""
    assert Ids(after="~1KAJZ00000000000000000000", wall_ms=lambda: 1_700_000_000_000).of(frame()) > "01HF"
