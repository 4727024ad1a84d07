"""AutoML image jobs in the stand-in: parent, sweep and trials as the service names them, their artifacts in Azurite.

What the names, tags, properties and artifacts are is written in ``automl-contract.md``; what only run history knows of
a run (parent, metrics, times, error) lies in :func:`runs`, from which :mod:`tests.azure.routes.history` answers.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.azure.arm import WORKSPACE_PATH, Body
from tests.azure.artifacts import named_after, trial_artifacts
from tests.azure.blobs import ARTIFACTS
from tests.azure.standin import Cloud

CLASSIFICATION, MULTILABEL = "ImageClassification", "ImageClassificationMultilabel"
DETECTION, SEGMENTATION = "ImageObjectDetection", "ImageInstanceSegmentation"
PRIMARY_METRICS: Mapping[str, str] = {
    CLASSIFICATION: "accuracy",
    MULTILABEL: "iou",
    DETECTION: "mean_average_precision",
    SEGMENTATION: "mean_average_precision",
}
SETTINGS_TASKS: Mapping[str, str] = {
    CLASSIFICATION: "image-classification",
    MULTILABEL: "image-classification-multilabel",
    DETECTION: "image-object-detection",
    SEGMENTATION: "image-instance-segmentation",
}
Metric = float | Sequence[float]
"""A last value, or a value for each epoch."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial of a job; ``error`` is Azure's message where it failed."""

    number: int
    hyperparameters: Mapping[str, Any]
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    status: str = "Completed"
    error: str | None = None

    def history(self, epochs: int | None = None) -> dict[str, list[float]]:
        """Return each metric's values, at most as many as there were ``epochs``."""
        values = {k: list(v) if isinstance(v, Sequence) else [float(v)] for k, v in self.metrics.items()}
        return {name: series[:epochs] for name, series in values.items() if series[:epochs]}

    def last(self, metric: str) -> float | None:
        values = self.history().get(metric)
        return values[-1] if values else None


@dataclass(slots=True)
class Run:
    """What run history knows of a job's run beyond its resource."""

    parent: str | None = None
    metrics: dict[str, list[float]] = field(default_factory=dict)
    started: datetime | None = None
    ended: datetime | None = None
    error: str | None = None


ENDED = ("Completed", "Failed", "Canceled")


def runs(azure: Cloud) -> dict[str, Run]:
    """Return what run history knows, by the run's name."""
    known: dict[str, Run] = azure.notes.setdefault("runs", {})
    return known


def job_path(name: str) -> str:
    return f"{WORKSPACE_PATH}/jobs/{name}"


def put_run(azure: Cloud, name: str, properties: Mapping[str, Any], run: Run) -> None:
    """Make or replace a job and what run history knows of it; its times follow its status."""
    before = runs(azure).get(name)
    now = azure.resources.clock()
    if properties["status"] not in ("NotStarted", "Queued"):
        run.started = run.started or (before.started if before else None) or now
    if properties["status"] in ENDED:
        run.ended = run.ended or (before.ended if before else None) or now
    studio = {"jobServiceType": "Studio", "endpoint": f"https://ml.azure.com/runs/{name}"}
    base = {"experimentName": "plant", "displayName": name, "isArchived": False, "outputs": {}, "tags": {}}
    azure.resources.put(job_path(name), {**base, "properties": {}, "services": {"Studio": studio}, **properties})
    runs(azure)[name] = run


def best_of(trials: Sequence[Trial], metric: str) -> Trial | None:
    """Return the completed trial with the highest metric."""
    done = [(value, t) for t in trials if t.status == "Completed" and (value := t.last(metric)) is not None]
    return max(done, key=lambda pair: pair[0])[1] if done else None


