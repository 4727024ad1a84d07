"""Who is best, and how sure that is."""

from dataclasses import replace

from tests.training.local.auto.simulated import facts
from training.local.auto.portfolio import portfolio
from training.local.auto.search import Trial
from training.local.auto.verdict import difference, ranked

RECIPE = portfolio(facts(), seed=0)[0].recipe


def trial(number: int, **validation: float) -> Trial:
    return Trial(
        number=number, candidate=f"c{number}", like="", recipe=RECIPE, stage="whole", why="", expected=1,
        epochs=len(validation) and 1, validation=validation,
    )  # fmt: skip


def test_the_metric_decides_then_the_log_loss_then_who_came_first() -> None:
    """A trial without an epoch has no rank."""
    trials = [
        trial(1, accuracy=0.9, log_loss=0.3),
        trial(2, accuracy=0.95, log_loss=0.9),
        trial(3, accuracy=0.9, log_loss=0.2),
        trial(4, accuracy=0.9, log_loss=0.2),
        replace(trial(5), how="failed"),
    ]
    assert [one.number for one in ranked(trials, "accuracy")] == [2, 3, 4, 1]


def test_a_difference_of_one_picture_is_nothing() -> None:
    """What only one of two networks answers rightly is counted; one picture may be chance, ten are not."""
    right = [True] * 20
    assert not difference(right, [False, *right[1:]]).sure
    found = difference(right, [False] * 10 + right[10:])
    assert (found.only_first, found.only_second, found.sure) == (10, 0, True)
    assert found.chance == 2 / 2**10


def test_equal_networks_differ_by_chance() -> None:
    """With nothing to tell them apart, chance explains all."""
    assert difference([True, False], [True, False]).chance == 1
