"""`job.toml`: what AutoML shall train, checked as a whole before anything is asked of Azure.

The docstring after a key is its description in ``docs/reference/job-file.md``.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.bundle import Task
from training.azure.image_models import METRICS, nearest
from training.azure.job_rules import Plan, job_problems
from training.azure.search_space import SAMPLED
from training.dataset.annotations import TASKS
from training.errors import UsageError

ASSET = re.compile(r"azureml:(?P<name>[A-Za-z0-9][\w.-]*)(?::(?P<version>[\w.-]+)|@(?P<label>latest))")
"""A data asset: ``azureml:NAME:VERSION`` or ``azureml:NAME@latest``."""
JOB_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,199}"
"""Names that Azure takes for jobs; trials append to them."""
MLTABLE = "MLTable"
Name = Annotated[str, Field(min_length=1, max_length=255)]


class Section(BaseModel):
    """What all sections share: frozen, strict, unknown keys refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Serverless(Section):
    """A machine that Azure starts for this job, in place of a cluster."""

    instance_type: Name
    """Size of the machine, as `Standard_NC6s_v3`; AutoML for images needs a GPU (families NC and ND)."""
    instance_count: int = Field(default=1, ge=1, le=100)
    """How many of them."""


class JobIdentity(Section):
    """As who the job reads its data."""

    type: Literal["managed", "user"]
    """`managed`: the cluster's identity; `user`: who submits. Without this table, Azure's token for the job."""
    client_id: Name | None = None
    """A user-assigned managed identity, where the cluster has several."""


class Limits(Section):
    """How much work, and how long."""

    max_trials: int = Field(default=1, ge=1, le=1000)
    """Trials in all. More than 1 without `[model]` and `[sweep]` is AutoMode."""
    max_concurrent_trials: int = Field(default=1, ge=1, le=100)
    """Trials at a time; at most `max_trials`. The cluster needs as many nodes."""
    timeout_minutes: int | None = Field(default=None, ge=1, le=60 * 24 * 60)
    """When the job is ended, in minutes; without it after seven days."""

    @model_validator(mode="after")
    def _fitting(self) -> "Limits":
        if self.max_concurrent_trials > self.max_trials:
            raise ValueError(f"max_concurrent_trials must be at most max_trials ({self.max_trials})")
        return self


class Policy(Section):
    """When a trial is ended that will not be the best."""

    evaluation_interval: int = Field(default=1, ge=1)
    """How often it is judged: every so many reports of the primary metric."""
    delay_evaluation: int = Field(default=0, ge=0)
    """After how many reports it is judged first."""


class Bandit(Policy):
    """Ends a trial that is too far behind the best."""

    type: Literal["bandit"]
    slack_factor: float | None = Field(default=None, gt=0)
    """The allowed ratio: with 0.2, a trial below best / 1.2 ends."""
    slack_amount: float | None = Field(default=None, gt=0)
    """The allowed difference."""

    @model_validator(mode="after")
    def _one_slack(self) -> "Bandit":
        if (self.slack_factor is None) == (self.slack_amount is None):
            raise ValueError("give either slack_factor or slack_amount")
        return self


class MedianStopping(Policy):
    """Ends a trial that is worse than the median of the running averages."""

    type: Literal["median_stopping"]


class TruncationSelection(Policy):
    """Ends the worst trials at each judgement."""

    type: Literal["truncation_selection"]
    truncation_percentage: int = Field(ge=1, le=99)
    """How many of a hundred."""


POLICIES = ("bandit", "median_stopping", "truncation_selection")


class Sweep(Section):
    """How hyperparameters are tried."""

    sampling_algorithm: Literal["random", "grid", "bayesian"]
    """`grid` takes only `choice`; `bayesian` only `choice`, `uniform` and `quniform`, and one space."""
    early_termination: Annotated[Bandit | MedianStopping | TruncationSelection, Field(discriminator="type")] | None = (
        None
    )
    """`{ type = "bandit" }`, `median_stopping` or `truncation_selection`; without one, all trials run to their end."""
    space: list[dict[str, Any]] = Field(min_length=1)
    """Written as `[[sweep.space]]`, once for each space: hyperparameters and what they are drawn from."""


