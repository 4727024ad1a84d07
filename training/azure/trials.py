"""A job and its trials as people speak of them: state, hyperparameters, metrics, which is best."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from training.azure.session import Session
from training.azure.tracking import TrackedRun, Tracking, open_tracking
from training.errors import AzureError, AzureUnavailableError

State = Literal["waiting", "running", "completed", "failed", "cancelled"]
ENDED: frozenset[State] = frozenset(("completed", "failed", "cancelled"))
_STATES: Mapping[str, State] = {
    **dict.fromkeys(
        ("notstarted", "queued", "preparing", "provisioning", "starting", "scheduled", "paused"), "waiting"
    ),
    **dict.fromkeys(("completed", "finished"), "completed"),
    "failed": "failed",
    **dict.fromkeys(("canceled", "cancelled", "killed"), "cancelled"),
}
"""Azure's and MLflow's words; every other one is a kind of running."""
BEST_TAG, BEST_PROPERTY = "automl_best_child_run_id", "best_child_run_id"
HYPERPARAMETERS_TAG = "hyperparameters"
SETTINGS_PROPERTY = "AMLSettingsJsonString"
SWEEP_SUFFIX = "_HD"
"""AutoML's trials are the children of a sweep that is called after the job."""
MODEL = "model_name"
MOST_CHILDREN = 1000
"""The most trials a job can have; the SDK gives no page but the first."""
_SMALLER_IS_BETTER = re.compile(r"loss|error|rmse|mae\b|mape", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: ``metrics`` are the last values that it logged, ``score`` that of the job's primary metric."""

    name: str
    state: State
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    score: float | None = None
    started: datetime | None = None
    ended: datetime | None = None

    @property
    def number(self) -> int | None:
        """The number that its name ends with."""
        found = re.search(r"_(\d+)$", self.name)
        return int(found[1]) if found else None

    def seconds(self, now: datetime | None = None) -> float | None:
        """How long it ran, or has been running ``now``; None before it began."""
        until = self.ended or now or datetime.now(UTC)
        return (until - self.started).total_seconds() if self.started else None


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as it stands. ``status`` is Azure's own word for ``state``.

    ``metric`` is the primary metric, ``planned`` how many trials there may be, ``best`` the name of the trial that
    Azure calls the best, ``note`` what could not be read.
    """

    name: str
    kind: str
    state: State
    status: str
    metric: str | None = None
    planned: int | None = None
    best: str | None = None
    created: datetime | None = None
    studio_url: str | None = None
    trials: tuple[Trial, ...] = ()
    note: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDED


class JobReader:
    """Reads one job again and again; errors of Azure are AzureError."""

    def __init__(self, session: Session, tracking: Tracking, name: str) -> None:
        self._session = session
        self._tracking = tracking
        self._name = name
        self._experiment: str | None = None

    def view(self) -> JobView:
        """Return how the job stands now."""
        view = self.job()
        try:
            runs = self._runs(view)
        except AzureUnavailableError:
            raise
        except AzureError as error:
            if view.state == "waiting":
                return view  # run history learns of a job a little later
            listed = tuple(_listed(job) for job in self._children(view))
            return replace(view, trials=listed, note=f"metrics cannot be read: {error}")
        trials = sorted((_trial(run, view.metric) for run in runs), key=lambda trial: (trial.number or 0, trial.name))
        return replace(view, trials=tuple(trials))

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
            sweep = self._get(f"{self._name}{SWEEP_SUFFIX}")
        except AzureUnavailableError:
            raise
        except AzureError:
            return None  # no trial has begun, or the job makes none
        return (sweep.properties or {}).get(BEST_PROPERTY) or None

    def trial(self, name: str, metric: str | None) -> Trial:
        """Return one trial."""
        return _trial(self._tracking.run(name), metric)

    def _get(self, name: str) -> Any:
        with self._session.asking(f"asking for the job {name}"):
            return self._session.client.jobs.get(name)

    def _runs(self, view: JobView) -> Sequence[TrackedRun]:
        """Return the runs below the job that are trials, or steps of a pipeline."""
        self._experiment = self._experiment or self._tracking.run(self._name).experiment
        if view.kind != "automl":
            return self._tracking.children(self._name, self._experiment)
        trials = self._tracking.children(f"{self._name}{SWEEP_SUFFIX}", self._experiment)
        if trials:
            return trials
        children = self._tracking.children(self._name, self._experiment)
        return [child for child in children if HYPERPARAMETERS_TAG in child.tags]

    def _children(self, view: JobView) -> list[Any]:
        """Return the trials as the SDK lists them, which knows no metrics."""
        parent = f"{self._name}{SWEEP_SUFFIX}" if view.kind == "automl" else self._name
        with self._session.asking(f"asking for the runs of {parent}"):
            return list(self._session.client.jobs.list(parent_job_name=parent, max_results=MOST_CHILDREN))


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


def state_of(word: Any) -> State:
    """Return what a word of Azure's or MLflow's means."""
    return _STATES.get(str(getattr(word, "value", word)).lower(), "running")


def smaller_is_better(metric: str) -> bool:
    """Tell a loss or an error from a figure that shall be high."""
    return bool(_SMALLER_IS_BETTER.search(metric))


def job_view(job: Any) -> JobView:
    """Return what the SDK's job says, without its trials."""
    settings = _settings(job)
    status = str(getattr(job.status, "value", job.status))
    limits = getattr(job, "limits", None)
    planned = getattr(limits, "max_trials", None) or getattr(limits, "max_total_trials", None)
    return JobView(
        name=job.name,
        kind=str(job.type),
        state=state_of(status),
        status=status,
        metric=settings.get("primary_metric") or _metric(job),
        planned=planned if isinstance(planned, int) else None,
        best=(job.tags or {}).get(BEST_TAG) or None,
        created=getattr(job.creation_context, "created_at", None),
        studio_url=job.studio_url,
    )


def _settings(job: Any) -> Mapping[str, Any]:
    """Return AutoML's own settings of a job; empty where it is no such job."""
    return _mapping((job.properties or {}).get(SETTINGS_PROPERTY))


def _metric(job: Any) -> str | None:
    """Return the primary metric: a sweep's as it is; AutoML's resources say MeanAveragePrecision where runs do not."""
    asked = getattr(job, "primary_metric", None)
    if asked is None:
        return getattr(getattr(job, "objective", None), "primary_metric", None)
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", str(getattr(asked, "value", asked)))
    return words.lower() or None


def _trial(run: TrackedRun, metric: str | None) -> Trial:
    score = metric_of(run.metrics, metric) if metric else None
    return Trial(
        name=run.name,
        state=state_of(run.status),
        hyperparameters=hyperparameters_of(run.tags) or dict(run.parameters),
        metrics=run.metrics,
        score=score,
        started=run.started,
        ended=run.ended,
    )


def metric_of(metrics: Mapping[str, float], name: str) -> float | None:
    """Return a metric by its name, capitals aside; None where it is missing or not a number."""
    found = metrics.get(name, {key.lower(): value for key, value in metrics.items()}.get(name.lower()))
    return None if found is None or math.isnan(found) else found


def _listed(job: Any) -> Trial:
    return Trial(job.name, state_of(job.status), hyperparameters_of(job.tags or {}))


def hyperparameters_of(tags: Mapping[str, str]) -> Mapping[str, Any]:
    """Return what was set or swept of a trial, by AutoML's runtime names; defaults are not told.

    The tag is JSON that keeps some of them a level deeper: ``{"model": {"model_name": ...}}``.
    """
    flat: dict[str, Any] = {}
    for name, value in _mapping(tags.get(HYPERPARAMETERS_TAG)).items():
        flat.update(value if isinstance(value, Mapping) else {name: value})
    return flat


def _mapping(text: str | None) -> Mapping[str, Any]:
    try:
        told = json.loads(text or "{}")
    except ValueError:
        return {}
    return told if isinstance(told, Mapping) else {}
