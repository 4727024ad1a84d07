"""`job.toml`: what AutoML shall train, checked as a whole before anything is asked of Azure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edge.bundle import Task
from training.azure.job_schema import ASSET, TABLES, JobFile
from training.dataset.annotations import TASKS
from training.dataset.mltable import MLTABLE
from training.hyperparameters import Parameter, cut, known, parameter
from training.image_models import METRICS, model_problem, nearest
from training.search_space import SAMPLED
from training.space_rules import MODEL_NAME, Plan, plan_problems
from training.toml_file import read_toml, refusal, schema_problems

__all__ = ["ASSET", "JobFile", "check_job", "read_job_file"]


@dataclass(frozen=True, slots=True)
class AutoML:
    """What AutoML takes: its models, and unless it is allowed only those that give ONNX; its hyperparameters."""

    allow_no_onnx: bool = False

    def model_problem(self, task: Task, name: str) -> str | None:
        """Return what is wrong with a model's name, None where nothing is."""
        return model_problem(task, name, allow_no_onnx=self.allow_no_onnx)

    def parameter(self, task: Task, name: str) -> Parameter | str:
        """Return a task's hyperparameter, or why there is none of that name."""
        found = parameter(name)
        if found is not None and task in found.tasks:
            return found
        if found is not None:
            return f"is no hyperparameter of {task}, but of {', '.join(sorted(found.tasks))}"
        close = nearest(name, [MODEL_NAME, *(there.name for there in known(task))])
        return "no such hyperparameter; " + (
            f"did you mean {close}?" if close else "docs/reference/job-file.md lists them"
        )


def read_job_file(
    path: Path, *, name: str | None = None, allow_no_onnx: bool = False, without_data: bool = False
) -> JobFile:
    """Return what a file says; ``name`` takes the place of the one in it.

    ``without_data`` it may leave the training data to whoever asks (a pipeline).

    Raises:
        UsageError: it cannot be read, or something in it is wrong; the text has one problem a line, with its key.
    """
    raw = read_toml(path, "a job file")
    given = {**raw, "name": name} if name else raw
    return check_job(given, path, allow_no_onnx=allow_no_onnx, without_data=without_data)


def check_job(
    raw: Mapping[str, Any], path: Path, *, allow_no_onnx: bool = False, without_data: bool = False
) -> JobFile:
    """Return the job of a file's content. Raises UsageError as :func:`read_job_file` does."""
    found: JobFile | None = None
    problems: list[str] = []
    try:
        found = JobFile.model_validate(dict(raw))
    except ValidationError as error:
        problems += schema_problems(error, TABLES)
    if not without_data and "training_data" not in raw:
        problems.append("training_data: is required")
    problems += _choices(raw)
    for key in ("training_data", "validation_data"):
        problems += _data_problems(key, raw.get(key), path.parent)
    problems += plan_problems(_plan(raw, allow_no_onnx=allow_no_onnx))
    if problems or found is None:
        raise refusal(path, problems)
    return found


def _plan(raw: Mapping[str, Any], *, allow_no_onnx: bool) -> Plan:
    """Return what the rules look at, as far as it is of the right form: the rest has been told of already."""
    sweep, limits, model = raw.get("sweep"), raw.get("limits"), raw.get("model", {})
    spaces = sweep.get("space", []) if isinstance(sweep, dict) else []
    trials = limits.get("max_trials", 1) if isinstance(limits, dict) else 1
    sampling = sweep.get("sampling_algorithm") if isinstance(sweep, dict) else None
    return Plan(
        task=raw["task"] if raw.get("task") in TASKS else None,
        fixed=model if isinstance(model, dict) else {},
        spaces=[space for space in spaces if isinstance(space, dict)] if isinstance(spaces, list) else [],
        swept="sweep" in raw,
        sampling=sampling if sampling in SAMPLED else None,
        max_trials=trials if isinstance(trials, int) else 1,
        trainer=AutoML(allow_no_onnx=allow_no_onnx),
    )


def _choices(raw: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong between keys."""
    if ("compute" in raw) == ("serverless" in raw):
        yield "compute: give either compute, the name of a cluster, or [serverless] with an instance_type"
    if "validation_data" in raw and "validation_data_size" in raw:
        yield "validation_data_size: is for splitting the training data, but validation_data is given; leave out one"
    identity = raw.get("identity")
    if isinstance(identity, dict) and identity.get("type") == "user" and "client_id" in identity:
        yield "identity.client_id: is for managed identities"
    task, metric = raw.get("task"), raw.get("primary_metric")
    if task in TASKS and isinstance(metric, str) and metric != METRICS[task]:
        yield f"primary_metric: for {task} the service takes only {METRICS[task]}, got {metric!r}"


def _data_problems(key: str, data: object, beside: Path) -> Iterator[str]:
    if not isinstance(data, str) or not data or ASSET.fullmatch(data):
        return
    if data.startswith("azureml:"):
        yield f"{key}: write it as azureml:NAME:VERSION or azureml:NAME@latest, got {cut(repr(data))}"
    elif not _is_file(beside / data / MLTABLE):
        yield f"{key}: there is no {beside / data / MLTABLE}; give a folder with one, azureml:NAME:VERSION or @latest"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False  # a name that is too long, a folder that may not be looked into
