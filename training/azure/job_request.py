"""A job as the SDK sends it, and the same without sending it."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from edge.azureml.connection import Rehearsal
from training.azure.job_schema import JobFile, JobIdentity
from training.azure.session import Session
from training.errors import AzureError
from training.hyperparameters import as_sent
from training.search_space import AnyDistribution, read_distribution
from training.space_rules import MODEL_NAME
from training.sweep_schema import Sweep

if TYPE_CHECKING:
    from azure.ai.ml.automl import SearchSpace
    from azure.ai.ml.entities import ManagedIdentityConfiguration, UserIdentityConfiguration

MARK = "automl_edge.job_sha256"
"""The property by which a job that was sent is known again, if its answer got lost."""
FACTORIES: Mapping[str, str] = {
    "image-classification": "image_classification",
    "image-classification-multilabel": "image_classification_multilabel",
    "image-object-detection": "image_object_detection",
    "image-instance-segmentation": "image_instance_segmentation",
}
"""The SDK's maker of each task's jobs."""
CLASSES: Mapping[str, str] = {
    "choice": "Choice",
    "uniform": "Uniform",
    "loguniform": "LogUniform",
    "quniform": "QUniform",
    "qloguniform": "QLogUniform",
    "normal": "Normal",
    "lognormal": "LogNormal",
    "qnormal": "QNormal",
    "qlognormal": "QLogNormal",
    "randint": "Randint",
    "bandit": "BanditPolicy",
    "median_stopping": "MedianStoppingPolicy",
    "truncation_selection": "TruncationSelectionPolicy",
}
"""The SDK's class of each distribution and policy."""


def make_job(job: JobFile, *, training_data: Any, validation_data: Any = None, **more: Any) -> Any:
    """Return the SDK's job of a job file.

    ``training_data`` and ``validation_data`` are paths of the control plane, or what a pipeline's step hands on;
    ``more`` goes to the SDK's maker (``name``, ``outputs``, or ``resources`` in place of the file's).
    """
    from azure.ai.ml import automl  # noqa: PLC0415 - over a second to import

    made = getattr(automl, FACTORIES[job.task])(
        training_data=_input(training_data),
        validation_data=_input(validation_data),
        target_column_name=job.target_column,
        validation_data_size=job.validation_data_size,
        primary_metric=job.metric,
        compute=job.compute,
        experiment_name=job.experiment,
        display_name=job.display_name,
        description=job.description,
        tags=dict(job.tags),
        environment_variables=dict(job.environment_variables) or None,
        identity=_identity(job.identity),
        **{"properties": _properties(job), "resources": _resources(job), **more},
    )
    made.set_limits(**job.limits.model_dump())
    if job.model:
        made.set_training_parameters(**{name: as_sent(name, value) for name, value in job.model.items()})
    if job.sweep is not None:
        made.extend_search_space([_space(space) for space in job.sweep.space])
        made.set_sweep(sampling_algorithm=job.sweep.sampling_algorithm, early_termination=_policy(job.sweep))
    return made


def _input(data: Any) -> Any:
    from azure.ai.ml import Input  # noqa: PLC0415 - over a second to import

    return Input(type="mltable", path=data) if isinstance(data, str) else data


def _properties(job: JobFile) -> dict[str, str]:
    count = job.node_count_per_trial
    return {} if count is None else {"node_count_per_trial": str(count)}


def _resources(job: JobFile) -> dict[str, Any] | None:
    """Return the machine of a serverless job, as it goes over the wire.

    The SDK's own class for it is sent in snake case, which the service does not know.
    """
    if job.serverless is None:
        return None
    return {"instanceType": job.serverless.instance_type, "instanceCount": job.serverless.instance_count}


def _identity(identity: JobIdentity | None) -> "ManagedIdentityConfiguration | UserIdentityConfiguration | None":
    from azure.ai.ml.entities import (  # noqa: PLC0415 - over a second to import
        ManagedIdentityConfiguration,
        UserIdentityConfiguration,
    )

    if identity is None:
        return None
    if identity.type == "user":
        return UserIdentityConfiguration()
    return ManagedIdentityConfiguration(client_id=identity.client_id)


def _space(space: Mapping[str, Any]) -> "SearchSpace":
    from azure.ai.ml.automl import SearchSpace  # noqa: PLC0415 - over a second to import

    return SearchSpace(**{name: _drawn(name, read_distribution(raw)) for name, raw in space.items()})


def _drawn(name: str, drawn: AnyDistribution) -> Any:
    arguments = drawn.arguments()
    if "values" in arguments and name != MODEL_NAME:
        arguments["values"] = [as_sent(name, value) for value in arguments["values"]]
    return _of_sweep(drawn.type, arguments)


def _policy(sweep: Sweep) -> Any:
    policy = sweep.early_termination
    return policy and _of_sweep(policy.type, policy.model_dump(exclude={"type"}, exclude_none=True))


def _of_sweep(kind: str, arguments: Mapping[str, Any]) -> Any:
    from azure.ai.ml import sweep  # noqa: PLC0415 - over a second to import

    return getattr(sweep, CLASSES[kind])(**arguments)


def mark_of(job: JobFile, name: str, *data: str | None) -> str:
    """Return the SHA-256 (hex) of a whole job: only the same job under the same name has it."""
    whole = [name, *data, job.model_dump(mode="json")]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """What would be sent: a path below the control plane, and a body."""

    method: str
    url: str
    body: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return it for people and programs."""
        return {"method": self.method, "url": self.url, "body": self.body}


def rehearse(session: Session, made: Any) -> Request:
    """Return the request that the SDK would send for a job. Nothing is asked of anybody.

    Raises:
        AzureError: the SDK finds the job wrong, or wants an answer before it sends one (it does for pipelines).
    """
    from training.azure.rehearsal import HeldError, Nobody, Nowhere  # noqa: PLC0415 - over a second to import

    nowhere = dataclasses.replace(session, rehearsal=Rehearsal(Nobody(), Nowhere()))
    try:
        with closing(nowhere) as rehearsing, rehearsing.asking("making the job"):
            rehearsing.client.jobs.create_or_update(made)
    except HeldError as held:
        if held.request.method != "PUT":
            raise AzureError(f"this job cannot be rehearsed: the SDK asks Azure first ({held})") from held
        return Request(held.request.method, held.request.url, json.loads(held.request.body))
    raise AssertionError("the SDK sent nothing")
