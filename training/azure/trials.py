"""Reading a job and its trials: the SDK tells of the job, run history of the trials."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from training.azure.job_views import HYPERPARAMETERS_TAG, SWEEP_SUFFIX, JobView, job_view, listed, state_of, tried
from training.azure.session import Session
from training.azure.tracking import TrackedRun, Tracking, open_tracking
from training.errors import AzureError, AzureUnavailableError
from training.leaderboard import ENDED, MODEL, State, Trial

__all__ = ["MODEL", "JobReader", "JobView", "State", "Trial", "best_trial", "job_view", "open_job"]

MOST_CHILDREN = 1000
"""The most trials a job can have; the SDK gives no page but the first."""
MOST_ASKED = 10


class JobReader:
    """Reads one job again and again; errors of Azure are AzureError."""

    def __init__(self, session: Session, tracking: Tracking, name: str) -> None:
        self._session = session
        self._tracking = tracking
        self._name = name
        self._experiment: str | None = None
        self._done: dict[str, TrackedRun] = {}

    def view(self) -> JobView:
        """Return how the job stands now."""
        view = self.job()
        trials, note = self._trials(view)
        ordered = sorted(trials, key=lambda trial: (trial.number or 0, trial.name))
        return replace(view, trials=tuple(ordered), note=note)

    def failure(self, name: str) -> str | None:
        """Return why the job or one of its trials failed, in Azure's words; None where it says nothing."""
        return self._tracking.failure(name)

    def job(self) -> JobView:
        """Return how the job stands now, without its trials."""
        return job_view(self._get(self._name))

    def best(self) -> str | None:
        """Return the name of the trial that Azure calls the best: the job's tag, else what the sweep says."""
        named = self.job().best
        if named:
            return named
        try:
            return job_view(self._get(f"{self._name}{SWEEP_SUFFIX}")).best
        except AzureUnavailableError:
            raise
        except AzureError:
            return None  # no trial has begun, or the job makes none

    def trial(self, name: str, metric: str | None) -> Trial:
        """Return one trial."""
        return tried(self._tracking.run(name), metric)

    def _get(self, name: str) -> Any:
        with self._session.asking(f"asking for the job {name}"):
            return self._session.client.jobs.get(name)

    def _trials(self, view: JobView) -> tuple[list[Trial], str | None]:
        """Return the trials, or the steps of a pipeline, and what could not be read.

        They are searched for; where the search finds nothing, or is refused, the SDK names them.
        """
        try:
            found, refused = self._with_metrics(self._search(view)), None
        except AzureUnavailableError:
            raise
        except AzureError as error:
            found, refused = [], error
        if found or view.state == "waiting":  # run history learns of a job a little later than it begins
            return [tried(run, view.metric) for run in found], None
        children = self._children(view)
        try:
            return [tried(self._run(child.name), view.metric) for child in children], None
        except AzureUnavailableError:
            raise
        except AzureError as error:
            return [listed(child) for child in children], f"metrics cannot be read: {refused or error}"

    def _search(self, view: JobView) -> Sequence[TrackedRun]:
        """Return the runs below the job that are trials, or steps of a pipeline."""
        self._experiment = self._experiment or self._tracking.run(self._name).experiment
        if view.kind != "automl":
            return self._tracking.children(self._name, self._experiment)
        trials = self._tracking.children(f"{self._name}{SWEEP_SUFFIX}", self._experiment)
        if trials:
            return trials
        children = self._tracking.children(self._name, self._experiment)
        numbered = re.compile(rf"{re.escape(self._name)}_\d+")
        return [child for child in children if HYPERPARAMETERS_TAG in child.tags or numbered.fullmatch(child.name)]

    def _with_metrics(self, runs: Sequence[TrackedRun]) -> list[TrackedRun]:
        """Return runs with their metrics also where the search has left them out, which Azure's was seen to do.

        Of those that run, which may have none yet, a few are asked at a time.
        """
        lacking = [run for run in runs if not run.metrics and state_of(run.status) != "waiting"]
        going = [run.name for run in lacking if state_of(run.status) == "running"][:MOST_ASKED]
        asked = {run.name for run in lacking if state_of(run.status) in ENDED} | set(going)
        return [self._run(run.name) if run.name in asked else run for run in runs]

    def _run(self, name: str) -> TrackedRun:
        """Return a run; asked once of one that ended."""
        known = self._done.get(name) or self._tracking.run(name)
        if state_of(known.status) in ENDED:
            self._done[name] = known
        return known

    def _children(self, view: JobView) -> list[Any]:
        """Return the trials as the SDK lists them; none where the sweep that holds them is not there yet."""
        parent = f"{self._name}{SWEEP_SUFFIX}" if view.kind == "automl" else self._name
        try:
            with self._session.asking(f"asking for the runs of {parent}"):
                return list(self._session.client.jobs.list(parent_job_name=parent, max_results=MOST_CHILDREN))
        except AzureUnavailableError:
            raise
        except AzureError:
            return []


@contextmanager
def open_job(session: Session, name: str) -> Iterator[JobReader]:
    """Give a reader of a job. Raises AzureError."""
    with open_tracking(session) as tracking:
        yield JobReader(session, tracking, name)


def best_trial(session: Session, job: str) -> Trial:
    """Return the trial that Azure calls the best of an AutoML job.

    Its hyperparameters and metrics are empty where run history does not tell them.

    Raises:
        AzureError: no such job, or it has no best trial: the text says how it stands.
    """
    with open_job(session, job) as reader:
        name = reader.best()
        if name is None:
            view = reader.view()
            raise AzureError(f"job {job}: has no best trial; it is {view.status}, {_counted(view.trials)}")
        try:
            return reader.trial(name, reader.job().metric)
        except AzureUnavailableError:
            raise
        except AzureError:
            return Trial(name, "completed")


def _counted(trials: Sequence[Trial]) -> str:
    done = sum(trial.state == "completed" for trial in trials)
    return f"{done} of {len(trials)} trials completed" if trials else "no trial has begun"
