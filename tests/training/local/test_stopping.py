"""Which epoch is kept, and when a fit ends early."""

from collections.abc import Sequence

import pytest

from training.local.run import Epoch
from training.local.stopping import best_of, is_due, is_stale
from training.settings import default_settings


def course(*accuracies: float | None, losses: Sequence[float] = ()) -> list[Epoch]:
    """Return epochs of these accuracies; None: not judged."""
    figures = [
        {} if value is None else {"accuracy": value, "log_loss": losses[n] if losses else 1.0}
        for n, value in enumerate(accuracies)
    ]
    return [Epoch(n, 1.0, 0.01, 1.0, 0.5, told) for n, told in enumerate(figures, 1)]


def test_the_best_epoch_is_the_first_of_the_highest_metric() -> None:
    """Of several as high the one of the least log-loss counts, then the first."""
    assert best_of(course(0.5, 0.9, 0.8, 0.9), "accuracy").epoch == 2
    assert best_of(course(0.5, 0.9, 0.9, 0.9, losses=[1, 0.4, 0.2, 0.3]), "accuracy").epoch == 3


def test_epochs_that_were_not_judged_are_not_best() -> None:
    """The last one is only where none was judged."""
    assert best_of(course(None, 0.1, None), "accuracy").epoch == 2
    assert best_of(course(None, None), "accuracy").epoch == 2


@pytest.mark.parametrize(
    ("accuracies", "stale"),
    [
        ((0.9, 0.8, 0.8), False),  # the delay of two passes first, then patience of two
        ((0.9, 0.8, 0.8, 0.8), True),
        ((0.1, 0.2, 0.9, 0.8), False),
        ((0.1, 0.2, 0.9, 0.8, 0.9), True),  # as high is not higher
        ((0.1, 0.2, 0.9, 0.8, 0.91), False),
        ((0.9, None, 0.8, None, 0.8, None), False),  # evaluations count, not epochs
        ((None, None, None, None, None), False),
    ],
)
def test_early_stopping_waits_for_delay_and_patience(accuracies: tuple[float | None, ...], stale: bool) -> None:
    """AutoML's rule: so many evaluations without a higher metric, counted from the delay on."""
    settings = default_settings("mobilenetv2", changes={"early_stopping_delay": 2, "early_stopping_patience": 2})
    assert is_stale(course(*accuracies), settings, "accuracy") is stale


def test_early_stopping_can_be_off() -> None:
    """Then nothing is ever stale."""
    settings = default_settings("mobilenetv2", changes={"early_stopping": 0})
    assert not is_stale(course(*[0.5] * 40), settings, "accuracy")


def test_what_is_due_every_few_epochs_is_due_after_the_last() -> None:
    """So that no fit ends unjudged or unkept."""
    assert [epoch for epoch in range(1, 8) if is_due(epoch, 3, 7)] == [3, 6, 7]
