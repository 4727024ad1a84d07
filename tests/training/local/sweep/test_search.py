"""A sweep from its first proposal to its last trial, on a stage."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna")

from tests.training.local.sweep.plays import METRIC, Stage, write_script
from training.errors import HyperparameterError, StorageError, TrainingError
from training.local.sweep.ledger import Proposal, Sampling, open_ledger
from training.local.sweep.places import News
from training.local.sweep.search import Began, Event, Order, Over, Progress, Search
from training.search_space import read_distribution
from training.sweep_schema import Bandit

Plays = dict[int, tuple[list[float], str]]
BANDIT = Bandit(type="bandit", slack_factor=0.2)


def search(folder: Path, plays: Plays, *, stage: Stage | None = None, **keys: Any) -> Search:
    """Return a search over trials that play what is told for each, else that reach 0.5 in one epoch."""

    def prepare(proposal: Proposal) -> Order:
        values, ending = plays.get(proposal.number, ([0.5], "fitted"))
        if ending == "unfit":
            raise HyperparameterError("learning_rate=2: must be at most 1")
        if ending == "unwritable":
            raise StorageError("no room for its folder")
        return Order(write_script(folder / str(proposal.number), values, ending), len(values))

    spaces = [{"learning_rate": read_distribution({"type": "uniform", "min_value": 0.01, "max_value": 0.1})}]
    how = Sampling(algorithm="random", spaces=spaces, fixed={}, planned=keys.pop("planned", len(plays)), seed=0)
    defaults: dict[str, Any] = {"policy": None, "concurrent": 1, "watch": lambda _: None, "left_s": lambda: 60.0}
    return Search(
        ledger=open_ledger(folder), sampling=how, metric=METRIC, place=stage or Stage(), prepare=prepare,
        **{**defaults, **keys},
    )  # fmt: skip


def states(one: Search) -> list[tuple[str, float | None]]:
    return [(trial.state, trial.score) for trial in one.ledger.trials("x", METRIC)]


def test_all_trials_are_run(tmp_path: Path) -> None:
    """Each ends with its best value, and is told of as it goes."""
    events: list[Event] = []
    one = search(tmp_path, {0: ([0.5, 0.7, 0.6], "fitted"), 1: ([0.4], "fitted")}, watch=events.append)
    assert one.run()
    assert states(one) == [("completed", 0.7), ("completed", 0.4)]
    began, *told = events
    assert isinstance(began, Began)
    assert (began.number, began.epochs, list(began.drawn)) == (0, 3, ["learning_rate"])
    assert told[:4] == [Progress(0, 1, 0.5), Progress(0, 2, 0.7), Progress(0, 3, 0.6), Over(0, "completed", 0.7)]


def test_so_many_at_a_time(tmp_path: Path) -> None:
    """And no more."""
    running: list[int] = []

    def watch(event: Event) -> None:
        running.append(running[-1] + 1 if running else 1) if isinstance(event, Began) else None
        running.append(running[-1] - 1) if isinstance(event, Over) else None

    one = search(tmp_path, {}, planned=7, concurrent=3, watch=watch)
    assert one.run()
    assert (max(running), running[-1], len(states(one))) == (3, 0, 7)


def test_a_policy_ends_what_will_not_win(tmp_path: Path) -> None:
    """The second trial is far behind after its first epoch; in its last one, a trial is not ended any more."""
    plays: Plays = {0: ([0.8, 0.9], "fitted"), 1: ([0.2, 0.95], "fitted"), 2: ([0.75, 0.3], "fitted")}
    one = search(tmp_path, plays, policy=BANDIT)
    assert one.run()
    assert states(one) == [("completed", 0.9), ("terminated", 0.2), ("completed", 0.75)]


@pytest.mark.parametrize("ending", ["broken", "crash", "unfit"])
def test_a_trial_that_fails_ends_no_sweep(tmp_path: Path, ending: str) -> None:
    """It is marked with its reason, and the next one is begun."""
    one = search(tmp_path, {0: ([], ending), 1: ([0.5], "fitted")})
    assert one.run()
    assert states(one) == [("failed", None), ("completed", 0.5)]
    assert any(word in str(one.ledger.reason(0)) for word in ("nan", "boom", "at most 1"))


@pytest.mark.parametrize("ending", ["full", "unwritable"])
def test_where_the_disk_is_full_the_sweep_stops(tmp_path: Path, ending: str) -> None:
    """No trial is lost by it, whether it had begun or not: the same command begins it again."""
    one = search(tmp_path, {0: ([], ending), 1: ([0.5], "fitted")})
    with pytest.raises(StorageError, match="no room"):
        one.run()
    assert states(one) == [("running", None)]
    again = search(tmp_path, {0: ([0.4], "fitted"), 1: ([0.5], "fitted")})
    assert again.run()
    assert states(again) == [("completed", 0.4), ("completed", 0.5)]


def test_when_the_time_is_over_it_stops(tmp_path: Path) -> None:
    """Running trials stay as they are, to be gone on with."""
    left = iter([9.0, 9.0, 9.0, 0.0])
    stage = Stage()
    one = search(tmp_path, {0: ([0.5], "fitted"), 1: ([], "hang")}, stage=stage, left_s=lambda: next(left))
    assert not one.run()
    assert states(one) == [("completed", 0.5), ("running", None)]
    assert stage.closed


def test_after_a_kill_it_goes_on(tmp_path: Path) -> None:
    """Ended trials count, begun ones come first, and then those that are left; policies judge as before."""
    plays: Plays = {0: ([0.8, 0.9], "fitted"), 1: ([0.7, 0.85], "fitted"), 2: ([0.6], "fitted")}
    killed = search(tmp_path, plays, left_s=iter([9.0, 9.0, 9.0, 9.0, 0.0]).__next__)
    assert not killed.run()
    assert states(killed) == [("completed", 0.9), ("running", 0.7)]
    stage = Stage()
    again = search(tmp_path, plays, stage=stage)
    assert again.run()
    assert stage.begun == [1, 2]
    assert states(again) == [("completed", 0.9), ("completed", 0.85), ("completed", 0.6)]


class Killing(Stage):
    """Is gone after some news."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._left = after

    def next_news(self, timeout_s: float) -> News | None:
        self._left -= 1
        if self._left < 0:
            raise TrainingError("the scheduler is gone")
        return super().next_news(timeout_s)


def test_killed_at_any_moment_it_ends_as_it_would_have(tmp_path: Path) -> None:
    """After each piece of news, once: the same trials, with the same values and states."""
    plays: Plays = {0: ([0.8, 0.9], "fitted"), 1: ([0.2, 0.3], "fitted"), 2: ([], "broken"), 3: ([0.7, 0.8], "fitted")}
    whole = search(made(tmp_path / "whole"), plays, policy=BANDIT)
    assert whole.run()
    for after in range(9):
        folder = made(tmp_path / str(after))
        with pytest.raises(TrainingError):
            search(folder, plays, policy=BANDIT, stage=Killing(after)).run()
        again = search(folder, plays, policy=BANDIT)
        assert again.run()
        assert states(again) == states(whole)
        assert [trial.hyperparameters for trial in again.ledger.trials("x", METRIC)] == [
            trial.hyperparameters for trial in whole.ledger.trials("x", METRIC)
        ]


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder
