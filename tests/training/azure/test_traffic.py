"""Shares of an endpoint's requests, as they are asked for and as they come out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.azure.traffic import check_traffic, plan_traffic
from training.errors import UsageError

NAMES = ("blue", "green", "red")


@pytest.mark.parametrize(
    ("asked", "current", "planned"),
    [
        ("100", {}, {"green": 100}),
        ("100", {"blue": 90, "red": 10}, {"green": 100}),
        ("0", {"blue": 100}, None),
        ("10", {"blue": 100}, {"green": 10, "blue": 90}),
        ("50", {"blue": 90, "red": 10}, {"green": 50, "blue": 45, "red": 5}),
        ("10", {"green": 100, "blue": 0, "red": 30}, {"green": 10, "red": 90}),
        ("99", {"blue": 50, "red": 50}, {"green": 99, "blue": 1}),
        (" blue=90, GREEN=10", {"red": 100}, {"blue": 90, "green": 10}),
        ("blue=100,green=0", {}, {"blue": 100}),
    ],
)
def test_shares_are_planned(asked: str, current: dict[str, int], planned: dict[str, int] | None) -> None:
    """A share for the new one shrinks the others in proportion; all shares are taken as they are given."""
    check_traffic(asked)
    assert plan_traffic(asked, "green", current, NAMES) == planned


@pytest.mark.parametrize(
    ("asked", "current", "message"),
    [
        ("101", {}, "must be 0 to 100"),
        ("-1", {}, "must be 0 to 100"),
        ("blue=90", {}, "sum to 90"),
        ("blue=90,blue=10", {}, "each name once"),
        ("blue=90,=10", {}, "must be 0 to 100"),
        ("blue:90", {}, "must be 0 to 100"),
        ("", {}, "must be 0 to 100"),
        ("yellow=100", {}, "no deployment yellow; there are blue, green, red"),
        ("30", {}, "no other deployment answers the rest"),
        ("30", {"green": 100}, "no other deployment answers the rest"),
    ],
)
def test_what_makes_no_whole_is_refused(asked: str, current: dict[str, int], message: str) -> None:
    """Shares must sum to 100 and belong to deployments that are there."""

    def plan() -> None:
        check_traffic(asked)
        plan_traffic(asked, "green", current, NAMES)

    with pytest.raises(UsageError, match=message):
        plan()


@given(
    share=st.integers(1, 99),
    others=st.dictionaries(st.sampled_from(["blue", "red", "pink", "grey"]), st.integers(1, 100), min_size=1),
)
def test_shares_always_make_a_whole(share: int, others: dict[str, int]) -> None:
    """Whatever the shares were, they sum to 100, and the new one has what was asked for."""
    planned = plan_traffic(str(share), "green", others, NAMES)
    assert planned is not None
    assert planned["green"] == share
    assert sum(planned.values()) == 100
    assert all(part > 0 for part in planned.values())
