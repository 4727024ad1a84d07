"""The form of a job file: tables, keys, types and ranges.

The docstring after a key is its description in ``docs/reference/job-file.md``.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from edge.bundle import Task
from training.image_models import METRICS
from training.sweep_schema import SWEEP_TABLES, Limits, Name, Section, Sweep

ASSET = re.compile(r"azureml:(?P<name>[A-Za-z0-9][\w.-]*)(?::(?P<version>[\w.-]+)|@(?P<label>latest))", re.ASCII)
"""A data asset: ``azureml:NAME:VERSION`` or ``azureml:NAME@latest``."""
JOB_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,199}"
"""Names that Azure takes for jobs; trials append to them."""


def has_gpu(size: str) -> bool:
    """Tell by its name whether a size of machines has a GPU, without which AutoML for images does not run."""
    return size.lower().startswith("standard_n")


class Serverless(Section):
    """A machine that Azure starts for this job, in place of a cluster."""

    instance_type: Name
    """Size of the machine, as `Standard_NC6s_v3`; AutoML for images needs a GPU (families NC and ND)."""
    instance_count: int = Field(default=1, ge=1, le=100)
    """How many of them."""

    @field_validator("instance_type")
    @classmethod
    def _with_gpu(cls, size: str) -> str:
        if not has_gpu(size):
            raise ValueError("has no GPU; take a size of the families Standard_NC or Standard_ND")
        return size


class JobIdentity(Section):
    """As who the job reads its data."""

    type: Literal["managed", "user"]
    """`managed`: the cluster's identity; `user`: who submits. Without this table, Azure's token for the job."""
    client_id: Name | None = None
    """A user-assigned managed identity, where the cluster has several."""


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


TABLES: Mapping[str, type[Section]] = {
    "": JobFile,
    "serverless": Serverless,
    "identity": JobIdentity,
    **SWEEP_TABLES,
}
"""The tables of a file, and the policies within one, by name."""
