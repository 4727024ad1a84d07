"""A job and its trials as people speak of them, and what of it the SDK's job and run history's runs say."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from training.azure.tracking import TrackedRun
from training.leaderboard import ENDED, State, Trial, metric_of

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
    def called(self) -> str:
        """What it is, and its name."""
        return f"job {self.name}"

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDED


def state_of(word: Any) -> State:
    """Return what a word of Azure's or MLflow's means."""
    return _STATES.get(str(getattr(word, "value", word)).lower(), "running")


def job_view(job: Any) -> JobView:
    """Return what the SDK's job says, without its trials."""
    settings = settings_of_job(job)
    status = str(getattr(job.status, "value", job.status))
    limits = getattr(job, "limits", None)
    planned = getattr(limits, "max_trials", None) or getattr(limits, "max_total_trials", None)
    return JobView(
        name=job.name,
        kind="automl" if "task_type" in settings else str(job.type),
        state=state_of(status),
        status=status,
        metric=settings.get("primary_metric") or _metric(job),
        planned=planned if isinstance(planned, int) else None,
        best=(job.tags or {}).get(BEST_TAG) or (job.properties or {}).get(BEST_PROPERTY) or None,
        created=_in_utc(getattr(job.creation_context, "created_at", None)),
        studio_url=job.studio_url,
    )


def _in_utc(at: Any) -> datetime | None:
    """Return a time with its zone: one without is UTC's, as all of Azure's are."""
    return (at if at.tzinfo else at.replace(tzinfo=UTC)) if isinstance(at, datetime) else None


def settings_of_job(job: Any) -> Mapping[str, Any]:
    """Return AutoML's own settings of a job; empty where it is no such job.

    They are all that the SDK tells of a job inside a pipeline, which it takes for one of no known type.
    """
    return _mapping((job.properties or {}).get(SETTINGS_PROPERTY))


def _metric(job: Any) -> str | None:
    """Return the primary metric: a sweep's as it is; AutoML's resources say MeanAveragePrecision where runs do not."""
    asked = getattr(job, "primary_metric", None)
    if asked is None:
        return getattr(getattr(job, "objective", None), "primary_metric", None)
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", str(getattr(asked, "value", asked)))
    return words.lower() or None


def tried(run: TrackedRun, metric: str | None) -> Trial:
    """Return the trial that a run is."""
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


def listed(job: Any) -> Trial:
    """Return the trial that a job of the SDK's list is: no metrics, no times."""
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
