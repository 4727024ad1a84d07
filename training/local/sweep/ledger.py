"""What was proposed and what came of it: Optuna's study in a journal, which a kill at any moment leaves whole."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock
from optuna.trial import FrozenTrial, TrialState

from training.errors import DataError, StorageError
from training.hyperparameters import Value
from training.leaderboard import State, Trial
from training.local.sweep.drawing import Space, combinations, draw

JOURNAL_FILE = "journal.log"
STUDY = "sweep"
HYPERPARAMETERS, METRICS, REASON, BEGAN, ENDED, EPOCHS = (
    "hyperparameters",
    "metrics",
    "reason",
    "began",
    "ended",
    "epochs",
)
_STATES: Mapping[TrialState, State] = {
    TrialState.WAITING: "waiting",
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "completed",
    TrialState.PRUNED: "terminated",
    TrialState.FAIL: "failed",
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A trial to be made: its number, which counts from 0, and its hyperparameters."""

    number: int
    hyperparameters: Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How values are proposed: out of which spaces, how many times, and what is the same each time."""

    algorithm: Literal["random", "grid", "bayesian"]
    spaces: Sequence[Space]
    fixed: Mapping[str, Value]
    planned: int
    seed: int

    def sampler(self, number: int, key: str) -> BaseSampler:
        """Return what proposes a value: seeded by trial and key, so that it proposes the same after a kill."""
        seed = int(np.random.SeedSequence([self.seed, number, *key.encode()]).generate_state(1)[0])
        return TPESampler(seed=seed) if self.algorithm == "bayesian" else RandomSampler(seed=seed)

    def values(self, trial: optuna.Trial) -> Mapping[str, Value]:
        """Return the hyperparameters of a trial."""
        if self.algorithm == "grid":
            return {**self.fixed, **next(islice(combinations(self.spaces), trial.number, None))}
        return {**self.fixed, **draw(_Seeded(trial, self), self.spaces)}


@dataclass(frozen=True, slots=True)
class _Seeded:
    """A trial whose every draw is seeded by itself: a kill between two of them changes nothing."""

    trial: optuna.Trial
    sampling: Sampling

    def suggest_float(self, name: str, low: float, high: float) -> float:
        return self._ready(name).suggest_float(name, low, high)

    def suggest_int(self, name: str, low: int, high: int) -> int:
        return self._ready(name).suggest_int(name, low, high)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return self._ready(name).suggest_categorical(name, choices)

    def _ready(self, name: str) -> optuna.Trial:
        self.trial.study.sampler = self.sampling.sampler(self.trial.number, name)
        return self.trial


class _OneWriter(BaseJournalFileLock):
    """Locks nothing: the folder of a sweep is locked as a whole, and that lock does not outlive a kill."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


