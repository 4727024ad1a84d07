"""Policies of early termination, against tables worked out by hand."""

from typing import Any

import pytest

from training.local.sweep.policies import AnyPolicy, ends, is_due
from training.sweep_schema import Bandit, MedianStopping, TruncationSelection


def bandit(**keys: Any) -> Bandit:
    return Bandit(type="bandit", **keys)


def median(**keys: Any) -> MedianStopping:
    return MedianStopping(type="median_stopping", **keys)


def truncation(percentage: int, **keys: Any) -> TruncationSelection:
    return TruncationSelection(type="truncation_selection", truncation_percentage=percentage, **keys)


@pytest.mark.parametrize(
    ("interval", "delay", "due"),
    [(1, 0, [1, 2, 3, 4, 5, 6]), (2, 0, [2, 4, 6]), (1, 5, [5, 6]), (2, 5, [6]), (3, 3, [3, 6])],
)
def test_when_trials_are_judged(interval: int, delay: int, due: list[int]) -> None:
    """At each multiple of the interval that is not before the delay."""
    policy = bandit(slack_amount=0.1, evaluation_interval=interval, delay_evaluation=delay)
    assert [at for at in range(1, 7) if is_due(policy, at)] == due


@pytest.mark.parametrize(("mine", "ended"), [(0.66, True), (0.67, False)])
def test_bandit_by_a_ratio(mine: float, ended: bool) -> None:
    """Azure's own example: best 0.8, slack factor 0.2, so below 0.8 / 1.2 = 0.667 a trial ends."""
    assert ends(bandit(slack_factor=0.2), {0: [0.8], 1: [mine]}, 1) is ended


@pytest.mark.parametrize(("mine", "ended"), [(0.59, True), (0.61, False)])
def test_bandit_by_a_difference(mine: float, ended: bool) -> None:
    """Best 0.8, slack 0.2: below 0.6 a trial ends."""
    assert ends(bandit(slack_amount=0.2), {0: [0.8], 1: [mine]}, 1) is ended


def test_bandit_compares_at_the_same_interval() -> None:
    """What the best did later does not count: at interval 2 it had 0.5."""
    policy = bandit(slack_factor=0.2)
    assert not ends(policy, {0: [0.4, 0.5, 0.9], 1: [0.3, 0.45]}, 1)
    assert ends(policy, {0: [0.4, 0.5, 0.9], 1: [0.3, 0.41]}, 1)  # 0.5 / 1.2 = 0.417


def test_bandit_takes_the_best_of_each() -> None:
    """A trial is as good as its best report so far."""
    assert not ends(bandit(slack_amount=0.1), {0: [0.8, 0.7], 1: [0.75, 0.1]}, 1)


@pytest.mark.parametrize(("mine", "ended"), [([0.2, 0.44], True), ([0.2, 0.46], False)])
def test_median_stopping(mine: list[float], ended: bool) -> None:
    """Averages over two reports: 0.3, 0.45, 0.5, 0.6, and mine of 0.32 or 0.33; their median is 0.45."""
    curves = {0: [0.2, 0.4], 1: [0.4, 0.5], 2: [0.5, 0.7], 3: mine}
    assert ends(median(), {**curves, 4: [0.5, 0.5]}, 3) is ended


def test_median_stopping_looks_at_the_best_so_far() -> None:
    """Mine was 0.6 once; that its average is below the median of averages, 0.5, does not end it."""
    assert not ends(median(), {0: [0.5, 0.5], 1: [0.5, 0.5], 2: [0.6, 0.1]}, 2)


def test_a_trial_alone_goes_on() -> None:
    """Nothing is worse than itself."""
    for policy in (bandit(slack_factor=0.01), median(), truncation(99)):
        assert not ends(policy, {0: [0.1, 0.05]}, 0)


@pytest.mark.parametrize(
    ("percentage", "worst"), [(10, []), (20, [3]), (40, [3, 0]), (59, [3, 0]), (60, [3, 0, 4]), (99, [3, 0, 4, 1])]
)
def test_truncation(percentage: int, worst: list[int]) -> None:
    """Of five trials, 20 % are one; what is no whole trial is not cut."""
    curves = {0: [0.4], 1: [0.7], 2: [0.9], 3: [0.1], 4: [0.5]}
    assert [number for number in (3, 0, 4, 1, 2) if ends(truncation(percentage), curves, number)] == worst


def test_truncation_of_equals_ends_the_later() -> None:
    """Half of two that do alike is one."""
    curves = {0: [0.5], 1: [0.5]}
    assert [ends(truncation(50), curves, number) for number in (0, 1)] == [False, True]


def test_trials_that_have_not_come_so_far_do_not_count() -> None:
    """At interval 2, only those with two reports are compared."""
    assert not ends(truncation(50), {0: [0.9], 1: [0.9], 2: [0.1, 0.2]}, 2)


@pytest.mark.parametrize("policy", [bandit(slack_factor=0.2, delay_evaluation=3), None])
def test_before_its_time_nothing_ends(policy: AnyPolicy | None) -> None:
    """Nor without a policy."""
    assert not ends(policy, {0: [0.9, 0.9], 1: [0.1, 0.1]}, 1)
