"""Shares with what they may really be, and differences with their chance."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.intervals import paired_chance, share_interval


def test_share_interval_by_hand() -> None:
    """8 of 10: Wilson's interval as in the textbooks."""
    assert share_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_none_seen_is_not_none() -> None:
    """No escape among 100 parts leaves room for almost four in a hundred; of nothing, nothing is known."""
    assert share_interval(0, 100) == pytest.approx((0.0, 0.037), abs=1e-3)
    assert share_interval(100, 100) == pytest.approx((0.963, 1.0), abs=1e-3)
    assert share_interval(0, 0) == (0.0, 1.0)


@settings(deadline=None)
@given(st.integers(0, 500), st.integers(0, 500))
def test_interval_holds_what_was_seen(count: int, rest: int) -> None:
    """It is within 0..1 and around the share."""
    total = count + rest
    low, high = share_interval(count, total)
    assert 0 <= low <= high <= 1
    assert not total or low <= count / total <= high


def test_paired_chance_by_hand() -> None:
    """All five differences on one side: 2/32. As many on both: certain."""
    assert paired_chance(5, 0) == pytest.approx(2 / 32)
    assert paired_chance(1, 4) == paired_chance(4, 1) == pytest.approx(2 * (1 + 5) / 32)
    assert paired_chance(3, 3) == paired_chance(0, 0) == 1
    assert 0 < paired_chance(2000, 1500) < 1e-10
