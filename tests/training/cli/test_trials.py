"""Trials as a table that fits the terminal."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from training.azure.job_views import JobView
from training.cli.trials import Column, board_view, broken, figure, fitting, headline, setting, short
from training.leaderboard import State, Trial, leaderboard


def trial(number: int, accuracy: float | None, state: State = "completed", **hyperparameters: Any) -> Trial:
    metrics = {} if accuracy is None else {"accuracy": accuracy, "log_loss": 1.25}
    return Trial(f"line_HD_{number}", state, hyperparameters, metrics, accuracy)


def view(*trials: Trial, **more: Any) -> JobView:
    told: dict[str, Any] = {"metric": "accuracy", "trials": trials, "planned": 5, **more}
    return JobView("line", "automl", "running", "Running", **told)


def printed(job: JobView, width: int = 80, top: int | None = None) -> list[str]:
    console = Console(file=StringIO(), width=width)
    board = leaderboard(job)
    console.print(board_view(board, board.rows[:top], width, star="the best, as Azure says"), highlight=False)
    file = console.file
    assert isinstance(file, StringIO)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_a_table_tells_what_differs() -> None:
    """Best first, failed and running ones marked, Azure's best with a star."""
    trials = [
        trial(0, 0.5, model_name="resnet18", learning_rate=0.01, number_of_epochs=15),
        trial(1, 0.9512, model_name="vitb16r224", learning_rate=0.00512, number_of_epochs=15),
        trial(2, None, "failed", model_name="resnet18", learning_rate=0.1, number_of_epochs=15),
        trial(3, 0.7, "running", model_name="resnet18", learning_rate=0.01, number_of_epochs=15),
    ]
    assert printed(view(*trials, best="line_HD_1")) == [
        "job line: Running, 3 of 5 trials done (1 running, 1 failed)",
        "",
        "                                            learning_",
        "    trial  state      accuracy  model_name       rate  log_loss",
        "1.    1 *  completed    0.9512  vitb16r224    0.00512    1.2500",
        "2.      3  running      0.7000  resnet18         0.01    1.2500",
        "3.      0  completed    0.5000  resnet18         0.01    1.2500",
        "        2  failed               resnet18          0.1",
        "* the best, as Azure says",
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_longer_than_the_terminal(width: int) -> None:
    """What has no room is named beneath."""
    names = [f"a_setting_of_some_length_{n}" for n in range(12)]
    trials = [Trial(f"line_HD_{n}", "completed", dict.fromkeys(names, n), {"accuracy": 0.5}, 0.5) for n in range(2)]
    lines = printed(view(*trials), width)
    assert max(map(len, lines)) <= width
    assert "no room for" in " ".join(lines)


def test_rows_left_out_are_counted() -> None:
    """And what cannot be read is said."""
    lines = printed(view(trial(0, 0.5), trial(1, 0.6), trial(2, 0.4), note="metrics cannot be read"), top=1)
    assert lines[-2:] == ["2 more trials", "metrics cannot be read"]


def test_a_column_is_kept_while_there_is_room() -> None:
    """The needed ones in any case; a narrow one may still fit where a wide one did not."""
    columns = [
        Column("key", ("12345",), needed=True),
        Column("wide", ("1" * 20,)),
        Column("slim", ("1",)),
    ]
    kept, dropped = fitting(columns, 12)
    assert [column.name for column in kept] == ["key", "slim"]
    assert [column.name for column in dropped] == ["wide"]
    assert [column.name for column in fitting(columns, 200)[0]] == ["key", "wide", "slim"]


def test_headlines_break_at_underscores() -> None:
    """A word is never cut."""
    assert broken("training_batch_size", 10) == "training_\nbatch_size"
    assert broken("accuracy", 4) == "accuracy"
    assert broken("", 4) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.98765, "0.9877"), (1.0, "1.0000"), (0.0051234, "0.005123"), (12345.678, "1.235e+04"), (None, "")],
)
def test_metrics_for_people(value: float | None, text: str) -> None:
    """Four decimals where they say enough."""
    assert figure(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (0.0051234, "0.005123"),
        (1e-5, "1e-05"),
        (15, "15"),
        (15.0, "15"),
        (True, "True"),
        ("sgd", "sgd"),
        (None, ""),
    ],
)
def test_hyperparameters_for_people(value: object, text: str) -> None:
    """Four figures of a fraction; the rest as it is."""
    assert setting(value) == text


def test_a_trial_is_called_by_its_number() -> None:
    """Other runs by their names."""
    assert short(trial(12, None), "line") == "12"
    assert short(Trial("step-of-a-pipeline", "running"), "line") == "step-of-a-pipeline"


def test_a_job_without_trials_has_a_headline() -> None:
    """Only its state."""
    assert headline(view()).plain == "job line: Running"


def test_a_hyperparameter_is_shown_as_it_is() -> None:
    """Brackets and colons are no orders to the terminal."""
    trials = [trial(0, 0.5, advanced_settings='{"a":[true]}'), trial(1, 0.6, advanced_settings="[/x] :tada:")]
    assert printed(view(*trials))[-2:] == [
        "1.      1    0.6000  [/x] :tada:     1.2500",
        '2.      0    0.5000  {"a":[true]}    1.2500',
    ]
