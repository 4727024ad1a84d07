"""Sends the pipeline, at once or on a schedule."""

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from edge.azureml.containers import open_datastore
from training.azure.data_assets import Assets
from training.azure.job_file import ASSET, JobFile
from training.azure.job_request import MARK, make_job
from training.azure.jobs import check_free, compute_problems, send_once, status_word
from training.azure.pipeline.definition import Plan, build
from training.azure.pipeline.snapshot import place_of, snapshot
from training.azure.session import Session
from training.dataset.entries import place_of as located
from training.errors import AzureError, UsageError
from training.image_models import nearest

if TYPE_CHECKING:
    from azure.ai.ml.entities import PipelineJob

DATASTORE = "workspaceblobstore"
BEST = "best_model"
SPLIT = ("training_data", "validation_data", "validation_data_size")
"""Keys of a job file that do not count in a pipeline, which splits the pictures itself."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When to run again and again: a cron expression of five fields, in a time zone as Azure names it."""

    cron: str
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        if len(self.cron.split()) != 5:
            raise UsageError(
                f"schedule {self.cron!r}: five fields are expected: minute hour day month weekday, as in '0 3 * * 0'"
            )


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent: a job, or a schedule that starts such jobs."""

    name: str
    status: str
    studio_url: str | None
    schedule: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """Return what programs are told."""
        return asdict(self)


def describe(plan: Plan, job: JobFile) -> "PipelineJob":
    """Return the pipeline, without asking Azure.

    Raises:
        UsageError: the job file says what a pipeline cannot do.
    """
    if job.task != "image-classification":
        raise UsageError(f"the pipeline judges image-classification; submit a job for {job.task} by itself")
    return build(plan, partial(_train, job.model_copy(update=dict.fromkeys(SPLIT))))


def as_data(pipeline: "PipelineJob") -> dict[str, Any]:
    """Return a pipeline as plain data, as the SDK writes it down."""
    return json.loads(json.dumps(pipeline._to_dict(), default=str))  # type: ignore[no-any-return]  # noqa: SLF001 - the SDK's public way ends in a file of YAML


def _train(job: JobFile, training: Any, validation: Any) -> Any:
    from azure.ai.ml import Output  # noqa: PLC0415 - over a second

    outputs = {BEST: Output(type="mlflow_model")}
    return make_job(job, training_data=training, validation_data=validation, outputs=outputs)


def resolve(session: Session, plan: Plan, job: JobFile, told: Callable[[str], object]) -> Plan:
    """Return the plan with the place of its pictures and of this code, which is uploaded unless it is there.

    Raises:
        UsageError: the pictures are named otherwise, or are no folder.
        AzureError: the data asset or a cluster is not there, or the code cannot be stored.
    """
    url = _url(session, plan.pictures)
    with session.asking(f"looking for the cluster {plan.compute}"):
        cluster: Any = session.client.compute.get(plan.compute)
    if getattr(cluster, "identity", None) is None:
        raise AzureError(
            f"the cluster {plan.compute} has no identity, and the steps sign in with it: give it one in the studio "
            "(Compute, the cluster, Managed identity), or make another with compute ensure --identity; it needs the "
            f"roles AzureML Data Scientist and Storage Blob Data Contributor [{session.place}]"
        )
    unfit = list(compute_problems(session, job))
    if unfit:
        raise AzureError(f"not submitted: {'; '.join(unfit)} [{session.place}]")
    archive = snapshot()
    place = place_of(archive)
    told(f"storing the steps' code, {len(archive) >> 10} KiB")
    with session.asking("storing the steps' code"), open_datastore(session.connection, DATASTORE) as container:
        container.put(place, archive, sha256=hashlib.sha256(archive).hexdigest())
    return replace(plan, url=url, code=f"azureml://datastores/{DATASTORE}/paths/{place}")


def _url(session: Session, pictures: str) -> str:
    """Return where a folder lies: a data asset, or a path that each run looks into anew."""
    place = located(pictures)
    if place is not None:
        return Assets(session).url(*place)
    named = ASSET.fullmatch(pictures)
    if named is None or named["version"] is None:
        raise UsageError(
            f"pictures {pictures[:80]!r}: name a version of a data asset, as azureml:parts:3, or a folder in a "
            "datastore, as azureml://datastores/workspaceblobstore/paths/parts"
        )
    with session.asking(f"asking for the data asset {pictures}"):
        data = session.client.data.get(named["name"], version=named["version"])
    if data.type != "uri_folder" or not data.path:
        raise UsageError(f"{pictures} is a {data.type}: the pipeline takes a folder of pictures, a uri_folder")
    return str(data.path)


def send(session: Session, plan: Plan, job: JobFile, schedule: Schedule | None) -> Sent:
    """Start the pipeline, or set its schedule.

    Raises:
        AzureError: Azure refuses; a compute that is not there is named.
        UsageError: there is a job of that name.
    """
    pipeline = describe(plan, job)
    if schedule is not None:
        return _set(session, plan.name, pipeline, schedule)
    check_free(session, plan.name)
    pipeline.properties = {**(pipeline.properties or {}), MARK: secrets.token_hex(16)}
    made = send_once(session, pipeline)
    return Sent(made.name, status_word(made), made.studio_url)


def _set(session: Session, name: str, pipeline: "PipelineJob", schedule: Schedule) -> Sent:
    from azure.ai.ml.constants import TimeZone  # noqa: PLC0415 - over a second
    from azure.ai.ml.entities import CronTrigger, JobSchedule  # noqa: PLC0415 - the same

    zones = [zone.value for zone in TimeZone]
    if schedule.time_zone not in zones:
        close = nearest(schedule.time_zone, zones)
        hint = f"did you mean {close!r}?" if close else "as 'W. Europe Standard Time'"
        raise UsageError(f"time zone {schedule.time_zone[:40]!r}: Azure calls them as Windows does; {hint}")
    pipeline.name = None  # each run gets a name of its own
    trigger = CronTrigger(expression=schedule.cron, time_zone=schedule.time_zone)
    wanted = JobSchedule(name=name, trigger=trigger, create_job=pipeline)
    with session.asking(f"setting the schedule {name}"):
        made: Any = session.client.schedules.begin_create_or_update(wanted).result()
    state = getattr(made.provisioning_state, "value", made.provisioning_state)
    return Sent(made.name, state, None, f"{schedule.cron} ({schedule.time_zone})")