def automl_job(
    azure: Cloud,
    name: str,
    *,
    task: str = CLASSIFICATION,
    trials: Sequence[Trial],
    status: str = "Completed",
    artifacts: Mapping[str, bytes] | None = None,
    error: str | None = None,
    experiment: str = "plant",
    planned: int | None = None,
) -> str:
    """Make job ``name``, its sweep ``name_HD``, its trials ``name_HD_0``..., and the best trial's artifacts; return it.

    ``artifacts`` replaces the default ones (see :func:`tests.azure.artifacts.trial_artifacts`); {} writes none.
    ``planned`` is how many trials there may be, None as many as there are.
    """
    best = best_of(trials, PRIMARY_METRICS[task]) if status == "Completed" else None
    count = max(planned or len(trials), 1)
    submitted = azure.resources.get(job_path(name))["properties"] if azure.resources.has(job_path(name)) else {}
    parent = {**_parent(task, trials, count), "experimentName": experiment, **submitted, "status": status}
    parent["properties"] = {**(submitted.get("properties") or {}), **_settings(task, trials)}
    parent["tags"] = {**(submitted.get("tags") or {}), **_best_tag(name, best)}
    put_run(azure, name, parent, Run(error=error))
    if trials:
        _put_sweep(azure, name, task, status, best)
    for trial in trials:
        _put_trial(azure, name, trial)
    if best is not None:
        given = trial_artifacts(SETTINGS_TASKS[task], best.hyperparameters) if artifacts is None else artifacts
        write_artifacts(azure, trial_name(name, best.number), given)
    return name


def write_artifacts(azure: Cloud, run: str, files: Mapping[str, bytes]) -> None:
    """Write a run's artifacts, by path below the run."""
    named = named_after(run, files)
    azure.blobs.write({f"ExperimentRun/dcid.{run}/{path}": data for path, data in named.items()}, ARTIFACTS)


def trial_name(job: str, number: int) -> str:
    return f"{job}_HD_{number}"


def _best_tag(job: str, best: Trial | None) -> Mapping[str, str]:
    return {"automl_best_child_run_id": trial_name(job, best.number)} if best else {}


def _settings(task: str, trials: Sequence[Trial]) -> Mapping[str, str]:
    settings: Body = {"task_type": SETTINGS_TASKS[task], "primary_metric": PRIMARY_METRICS[task]}
    settings |= {"is_automode": False, "label_column_name": "label"}
    if len(trials) == 1:
        settings["model_name"] = trials[0].hyperparameters.get("model_name")
    return {"AMLSettingsJsonString": json.dumps(settings)}


def _parent(task: str, trials: Sequence[Trial], planned: int) -> Body:
    """Return the properties of a parent that nobody submitted over the wire."""
    details = {
        "taskType": task,
        "primaryMetric": "".join(part.capitalize() for part in PRIMARY_METRICS[task].split("_")),
        "targetColumnName": "label",
        "trainingData": {"jobInputType": "mltable", "uri": "azureml:pictures:1"},
        "limitSettings": {"maxTrials": planned, "maxConcurrentTrials": 1},
        "logVerbosity": "Info",
    }
    if len(trials) == 1:
        details["modelSettings"] = {"modelName": trials[0].hyperparameters.get("model_name")}
    return {"jobType": "AutoML", "computeId": "gpucluster", "taskDetails": details}


def _put_sweep(azure: Cloud, job: str, task: str, status: str, best: Trial | None) -> None:
    metric = PRIMARY_METRICS[task]
    properties = {
        "jobType": "Sweep",
        "status": status,
        "searchSpace": {},
        "samplingAlgorithm": {"samplingAlgorithmType": "Random"},
        "objective": {"goal": "Maximize", "primaryMetric": metric},
        "trial": {"command": "", "environmentId": "azureml:automl:1"},
        "limits": {"jobLimitsType": "Sweep", "maxTotalTrials": 1, "maxConcurrentTrials": 1},
        "inputs": {},
        "properties": {"best_child_run_id": trial_name(job, best.number), "score": str(best.last(metric))}
        if best
        else {},
    }
    put_run(azure, f"{job}_HD", properties, Run(parent=job))


