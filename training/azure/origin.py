"""Where a bundle comes from: the AutoML job, the trial, the data and whoever asked for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from edge.azureml.place import Workspace
from edge.bundle import Task
from training.azure.job_views import settings_of_job
from training.azure.session import Session
from training.azure.trials import MODEL, JobReader, State, Trial, job_view, open_job
from training.errors import AzureError, AzureUnavailableError

TASKS: tuple[Task, ...] = get_args(Task)
INSIDE = "enable_onnx_normalization"


@dataclass(frozen=True, slots=True)
class Origin:
    """An AutoML job as a bundle remembers it.

    ``data`` maps a use (``training``) to a data asset; ``identity`` is the SDK's, as whom the job ran.
    """

    job: str
    state: State
    status: str
    task: Task
    experiment: str | None = None
    metric: str | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    created_by: str | None = None
    created_at: str | None = None
    compute: str | None = None
    identity: Any = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


def read_origin(session: Session, name: str) -> Origin:
    """Return what Azure knows of an AutoML job.

    Raises:
        AzureError: there is no such job, or it is not one of AutoML for Images.
    """
    with session.asking(f"asking for the job {name}"):
        job: Any = session.client.jobs.get(name)
    task = _task(job)
    if task is None:
        raise AzureError(
            f"job {name} is no AutoML image job but {job.type}: name the job that automl-train azure submit made"
        )
    view, made = job_view(job), job.creation_context
    return Origin(
        job=name,
        state=view.state,
        status=view.status,
        task=task,
        experiment=job.experiment_name,
        metric=view.metric,
        data={use: path for use in ("training", "validation") if (path := _path(getattr(job, f"{use}_data", None)))},
        created_by=getattr(made, "created_by", None),
        created_at=str(getattr(made, "created_at", None) or "") or None,
        identity=getattr(job, "identity", None),
        compute=str(job.compute).rpartition("/")[2] if job.compute else None,
        parameters=_parameters(job),
    )


def _task(job: Any) -> Task | None:
    """Return the task of a job: its class in the SDK says ``image_object_detection`` and the like.

    A job inside a pipeline has no class of its own there; AutoML's settings say ``image-object-detection``.
    """
    told = getattr(job, "task_type", None) or settings_of_job(job).get("task_type", "")
    said = str(told).rpartition(".")[2].replace("_", "").replace("-", "").lower()
    return next((task for task in TASKS if task.replace("-", "") == said), None)


def _path(data: Any) -> str | None:
    return str(getattr(data, "path", "") or "").removeprefix("azureml:") or None


def _parameters(job: Any) -> dict[str, Any]:
    """Return the fixed hyperparameters that say how the graph is fed."""
    asked = getattr(job, "training_parameters", None)
    inside = getattr(asked, INSIDE, None)
    return {} if inside is None else {INSIDE: inside}


def choose_trial(session: Session, origin: Origin, asked: str | None) -> Trial:
    """Return the trial that was asked for by number or name, else the best one of a job that has ended well.

    Raises:
        AzureError: the job runs yet, failed, or has no such trial; the trial did not complete.
    """
    if asked is None:
        _check_ended(origin)
    with open_job(session, origin.job) as reader:
        name = _trial_name(origin.job, asked) if asked else reader.best()
        if name is None:
            raise AzureError(
                f"job {origin.job} is {origin.status} and has no best trial: see automl-train azure leaderboard "
                f"{origin.job}"
            )
        trial = _told(reader, name, origin, asked)
    if trial.state != "completed":
        raise AzureError(f"trial {trial.name} is {trial.state}: only a completed one leaves a model")
    return trial


def _told(reader: JobReader, name: str, origin: Origin, asked: str | None) -> Trial:
    """Return a trial; run history may have lost the one that Azure calls the best, which is as good without it."""
    try:
        return reader.trial(name, origin.metric)
    except AzureUnavailableError:
        raise
    except AzureError:
        if asked is not None:
            raise
        return Trial(name, "completed")


def _trial_name(job: str, asked: str) -> str:
    return f"{job}_HD_{asked}" if asked.isdecimal() else asked


def _check_ended(origin: Origin) -> None:
    if origin.state in ("waiting", "running"):
        raise AzureError(
            f"job {origin.job} is {origin.status}: wait for its end with automl-train azure watch {origin.job}, or "
            "name a completed trial with --trial"
        )
    if origin.state != "completed":
        raise AzureError(
            f"job {origin.job} is {origin.status}: automl-train azure watch {origin.job} says why; a trial that "
            "completed can be fetched with --trial"
        )


def parent_of(trial: str) -> str:
    """Return the job of a trial by the name that AutoML gives it. Raises AzureError."""
    job, found, _ = trial.rpartition("_HD_")
    if not found:
        raise AzureError(f"{trial} is no trial of AutoML: their names end with _HD_ and a number")
    return job


def settings_of(origin: Origin, trial: Trial) -> dict[str, Any]:
    """Return what job and trial say beside AutoML's own settings file, by the names that it has there."""
    return {"task_type": origin.task, **origin.parameters, **trial.hyperparameters}


def provenance_of(session: Session, origin: Origin, trial: Trial) -> dict[str, Any]:
    """Return what a manifest says about where the model comes from. No secret is in it."""
    place = session.place
    workspace = (
        {"name": place.name, "resource_group": place.resource_group, "subscription_id": place.subscription_id}
        if isinstance(place, Workspace)
        else {"name": place.name}
    )
    told = {
        "job": origin.job,
        "trial": trial.name,
        "experiment": origin.experiment,
        "workspace": workspace,
        "data": dict(origin.data),
        "model_name": trial.hyperparameters.get(MODEL),
        "hyperparameters": dict(trial.hyperparameters),
        "primary_metric": {"name": origin.metric, "value": trial.score},
        "created_by": origin.created_by,
        "created_at": origin.created_at,
    }
    return {key: value for key, value in told.items() if value is not None}