class JobFile(Section):
    """A whole job file."""

    task: Task
    """What the model shall tell of a picture."""
    training_data: Name | None = None
    """`azureml:NAME:VERSION`, `azureml:NAME@latest`, or a folder with an `MLTable`, seen from the job file.
    Required, but for a pipeline, which fills it in."""
    validation_data: Name | None = None
    """The same, for validation."""
    validation_data_size: float | None = Field(default=None, gt=0, lt=1)
    """The share of the training data that is held out instead; without both 0.2."""
    target_column: Name = "label"
    """The column of the labels."""
    compute: Name | None = None
    """A cluster of the workspace."""
    serverless: Serverless | None = None
    """`[serverless]`, in place of `compute`."""
    experiment: Name = "automl-edge"
    """Where the job is listed in the studio."""
    name: Annotated[str, Field(pattern=f"^{JOB_NAME}$")] | None = None
    """The job's name; there can be one of a name. Without it one is made of the experiment, the time and chance."""
    display_name: Name | None = None
    """What the studio shows; without it the name."""
    description: str | None = None
    """A text of yours."""
    tags: dict[str, str] = Field(default_factory=dict)
    """`[tags]`: texts by name."""
    primary_metric: str | None = None
    """What the best trial is best by. The service takes one for each task, and it is the default."""
    identity: JobIdentity | None = None
    """`[identity]`: as who the job reads its data."""
    environment_variables: dict[str, str] = Field(default_factory=dict)
    """`[environment_variables]` of the job. Whoever can see the job can read them: no place for secrets."""
    node_count_per_trial: int | None = Field(default=None, ge=1, le=100)
    """Machines that train one trial together, of a cluster that has as many."""
    limits: Limits = Limits()
    """`[limits]`: how much work, and how long."""
    model: dict[str, Any] = Field(default_factory=dict)
    """`[model]`: `model_name` and fixed hyperparameters."""
    sweep: Sweep | None = None
    """`[sweep]`: how hyperparameters are tried."""

    @property
    def metric(self) -> str:
        """The primary metric, which is always sent."""
        return self.primary_metric or METRICS[self.task]


def read_job_file(
    path: Path, *, name: str | None = None, allow_no_onnx: bool = False, without_data: bool = False
) -> JobFile:
    """Return what a file says; ``name`` takes the place of the one in it.

    ``without_data`` it may leave the training data to whoever asks (a pipeline).

    Raises:
        UsageError: it cannot be read, or something in it is wrong; the text has one problem a line, with its key.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as a job file ({error})") from error
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
        problems += [_text(dict(item)) for item in error.errors(include_url=False)]
    if not without_data and "training_data" not in raw:
        problems.append("training_data: is required")
    problems += _choices(raw)
    for key in ("training_data", "validation_data"):
        problems += _data_problems(key, raw.get(key), path.parent)
    problems += job_problems(_plan(raw, allow_no_onnx=allow_no_onnx))
    if problems or found is None:
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise UsageError("\n".join([f"{path} has {count}:", *(f"  {problem}" for problem in problems)]))
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
        allow_no_onnx=allow_no_onnx,
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
        yield f"{key}: write it as azureml:NAME:VERSION or azureml:NAME@latest, got {data!r}"
    elif not (beside / data / MLTABLE).is_file():
        yield f"{key}: there is no {beside / data / MLTABLE}; give a folder with one, azureml:NAME:VERSION or @latest"


def _text(item: Mapping[str, Any]) -> str:
    """Return one of pydantic's problems in words for a person."""
    location, kind = item["loc"], str(item["type"])
    place = ".".join(
        str(part) for part in location if part not in ("bandit", "median_stopping", "truncation_selection")
    )
    if kind == "extra_forbidden":
        return f"{place}: {_unknown(location)}"
    if kind == "missing":
        return f"{place}: is required"
    said = str(item["msg"]).removeprefix("Value error, ").replace("Input should be", "must be").replace("valid ", "")
    given = item["input"]
    shown = "" if isinstance(given, dict | list) else f", got {given!r}"
    return f"{place}: {said.replace('a integer', 'a whole number')}{shown}"


_TABLES: Mapping[str, type[Section]] = {
    "": JobFile,
    "serverless": Serverless,
    "identity": JobIdentity,
    "limits": Limits,
    "sweep": Sweep,
    "bandit": Bandit,
    "median_stopping": MedianStopping,
    "truncation_selection": TruncationSelection,
}


def _unknown(location: tuple[int | str, ...]) -> str:
    key, table = str(location[-1]), str(location[-2]) if len(location) > 1 else ""
    there = list(_TABLES[table].model_fields)
    close = nearest(key, there)
    homes = [home for home, section in _TABLES.items() if home != table and key in section.model_fields]
    if close:
        return f"no such key; did you mean {close}?"
    return (
        f"no such key here; it belongs into [{homes[0]}]"
        if homes and homes[0]
        else f"no such key; there are {', '.join(there)}"
    )
