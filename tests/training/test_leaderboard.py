"""Trials in their order, and what tells them apart."""

import csv
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest

from training.azure.job_views import JobView
from training.errors import TrainingError, UsageError
from training.leaderboard import State, Trial, as_csv, differing, leaderboard, metric_of, records, smaller_is_better

BEGAN = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
DONE = datetime(2026, 1, 1, 12, 5, tzinfo=UTC)


def trial(number: int, accuracy: float | None, state: State = "completed", **hyperparameters: Any) -> Trial:
    metrics = {} if accuracy is None else {"accuracy": accuracy, "log_loss": 1 - accuracy}
    return Trial(f"line_HD_{number}", state, hyperparameters, metrics, accuracy, BEGAN, DONE)


def view(*trials: Trial, **more: Any) -> JobView:
    return JobView("line", "automl", "completed", "Completed", **{"metric": "accuracy", "trials": trials, **more})


def test_the_best_comes_first() -> None:
    """Those without a value come last, by number, and have no rank."""
    trials = [
        trial(0, 0.5),
        trial(1, None, "failed"),
        trial(2, 0.9),
        trial(3, 0.7, "running"),
        trial(4, None, "waiting"),
    ]
    board = leaderboard(view(*trials, best="line_HD_2"))
    assert [(row.rank, row.trial.number, row.best) for row in board.rows] == [
        (1, 2, True),
        (2, 3, False),
        (3, 0, False),
        (None, 1, False),
        (None, 4, False),
    ]
    assert board.first == board.rows[0]
    assert board.metrics == ("accuracy", "log_loss")


def test_by_another_metric_the_direction_may_turn() -> None:
    """A loss shall be low; capitals do not count."""
    board = leaderboard(view(trial(0, 0.5), trial(1, 0.9)), "Log_Loss")
    assert [row.trial.number for row in board.rows] == [1, 0]
    assert board.metric == "log_loss"
    assert board.metrics == ("log_loss", "accuracy")


def test_an_unknown_metric_is_refused() -> None:
    """The line names those that there are."""
    with pytest.raises(UsageError, match="no trial has the metric f1; there is accuracy, log_loss"):
        leaderboard(view(trial(0, 0.5)), "f1")


def test_a_job_without_a_primary_metric_needs_one_named() -> None:
    """A pipeline has none."""
    with pytest.raises(UsageError, match="job line: has no primary metric; name one: accuracy, log_loss"):
        leaderboard(view(trial(0, 0.5), metric=None))


@pytest.mark.parametrize(
    ("state", "words"), [("running", "has no trials yet; it is"), ("failed", "has no trials; it is")]
)
def test_a_job_without_trials_says_so(state: str, words: str) -> None:
    """Some may still come, or not."""
    with pytest.raises(TrainingError, match=words):
        leaderboard(JobView("line", "automl", state, state))  # type: ignore[arg-type] # one of the states


def test_trials_that_have_logged_nothing_yet_are_listed() -> None:
    """By number, without ranks, under the job's own metric."""
    board = leaderboard(view(trial(1, None, "running"), trial(0, None, "running")))
    assert [(row.rank, row.trial.number) for row in board.rows] == [(None, 0), (None, 1)]
    assert board.metric == "accuracy"
    assert board.first is None


def test_only_what_differs_is_told_and_the_models_name() -> None:
    """The model's name comes first; a setting that one trial lacks differs."""
    first = trial(0, 0.5, learning_rate=0.1, epochs=5, model_name="resnet18")
    second = trial(1, 0.5, learning_rate=0.2, epochs=5, model_name="resnet18", beta1=0.9)
    assert differing([first, second]) == ("model_name", "learning_rate", "beta1")
    assert differing([first]) == ("model_name", "learning_rate", "epochs")
    assert differing([trial(0, 0.5)]) == ()


def test_rows_as_csv() -> None:
    """All metrics and all hyperparameters, also those that are the same everywhere; what lacks is empty."""
    first = trial(0, 0.5, epochs=5, model_name="resnet18")
    second = trial(1, None, "failed", epochs=5, model_name='with, "quotes"')
    board = leaderboard(view(first, second, best="line_HD_0"))
    rows = list(csv.DictReader(StringIO(as_csv(board, board.rows))))
    assert rows[0] == {
        "rank": "1",
        "trial": "line_HD_0",
        "state": "completed",
        "best": "True",
        "started": "2026-01-01T12:00:00+00:00",
        "ended": "2026-01-01T12:05:00+00:00",
        "seconds": "300.0",
        "accuracy": "0.5",
        "log_loss": "0.5",
        "epochs": "5",
        "model_name": "resnet18",
    }
    assert (rows[1]["rank"], rows[1]["accuracy"], rows[1]["model_name"]) == ("", "", 'with, "quotes"')


def test_rows_as_records() -> None:
    """Plain data; a trial that runs has no end."""
    running = Trial("line_HD_0", "running", {"epochs": 5}, {"accuracy": 0.5}, 0.5, BEGAN, None)
    (record,) = records(leaderboard(view(running)).rows)
    assert record == {
        "rank": 1,
        "trial": "line_HD_0",
        "state": "running",
        "best": False,
        "value": 0.5,
        "started": "2026-01-01T12:00:00+00:00",
        "ended": None,
        "seconds": None,
        "metrics": {"accuracy": 0.5},
        "hyperparameters": {"epochs": 5},
    }


def test_which_metrics_shall_be_low() -> None:
    """Losses and errors."""
    assert [m for m in ("accuracy", "log_loss", "AUC_weighted", "norm_macro_error", "mae") if smaller_is_better(m)] == [
        "log_loss",
        "norm_macro_error",
        "mae",
    ]


def test_a_metric_is_found_whatever_its_capitals() -> None:
    """Where there is one."""
    assert metric_of({"AUC_weighted": 0.5}, "auc_weighted") == 0.5
    assert metric_of({}, "accuracy") is None
