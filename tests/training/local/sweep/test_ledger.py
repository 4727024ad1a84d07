"""What a sweep remembers, and that it proposes the same after a kill."""

from pathlib import Path
from typing import Any, Literal

import pytest

pytest.importorskip("optuna")

from training.errors import DataError
from training.local.sweep.ledger import JOURNAL_FILE, Ledger, Sampling, open_ledger, read_ledger
from training.search_space import read_distribution

RATE = {"type": "uniform", "min_value": 0.001, "max_value": 0.1}
Algorithm = Literal["random", "grid", "bayesian"]


def sampling(algorithm: Algorithm = "random", planned: int = 12, seed: int = 0, **space: Any) -> Sampling:
    given = space or {"learning_rate": RATE, "optimizer": ["sgd", "adamw"]}
    spaces = [{name: read_distribution(raw) for name, raw in given.items()}]
    return Sampling(algorithm=algorithm, spaces=spaces, fixed={"momentum": 0.5}, planned=planned, seed=seed)


def proposed(ledger: Ledger, how: Sampling) -> dict[str, Any]:
    proposal = ledger.propose(how)
    assert proposal is not None
    ledger.report(proposal.number, 1, 0.5 + proposal.number % 3 / 10)
    ledger.finish(proposal.number, "completed", value=0.5 + proposal.number % 3 / 10)
    return dict(proposal.hyperparameters)


@pytest.mark.parametrize("algorithm", ["random", "bayesian"])
def test_the_same_seed_proposes_the_same(tmp_path: Path, algorithm: Algorithm) -> None:
    """Also where the journal was closed and opened again in between; another seed proposes others."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    ledger, how = open_ledger(tmp_path / "a"), sampling(algorithm)
    first = [proposed(ledger, how) for _ in range(12)]
    assert [proposed(open_ledger(tmp_path / "b"), how) for _ in range(12)] == first
    assert len({tuple(one.values()) for one in first}) == 12
    (tmp_path / "c").mkdir()
    assert proposed(open_ledger(tmp_path / "c"), sampling(algorithm, seed=1)) != first[0]


def test_fixed_values_are_part_of_a_proposal(tmp_path: Path) -> None:
    """They come first."""
    proposal = open_ledger(tmp_path).propose(sampling(learning_rate=[0.1]))
    assert proposal is not None
    assert proposal.hyperparameters == {"momentum": 0.5, "learning_rate": 0.1}


def test_a_grid_is_gone_through_in_order(tmp_path: Path) -> None:
    """And then there is nothing more to propose."""
    ledger, how = open_ledger(tmp_path), sampling("grid", 4, learning_rate=[0.1, 0.2], optimizer=["sgd", "adamw"])
    tried = [proposed(ledger, how) for _ in range(4)]
    assert [(one["learning_rate"], one["optimizer"]) for one in tried] == [
        (0.1, "sgd"), (0.1, "adamw"), (0.2, "sgd"), (0.2, "adamw"),
    ]  # fmt: skip
    assert ledger.propose(how) is None


def test_bayesian_sampling_learns(tmp_path: Path) -> None:
    """After 30 trials whose value is highest at 0.02, it proposes near it: nearer than chance would, by far."""
    ledger, how = open_ledger(tmp_path), sampling("bayesian", 40, learning_rate=RATE)
    rates = []
    for _ in range(40):
        proposal = ledger.propose(how)
        assert proposal is not None
        rates.append(float(proposal.hyperparameters["learning_rate"]))
        ledger.finish(proposal.number, "completed", value=1 - abs(rates[-1] - 0.02))
    assert sum(abs(rate - 0.02) for rate in rates[30:]) / 10 < 0.025  # even draws: 0.036


def test_how_trials_ended_is_known_again(tmp_path: Path) -> None:
    """Their states, figures and reasons; one that was ended early counts with its best value."""
    ledger, how = open_ledger(tmp_path), sampling()
    for _ in range(4):
        ledger.propose(how)
    for epoch, value in ((1, 0.5), (2, 0.8), (3, 0.7)):
        ledger.report(0, epoch, value)
        ledger.report(1, epoch, value / 2)
    ledger.finish(0, "completed", metrics={"accuracy": 0.8, "log_loss": 0.4}, value=0.8)
    ledger.finish(1, "terminated", metrics={"accuracy": 0.4})
    ledger.finish(2, "failed", reason="the loss became nan")
    again = read_ledger(tmp_path)
    trials = again.trials("line", "accuracy")
    assert [(trial.number, trial.state, trial.score) for trial in trials] == [
        (0, "completed", 0.8), (1, "terminated", 0.4), (2, "failed", None), (3, "running", None),
    ]  # fmt: skip
    assert trials[0].metrics == {"accuracy": 0.8, "log_loss": 0.4}
    assert trials[0].started is not None
    assert trials[0].ended is not None
    assert again.reason(2) == "the loss became nan"
    assert again.curves()[0] == (0.5, 0.8, 0.7)


def test_what_was_begun_is_gone_on_with(tmp_path: Path) -> None:
    """With the same hyperparameters; an epoch that is told again changes nothing."""
    first = open_ledger(tmp_path).propose(sampling())
    assert first is not None
    again = open_ledger(tmp_path)
    assert again.unfinished(sampling()) == [first]
    again.report(0, 1, 0.5)
    again.report(0, 1, 0.9)
    assert again.curves() == {0: (0.5,)}


def test_a_kill_at_any_byte_of_the_journal_is_lived_through(tmp_path: Path) -> None:
    """What is left proposes what would have been proposed."""
    whole = tmp_path / "whole"
    whole.mkdir()
    ledger, how = open_ledger(whole), sampling(planned=3)
    wanted = [proposed(ledger, how) for _ in range(3)]
    data = (whole / JOURNAL_FILE).read_bytes()
    for length in range(0, len(data), 101):
        folder = tmp_path / str(length)
        folder.mkdir()
        (folder / JOURNAL_FILE).write_bytes(data[:length])
        again = open_ledger(folder)
        begun = [dict(proposal.hyperparameters) for proposal in again.unfinished(how)]
        done = [dict(trial.hyperparameters) for trial in again.trials("x", "accuracy") if trial.state == "completed"]
        while (proposal := again.propose(how)) is not None:
            begun.append(dict(proposal.hyperparameters))
        assert [*done, *begun] == wanted


def test_a_folder_without_a_sweep_says_so(tmp_path: Path) -> None:
    """As does a damaged journal."""
    with pytest.raises(DataError, match="holds no sweep"):
        read_ledger(tmp_path)
    (tmp_path / JOURNAL_FILE).write_text("no journal\nof Optuna's\n")
    with pytest.raises(DataError, match="is damaged"):
        open_ledger(tmp_path)


def test_a_note_stays(tmp_path: Path) -> None:
    """The first one counts, also after a kill."""
    assert open_ledger(tmp_path).note("id", "a") == "a"
    assert open_ledger(tmp_path).note("id", "b") == "a"
