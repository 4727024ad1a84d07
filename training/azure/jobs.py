"""Jobs that are submitted once, whatever the network does meanwhile, and canceled."""

import dataclasses
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from training.azure.job_inputs import DataAsset, bring, data_asset, look_up
from training.azure.job_request import MARK, Request, make_job, mark_of, rehearse
from training.azure.job_schema import JobFile, has_gpu
from training.azure.session import Session
from training.errors import AzureError, AzureUnavailableError, UsageError

ENDED = ("Completed", "Failed", "Canceled")
UNNAMED = "NAME-IS-CHOSEN-WHEN-SUBMITTED"
"""What a rehearsal shows as the name of a job that has none yet."""
LOOK_S = 5.0
"""How often a job that is being canceled is looked at."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job that Azure has."""

    name: str
    status: str
    studio_url: str | None
    training_data: str
    validation_data: str | None

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class Order:
    """A job file and the data that it names; ``name`` None leaves the job's name to chance."""

    job: JobFile
    training: DataAsset
    validation: DataAsset | None
    name: str | None = None

    def made(self, session: Session, name: str) -> Any:
        """Return the SDK's job."""
        training = self.training.path(session)
        validation = self.validation.path(session) if self.validation else None
        made = make_job(self.job, training_data=training, validation_data=validation, name=name)
        made.properties = {**made.properties, MARK: mark_of(self.job, name, training, validation)}
        return made


def order_of(job: JobFile, beside: Path, name: str | None = None) -> Order:
    """Return the order of a job file that lies in the folder ``beside``.

    Raises:
        UsageError: it names no training data, or a local table that cannot be used.
    """
    if job.training_data is None:
        raise UsageError("training_data: is required")
    validation = data_asset(job.validation_data, beside) if job.validation_data else None
    return Order(job, data_asset(job.training_data, beside), validation, name or job.name)


def planned(session: Session, order: Order) -> Request:
    """Return the very request that :func:`submit` would send; Azure is not asked. Raises AzureError."""
    return rehearse(session, order.made(session, order.name or UNNAMED))


