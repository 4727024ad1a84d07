"""A sweep as it stands, for people and for the leaderboard."""

from dataclasses import dataclass, replace
from pathlib import Path

from training.leaderboard import ENDED, State, Trial
from training.local.sweep.folder import SPACE_FILE, is_running
from training.local.sweep.ledger import Ledger, read_ledger
from training.local.sweep.space_file import SweepFile, read_kept_file

MOST_REASONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepView:
    """A sweep and its trials. ``reasons`` say why trials failed, by number."""

    name: str
    state: State
    metric: str
    planned: int
    trials: tuple[Trial, ...]
    reasons: tuple[str, ...] = ()

    @property
    def called(self) -> str:
        """What it is, and its name."""
        return f"sweep {self.name}"

    @property
    def status(self) -> str:
        """Its state, in words."""
        return {"waiting": "stopped", "failed": "every trial failed"}.get(self.state, self.state)

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDED

    @property
    def winner(self) -> Trial | None:
        """The best of the trials that have ended; of equals the first."""
        done = [trial for trial in self.trials if trial.state in ("completed", "terminated")]
        return max((trial for trial in done if trial.score is not None), key=_place, default=None)

    @property
    def best(self) -> str | None:
        """Its name."""
        return self.winner.name if self.winner else None

    @property
    def note(self) -> str | None:
        """What else there is to know: why trials failed."""
        more = len(self.reasons) - MOST_REASONS
        lines = [*self.reasons[:MOST_REASONS], *([f"{more} more failed"] if more > 0 else [])]
        return "\n".join(lines) or None


def _place(trial: Trial) -> tuple[float, int]:
    return trial.score or 0.0, -(trial.number or 0)


def overview(ledger: Ledger, file: SweepFile, *, planned: int, running: bool) -> SweepView:
    """Return a sweep as its ledger says."""
    trials = ledger.trials(file.name, file.metric)
    if not running:
        trials = tuple(replace(trial, state="waiting") if trial.state == "running" else trial for trial in trials)
    failed = [trial.number for trial in trials if trial.state == "failed" and trial.number is not None]
    return SweepView(
        name=file.name,
        state="running" if running else _state(trials, planned),
        metric=file.metric,
        planned=planned,
        trials=trials,
        reasons=tuple(f"trial {number} failed: {ledger.reason(number)}" for number in failed),
    )


def _state(trials: tuple[Trial, ...], planned: int) -> State:
    if len(trials) < planned or any(trial.state not in ENDED for trial in trials):
        return "waiting"
    return "failed" if all(trial.state == "failed" for trial in trials) else "completed"


def view_of(folder: Path) -> SweepView:
    """Return the sweep in a folder.

    Raises:
        DataError: there is none, or it cannot be read.
    """
    ledger = read_ledger(folder)
    file = read_kept_file(folder / SPACE_FILE)
    return overview(ledger, file, planned=file.planned, running=is_running(folder))
