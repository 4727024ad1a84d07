"""Gaps: which numbers are missing among entries that are loaded in order, and where the record of that goes."""

from edge.publishers.outbox import Dropped, Message, Queued
from edge.publishers.outbox_gaps import Gap, Gaps


def followed(gaps: Gaps, *entries: tuple[int, int]) -> list[Gap]:
    """Follow entries by id and number; return what was missing."""
    found = (gaps.before(Queued(id_, Message("t", b"", seq))) for id_, seq in entries)
    return [gap for gap in found if gap is not None]


def test_where_nothing_is_missing_nothing_is_named() -> None:
    """Wherever the numbers begin, and whatever stands between them."""
    assert followed(Gaps(), (7, 5), (8, 6), (9, 0), (10, 7)) == []


def test_a_record_stands_before_the_next_entry() -> None:
    """One names all that is missing; a message without a number between them does not hide it."""
    assert followed(Gaps(), (1, 1), (4, 4)) == [(3, Dropped(2, 3, "damaged"))]
    assert followed(Gaps(), (1, 1), (3, 0), (4, 3)) == [(2, Dropped(2, 2, "damaged"))]


def test_damage_before_anything_else() -> None:
    """The damaged entry tells where the numbers begin, if what it claims can be; else all after what has left count."""
    for claimed, missing in (
        (4, Dropped(4, 4, "damaged")),
        (9, Dropped(3, 4, "damaged")),
        (1, Dropped(3, 4, "damaged")),
    ):
        gaps = Gaps()
        gaps.damaged(1, claimed, floor=2, newest=8)
        assert followed(gaps, (2, 5)) == [(1, missing)]


def test_damage_at_the_end_is_named_once() -> None:
    """Also behind it numbers go on."""
    gaps = Gaps()
    followed(gaps, (1, 1))
    gaps.damaged(2, 2, floor=0, newest=2)
    was_open = gaps.open
    followed(gaps, (3, 0))
    assert gaps.end(2) == (2, Dropped(2, 2, "damaged"))
    assert (was_open, gaps.open) == (True, False)
    assert gaps.end(2) is None
    assert followed(gaps, (4, 3)) == []
