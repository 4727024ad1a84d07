"""Lengths of time, read and said."""

import pytest

from training.errors import UsageError
from training.local.auto.budget import at_least, duration, finishing, parse_budget


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h30m", 5400), (" 2H ", 7200), ("1h1m1s", 3661), ("90m", 5400)]
)
def test_budgets_as_people_write_them(text: str, seconds: int) -> None:
    """Hours, minutes and seconds, in this order, each at most once."""
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "0s", "-5m", "1.5h", "30m1h", "m", "nan", "9" * 30 + "h", "1 h", "30 min"])
def test_other_forms_are_refused(text: str) -> None:
    """What is no length of time, nothing, or longer than a month is refused, and the form is named."""
    with pytest.raises(UsageError, match="90s, 30m or 1h30m"):
        parse_budget(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min"), (61, "1 min 01 s"), (3599.9, "1 h 00 min"), (5400, "1 h 30 min")],
)
def test_lengths_are_said_in_two_units(seconds: float, text: str) -> None:
    """Nobody reads seconds beside hours."""
    assert duration(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(1, "10s"), (101, "110s"), (121, "3m"), (3601, "61m")])
def test_the_least_budget_can_be_typed(seconds: float, text: str) -> None:
    """It is rounded up, and the command takes it."""
    assert at_least(seconds) == text
    assert parse_budget(text) >= seconds


def test_more_is_kept_back_on_a_slow_machine() -> None:
    """A share of the budget, at least some seconds, and what a slow machine needs, but never most of it."""
    assert finishing(1000) == 80
    assert finishing(30) == 8
    assert finishing(100_000) == 120
    assert finishing(200, picture=0.2) == pytest.approx(44)
    assert finishing(60, picture=10) == pytest.approx(18)