def submit(
    session: Session,
    order: Order,
    *,
    told: Callable[[str], object] = lambda _: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Submitted:
    """Check that everything is there, and submit the job.

    The name is fixed, and ``told``, before the job is sent: a request that is sent again cannot start a second job.

    Raises:
        AzureError: something is missing or refused, or Azure does not answer.
        UsageError: there is a job of that name already.
    """
    ready = _ready(session, order)
    name = order.name or new_name(order.job.experiment, now())
    if order.name:
        check_free(session, name)
    for asset in _assets(ready):
        bring(session, asset)
    told(name)
    return _told(send_once(session, ready.made(session, name)), ready)


def check_free(session: Session, name: str) -> None:
    """Raise UsageError where there is a job of that name."""
    if _find(session, name) is not None:
        raise UsageError(
            f"there is a job {name} already, and there can be one of a name; choose another --name, or follow it: "
            f"automl-train azure watch {name}"
        )


def send_once(session: Session, made: Any) -> Any:
    """Submit the SDK's job, which has a name and a mark, and return the one that Azure has then.

    Raises:
        AzureError: Azure refuses, or nobody can say whether it took the job.
    """
    name = made.name
    try:
        with session.asking(f"submitting the job {name}"):
            return session.client.jobs.create_or_update(made)
    except AzureError as error:
        found = _sent_after_all(session, name, made.properties[MARK])
        if found is not None:
            return found
        if not isinstance(error, AzureUnavailableError):
            raise
        again = f"if it comes about all the same, submitting again with --name {name} cannot start a second one"
        raise AzureUnavailableError(f"{error}; {again}") from error


def _sent_after_all(session: Session, name: str, mark: str) -> Any | None:
    """Return the job whose answer got lost, known by its mark; None where it is not there, or nobody can say."""
    with suppress(AzureError), closing(dataclasses.replace(session, retries=min(session.retries, 1))) as asking:
        found = _find(asking, name)
        return found if found is not None and (found.properties or {}).get(MARK) == mark else None
    return None


def _told(job: Any, order: Order) -> Submitted:
    validation = str(order.validation) if order.validation else None
    return Submitted(job.name, status_word(job), job.studio_url, str(order.training), validation)


def _assets(order: Order) -> list[DataAsset]:
    return [asset for asset in (order.training, order.validation) if asset is not None]


def plain_name(text: str) -> str:
    """Return a name that Azure takes for a job or a schedule, like the text."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", text)[:60].lstrip("_-") or "job"


def new_name(text: str, now: datetime) -> str:
    """Return a name like the text that no other job has."""
    return f"{plain_name(text)}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def _ready(session: Session, order: Order) -> Order:
    """Return the order with versions in place of "latest". Raises AzureError with everything that is missing."""
    missing: list[str] = []
    found: dict[DataAsset, DataAsset] = {}
    for asset in _assets(order):
        found[asset], problem = _there(session, asset, order.job.task)
        missing += [problem] if problem else []
    missing += compute_problems(session, order.job)
    if missing:
        raise AzureError(f"not submitted: {'; '.join(missing)} [{session.place}]")
    validation = found[order.validation] if order.validation else None
    return dataclasses.replace(order, training=found[order.training], validation=validation)


def _there(session: Session, asset: DataAsset, task: str) -> tuple[DataAsset, str]:
    """Return an asset with its version, and what is wrong with it."""
    if asset.table is not None:
        return asset, ""
    found = look_up(session, asset)
    if found is None:
        return asset, f"there is no data asset {asset} (automl-train data upload FOLDER --name NAME makes them)"
    if found.kind != "mltable":
        return asset, f"the data asset {found.asset} is a {found.kind}; AutoML for images is trained on an mltable"
    if found.task not in (None, task):
        return asset, f"the data asset {found.asset} is for {found.task}, the job for {task}"
    return found.asset, ""


def compute_problems(session: Session, job: JobFile) -> Iterator[str]:
    """Yield what is wrong with the cluster that a job names. Raises AzureError where Azure does not tell."""
    from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415 - only who talks to Azure has it

    if job.compute is None:
        return
    with session.asking(f"looking for the compute {job.compute}"):
        try:
            found = session.client.compute.get(job.compute)
        except ResourceNotFoundError:
            yield f"there is no compute {job.compute} (automl-train azure compute ensure makes it)"
            return
    size, most, wanted = (
        getattr(found, "size", None),
        getattr(found, "max_instances", None),
        job.node_count_per_trial or 1,
    )
    if size is not None and not has_gpu(size):
        yield f"the compute {job.compute} has machines of the size {size}, without a GPU; AutoML for images needs one"
    if most is not None and most < wanted:
        yield f"the compute {job.compute} grows to {most} nodes, but a trial wants {wanted} (node_count_per_trial)"


def _find(session: Session, name: str) -> Any | None:
    """Return a job by its name, None where there is none. Raises AzureError."""
    from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415 - only who talks to Azure has it

    with session.asking(f"looking for the job {name}"):
        try:
            return session.client.jobs.get(name)
        except ResourceNotFoundError:
            return None


def status_word(job: Any) -> str:
    """Return a job's status as Azure calls it: the SDK gives a text or one of its own enum."""
    return str(getattr(job.status, "value", job.status) or "NotStarted")


def status_of(session: Session, name: str) -> str:
    """Return a job's status as Azure calls it. Raises AzureError, also where there is no such job."""
    found = _find(session, name)
    if found is None:
        raise AzureError(f"there is no job {name} [{session.place}]")
    return status_word(found)


def cancel(session: Session, name: str) -> str:
    """Ask for a job's end and return its status: one that has ended already is left alone. Raises AzureError."""
    status = status_of(session, name)
    if status in ENDED:
        return status
    with session.asking(f"canceling the job {name}"):
        session.client.jobs.begin_cancel(name, polling=False)
    return "CancelRequested"


def wait_for_end(session: Session, name: str, *, within_s: float, sleep: Callable[[float], object] = time.sleep) -> str:
    """Return a job's last status; it is looked at every :data:`LOOK_S` seconds.

    Raises:
        AzureError: it does not end in time, or Azure does not say.
    """
    deadline = time.monotonic() + within_s
    while (status := status_of(session, name)) not in ENDED:
        if time.monotonic() >= deadline:
            raise AzureError(
                f"the job {name} is {status} after {within_s:g} s; it may still end: automl-train azure watch {name}"
            )
        sleep(LOOK_S)
    return status
