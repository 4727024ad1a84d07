"""What a newer version goes through: its trial, then its probation, and the marks of either that outlive a crash."""

import logging
from collections.abc import Mapping
from typing import Any

from edge.ports import Candidate, Model
from edge.registry.marks import Mark
from edge.registry.state import Kept
from edge.registry.store import Store
from edge.rollout.staging import Staged
from edge.rollout.trial import Probation, Trial, Verdict

DEATHS = 3
"""So many processes in a row may end while a version is on trial, or on probation; then it is judged by that."""

_log = logging.getLogger(__name__)


class Examination:
    """Holds at most one version on trial and one on probation. Changed by one thread at a time, read from any."""

    def __init__(self, store: Store, trial: Trial, probation: Probation) -> None:
        self._trial = trial
        self._probation = probation
        self._trial_mark = store.on_trial
        self._probation_mark = store.on_probation
        self._on_trial: Staged | None = None
        self._known: Verdict | None = None
        self._watched: Kept | None = None
        self._stopped = False

    @property
    def on_trial(self) -> Staged | None:
        """What is on trial."""
        return self._on_trial

    @property
    def trial_status(self) -> Mapping[str, Any]:
        """How far the trial is, and empty without one."""
        return self._trial.status()

    @property
    def probation_status(self) -> Mapping[str, Any]:
        """What a version on probation has done so far, and empty without one."""
        return self._probation.status()

    def try_out(self, candidate: Candidate, staged: Staged, running: Model) -> bool:
        """Take a version on trial beside ``running``; False where none is held."""
        self._known = _death(self._trial_mark, staged.kept, "rejected", "on trial")
        if self._known is None and not self._trial.begin(candidate, staged.model, running):
            return False
        self._on_trial = staged
        self._begin(self._trial_mark, staged.kept)
        _log.info("a model is on trial", extra={"model": str(staged.kept), "beside": str(running.ref)})
        return True

    def trial_verdict(self) -> tuple[Staged, Verdict] | None:
        """Return what was on trial and how that came out, once it did."""
        verdict = self._known or self._trial.verdict()
        return None if self._on_trial is None or verdict is None else (self._on_trial, verdict)

    def end_trial(self) -> None:
        """Let go of what is on trial."""
        staged, self._on_trial, self._known = self._on_trial, None, None
        self._trial.end()
        if staged is not None:
            self._trial_mark.end(staged.kept)

    def watch(self, staged: Staged) -> None:
        """Put the version that serves on probation."""
        self._probation.begin(staged.model)
        if not self._probation.status():  # no version is watched (rollout.probation_s = 0), nor were deaths to count
            self._probation_mark.end(staged.kept)
            return
        self._watched = staged.kept
        self._begin(self._probation_mark, staged.kept)

    def watch_on(self, staged: Staged) -> None:
        """Put it on probation again where the last process ended in the middle of that."""
        if self._probation_mark.open_with(staged.kept):
            self.watch(staged)

    def death(self, kept: Kept) -> Verdict | None:
        """Return, once, why a version must not serve again: process after process ended while it was on probation."""
        verdict = _death(self._probation_mark, kept, "rolled-back", "on probation")
        if verdict is not None:
            self._probation_mark.end(kept)
        return verdict

    def probation_verdict(self) -> Verdict | None:
        """Return why the version on probation must go; None while all is well."""
        verdict = self._probation.verdict()
        if verdict is None and not self._probation.status():
            self.end_probation()
        return verdict

    def end_probation(self) -> None:
        """Watch no longer."""
        kept, self._watched = self._watched, None
        self._probation.end()
        if kept is not None:
            self._probation_mark.end(kept)

    def stop(self) -> None:
        """Say that this process stops as it should: what it was doing, and still begins, is no fault of a version."""
        self._stopped = True
        if self._on_trial is not None:
            self._trial_mark.pause(self._on_trial.kept)
        if self._watched is not None:
            self._probation_mark.pause(self._watched)

    def _begin(self, mark: Mark, kept: Kept) -> None:
        if self._stopped:
            mark.pause(kept)
        else:
            mark.begin(kept)


def _death(mark: Mark, kept: Kept, outcome: Any, when: str) -> Verdict | None:
    deaths = mark.deaths_with(kept)
    if deaths < DEATHS:
        return None
    return Verdict(outcome, f"{deaths} processes in a row ended while it was {when}", {"deaths": deaths})