class Ledger:
    """A sweep's trials. Of one process at a time, but for readers."""

    def __init__(self, study: optuna.Study) -> None:
        self._study = study

    def propose(self, sampling: Sampling) -> Proposal | None:
        """Return the next trial; None where there were enough."""
        if len(self._trials()) >= sampling.planned:
            return None
        with _kept():
            return self._noted(self._study.ask(), sampling)

    def unfinished(self, sampling: Sampling) -> list[Proposal]:
        """Return trials that were begun and have not ended; what a kill kept from being proposed whole is, now."""
        begun = [trial for trial in self._trials() if not trial.state.is_finished()]
        with _kept():
            return [self._begun(trial, sampling) for trial in begun]

    def _begun(self, known: FrozenTrial, sampling: Sampling) -> Proposal:
        if HYPERPARAMETERS in known.user_attrs:
            return Proposal(known.number, known.user_attrs[HYPERPARAMETERS])
        return self._noted(optuna.Trial(self._study, known._trial_id), sampling)  # noqa: SLF001 - no public way leads there

    def _noted(self, trial: optuna.Trial, sampling: Sampling) -> Proposal:
        values = dict(sampling.values(trial))
        trial.set_user_attr(BEGAN, _now())
        trial.set_user_attr(HYPERPARAMETERS, values)
        return Proposal(trial.number, values)

    def report(self, number: int, epoch: int, value: float) -> None:
        """Note a trial's primary metric after an epoch; of one that is told again nothing is noted."""
        known = self._trial(number)
        if epoch not in known.intermediate_values:
            with _kept():
                optuna.Trial(self._study, known._trial_id).report(value, epoch)  # noqa: SLF001 - as above

    def finish(
        self,
        number: int,
        state: Literal["completed", "terminated", "failed"],
        *,
        metrics: Mapping[str, float] = {},
        value: float | None = None,
        epochs: int = 0,
        reason: str | None = None,
    ) -> None:
        """Note how a trial ended, with the figures of its best epoch."""
        known = self._trial(number)
        with _kept():
            trial = optuna.Trial(self._study, known._trial_id)  # noqa: SLF001 - as above
            trial.set_user_attr(ENDED, _now())
            trial.set_user_attr(METRICS, dict(metrics))
            trial.set_user_attr(EPOCHS, epochs)
            if reason:
                trial.set_user_attr(REASON, reason)
            ending = next(ending for ending, word in _STATES.items() if word == state)
            self._study.tell(number, value if state == "completed" else None, state=ending)

    def note(self, name: str, value: str) -> str:
        """Note something of the whole sweep, once; return what was noted first."""
        known = self.noted(name)
        if known is None:
            with _kept():
                self._study.set_user_attr(name, value)
        return value if known is None else known

    def noted(self, name: str) -> str | None:
        """Return what was noted of the whole sweep."""
        value = self._study.user_attrs.get(name)
        return None if value is None else str(value)

    def has_later(self, number: int, epoch: int) -> bool:
        """Tell whether a trial has told of a later epoch already: it was begun before, and goes on."""
        return any(later > epoch for later in self._trial(number).intermediate_values)

    def curves(self) -> dict[int, tuple[float, ...]]:
        """Return the reports of each trial, in their order."""
        return {trial.number: _curve(trial) for trial in self._trials()}

    def reason(self, number: int) -> str | None:
        """Return why a trial failed."""
        return self._trial(number).user_attrs.get(REASON)

    def trials(self, name: str, metric: str) -> tuple[Trial, ...]:
        """Return the trials, for a leaderboard; ``name`` is the sweep's."""
        return tuple(_shown(trial, name, metric) for trial in self._trials())

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _trial(self, number: int) -> FrozenTrial:
        return self._trials()[number]


def open_ledger(folder: Path) -> Ledger:
    """Return the ledger of a sweep's folder, a new one where there is none; the caller has locked the folder.

    Raises:
        StorageError: it cannot be written.
        DataError: it is damaged.
    """
    path = folder / JOURNAL_FILE
    with _kept():
        _mend(path)
        storage = _storage(path)
        if not storage.get_all_studies():
            optuna.create_study(storage=storage, study_name=STUDY, direction="maximize")
        return Ledger(optuna.load_study(storage=storage, study_name=STUDY))


def read_ledger(folder: Path) -> Ledger:
    """Return the ledger of a sweep to look at. Raises DataError where there is none."""
    path = folder / JOURNAL_FILE
    if not path.is_file():
        raise DataError(f"{folder}: holds no sweep ({JOURNAL_FILE} is missing)")
    storage = _storage(path)
    if not storage.get_all_studies():
        raise DataError(f"{folder}: holds a sweep that has not begun")
    return Ledger(optuna.load_study(storage=storage, study_name=STUDY))


def _storage(path: Path) -> optuna.storages.JournalStorage:
    logging.getLogger("optuna").setLevel(logging.WARNING)
    try:
        return optuna.storages.JournalStorage(JournalFileBackend(str(path), lock_obj=_OneWriter()))
    except (ValueError, KeyError, AssertionError) as error:
        raise DataError(f"{path}: is damaged ({error}); begin anew in another --output") from error


def _mend(path: Path) -> None:
    """Cut half a line off the end, which a kill left: what is appended would make a wrong one of it."""
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with path.open("r+b") as file:
            file.truncate(whole)


@contextmanager
def _kept() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"the sweep's journal cannot be written ({error.strerror}); make room, and the same command goes on"
        ) from error


def _curve(trial: FrozenTrial) -> tuple[float, ...]:
    return tuple(trial.intermediate_values[epoch] for epoch in sorted(trial.intermediate_values))


def _shown(trial: FrozenTrial, name: str, metric: str) -> Trial:
    told: Mapping[str, Any] = trial.user_attrs
    curve = _curve(trial)
    score = max(curve) if curve else None
    sofar = {} if score is None else {metric: score}
    return Trial(
        name=f"{name}_{trial.number}",
        state=_STATES[trial.state],
        hyperparameters=told.get(HYPERPARAMETERS, {}),
        metrics=told.get(METRICS) or sofar,
        score=score,
        started=_at(told.get(BEGAN)),
        ended=_at(told.get(ENDED)),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _at(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