def _put_trial(azure: Cloud, job: str, trial: Trial, epochs: int | None = None) -> None:
    settings = json.dumps({"model": dict(trial.hyperparameters)})
    properties = {
        "jobType": "Command",
        "status": trial.status,
        "command": "",
        "environmentId": "azureml:automl:1",
        "inputs": {},
        "tags": {"hyperparameters": settings, "model_name": str(trial.hyperparameters.get("model_name"))},
    }
    run = Run(f"{job}_HD", trial.history(epochs), error=trial.error)
    put_run(azure, trial_name(job, trial.number), properties, run)


def finish(
    azure: Cloud,
    name: str,
    *,
    trials: Sequence[Trial] | None = None,
    status: str = "Completed",
    artifacts: Mapping[str, bytes] | None = None,
    error: str | None = None,
) -> str:
    """Let a job that was submitted by ``PUT jobs/<name>`` end; without ``trials`` it had one, with the asked-for model.

    Raises KeyError where no such AutoML job was submitted.
    """
    details = azure.resources.get(job_path(name))["properties"]["taskDetails"]
    task = details["taskType"]
    if trials is None:
        asked = details.get("modelSettings") or {}
        default = "resnet18" if task in (CLASSIFICATION, MULTILABEL) else "fasterrcnn_resnet18_fpn"
        model = asked.get("modelName") or ("maskrcnn_resnet18_fpn" if task == SEGMENTATION else default)
        trials = [Trial(0, {"model_name": model}, {PRIMARY_METRICS[task]: 0.9})]
    return automl_job(azure, name, task=task, trials=trials, status=status, artifacts=artifacts, error=error)


@dataclass
class RunningJob:
    """A job that goes on when it is told to: queued, then trial after trial, epoch after epoch, then the end."""

    azure: Cloud
    name: str
    task: str
    trials: Sequence[Trial]
    status: str = "Completed"
    error: str | None = None
    artifacts: Mapping[str, bytes] | None = None
    steps: int = 0

    def __post_init__(self) -> None:
        self._show("Queued", [])

    @property
    def ended(self) -> bool:
        return str(self.azure.resources.get(job_path(self.name))["properties"]["status"]) in ENDED

    def advance(self) -> bool:
        """Go one step on; False when the job has ended."""
        if self.ended:
            return False
        left = self.steps
        self.steps += 1
        for index, trial in enumerate(self.trials):
            epochs = max((len(series) for series in trial.history().values()), default=0)
            if left <= epochs:
                self._show("Running", self.trials[:index], trial, left)
                return True
            left -= epochs + 1
        self.end()
        return False

    def end(self, status: str | None = None, error: str | None = None) -> None:
        """End now, as planned or otherwise; a trial that runs ends with it."""
        shown = [t for t in self.trials if trial_name(self.name, t.number) in runs(self.azure)]
        trials = self.trials if status is None else shown
        automl_job(
            self.azure,
            self.name,
            task=self.task,
            trials=trials,
            status=status or self.status,
            artifacts=self.artifacts,
            error=error or self.error,
            planned=len(self.trials),
        )

    def finish(self) -> None:
        """Go on to the end."""
        while self.advance():
            pass

    def _show(self, status: str, done: Sequence[Trial], now: Trial | None = None, epochs: int = 0) -> None:
        planned = len(self.trials)
        automl_job(self.azure, self.name, task=self.task, trials=done, status=status, artifacts={}, planned=planned)
        if now is not None:
            _put_sweep(self.azure, self.name, self.task, status, None)
            running = Trial(now.number, now.hyperparameters, now.history(epochs), "Running")
            _put_trial(self.azure, self.name, running, epochs)


def running_job(
    azure: Cloud, name: str, *, trials: Sequence[Trial], task: str = CLASSIFICATION, **ending: Any
) -> RunningJob:
    """Make a job that waits for its cluster; ``ending`` is ``status``, ``error``, ``artifacts`` of its end."""
    return RunningJob(azure, name, task, trials, **ending)
