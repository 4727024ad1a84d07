"""Exports a detection or segmentation model for a batch, as a job in Azure: AutoML's own graph takes one picture.

The job runs a script of ours (:mod:`training.azure.batch_export_job.export`) in the environment that the model was
trained in, on the checkpoint that the trial left. It is named after what goes into it: whoever asks for the same again
gets the job that is there, whether it runs yet or is done.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edge.azureml.containers import Container, open_datastore
from training.azure import artifacts, batch_export_job
from training.azure.artifacts import CHECKPOINT, ENVIRONMENT, download_wanted
from training.azure.origin import Origin
from training.azure.session import Session
from training.azure.trials import MODEL, JobView, Trial, job_view, open_job
from training.errors import AzureError

SCRIPT = Path(batch_export_job.__file__).with_name("export.py")
UPLOADS = "workspaceblobstore"
IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04:latest"
"""What the environment's packages are put on: one of Azure's own, without a GPU."""
RCNN_SIZE = (800, 600)
YOLO_SIDE = 640
MAX_TRIES = 20
"""How many jobs of one name that failed are left behind before a person must look."""
TIMEOUT_S = 2 * 3600
RCNN_SETTINGS: Mapping[str, Any] = {
    "min_size": 600,
    "max_size": 1333,
    "box_score_thresh": 0.3,
    "nms_iou_thresh": 0.5,
    "box_detections_per_img": 100,
}
YOLO_SETTINGS: Mapping[str, Any] = {
    "img_size": YOLO_SIDE,
    "model_size": "medium",
    "box_score_thresh": 0.1,
    "nms_iou_thresh": 0.5,
}
"""What is passed to the script, with AutoML's defaults."""


@dataclass(frozen=True, slots=True)
class BatchOrder:
    """A trial of a job, and for how many pictures; ``settings`` are what is known beside AutoML's settings file."""

    origin: Origin
    trial: Trial
    images: int
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported: the size (width, height in pixels) of the graph's pictures, and what the manifest says."""

    size: tuple[int, int]
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Export:
    """One export: everything that the job depends on."""

    origin: Origin
    trial: str
    model_name: str
    images: int
    settings: Mapping[str, Any]
    size: tuple[int, int]
    conda: str
    script: str

    @property
    def key(self) -> str:
        """A short hash of all of it."""
        parts = [self.trial, self.model_name, self.images, dict(self.settings), self.size, self.conda, self.script]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def command(self) -> str:
        """The job's command line."""
        told = {"model_name": self.model_name, "task_type": self.origin.task, "batch_size": self.images}
        told |= {"height_onnx": self.size[1], "width_onnx": self.size[0], **self.settings}
        words = " ".join(f"--{name} {value}" for name, value in told.items())
        return f"python ${{{{inputs.script}}}} --checkpoint ${{{{inputs.checkpoint}}}} {words}"


def plan(order: BatchOrder, *, conda: str, script: str) -> Export:
    """Return the export; ``conda`` and ``script`` are the texts of the environment and of what runs in it. Pure.

    Raises:
        AzureError: the trial does not say which network it trained, or a setting is no plain word or number.
    """
    trial, settings = order.trial, order.settings
    model = settings.get(MODEL)
    if not isinstance(model, str):
        raise AzureError(f"trial {trial.name} does not say which network it trained; it cannot be exported for a batch")
    yolo = model.startswith("yolov5")
    chosen = {name: settings.get(name, default) for name, default in (YOLO_SETTINGS if yolo else RCNN_SETTINGS).items()}
    wrong = [name for name, value in chosen.items() if not str(value).replace(".", "").replace("_", "").isalnum()]
    if wrong or not model.replace("_", "").isalnum():
        raise AzureError(f"trial {trial.name}: {', '.join(wrong) or MODEL} is no plain word or number")
    side = chosen.get("img_size")
    size = (int(side), int(side)) if yolo and side is not None else RCNN_SIZE
    return Export(order.origin, trial.name, model, order.images, chosen, size, conda, script)


def export_batch(
    session: Session, order: BatchOrder, folder: Path, *, shown: Callable[[str, int, int], object], wait_s: float
) -> Exported:
    """Export a trial's network for a batch and put the graph in the place of ``folder``'s model.

    ``folder`` holds the trial's files; ``wait_s`` lies between two looks at the job.

    Raises:
        AzureError: checkpoint or environment are gone, or the job failed: its text says why, and where to look.
    """
    trial, nothing = order.trial, lambda *_: None
    environment = frozenset((ENVIRONMENT,))
    download_wanted(session, trial.name, folder, wanted=environment, check=_can_be_exported(trial), took=nothing)
    export = plan(
        replace(order, settings={**order.settings, **_settings(folder / artifacts.SETTINGS)}),
        conda=(folder / ENVIRONMENT).read_text(encoding="utf-8"),
        script=SCRIPT.read_text(encoding="utf-8"),
    )
    name = _job(session, export, folder / ENVIRONMENT)
    _wait(session, name, shown=shown, wait_s=wait_s)
    _take(session, name, order.images, folder / artifacts.MODEL, shown=shown)
    told = {"job": name, "images": order.images, "settings": dict(export.settings)}
    return Exported(export.size, {"batch_export": told})


def _can_be_exported(trial: Trial) -> Callable[[artifacts.RunFiles], None]:
    def check(found: artifacts.RunFiles) -> None:
        missing = found.missing((ENVIRONMENT, CHECKPOINT))
        if missing:
            raise AzureError(f"trial {trial.name} has no {' and no '.join(missing)}: it cannot be exported for a batch")

    return check


def _settings(file: Path) -> Mapping[str, Any]:
    """Return AutoML's settings file; nothing where it is none, which making the bundle complains about."""
    try:
        told = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, Mapping) else {}


def _job(session: Session, export: Export, conda: Path) -> str:
    """Return the name of the job that does this export: one that is there and has not failed, else a new one."""
    for attempt in range(1, MAX_TRIES + 1):
        name = f"export_{export.key}_{attempt}"
        view = _known(session, name)
        if view is None:
            _submit(session, export, name, conda)
            return name
        if view.state not in ("failed", "cancelled"):
            return name
    raise AzureError(
        f"{MAX_TRIES} jobs export_{export.key}_* failed or were cancelled: look at their logs in the studio"
    )


def _known(session: Session, name: str) -> JobView | None:
    from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415 - only who talks to Azure has it

    with session.asking(f"asking for the job {name}"):
        try:
            job = session.client.jobs.get(name)
        except ResourceNotFoundError:
            return None
    return job_view(job)


def _submit(session: Session, export: Export, name: str, conda: Path) -> None:
    with session.asking(f"uploading {SCRIPT.name}"), open_datastore(session.connection, UPLOADS) as container:
        script = _upload(container)
    with session.asking(f"submitting the export of {export.trial}"):
        session.client.jobs.create_or_update(_command_job(export, name, script, conda))


def _upload(container: Container) -> str:
    """Write the script where it is not yet, and return its place. The SDK's own upload swallows failures."""
    digest = hashlib.sha256(SCRIPT.read_bytes()).hexdigest()
    path = f"automl-edge/scripts/{digest}/{SCRIPT.name}"
    if not container.files(path.rpartition("/")[0]):
        container.upload(path, SCRIPT, sha256=digest)
    return f"azureml://datastores/{UPLOADS}/paths/{path}"


def _command_job(export: Export, name: str, script: str, conda: Path) -> Any:
    """Return the SDK's job."""
    from azure.ai.ml import Input, command  # noqa: PLC0415 - only who talks to Azure has it
    from azure.ai.ml.entities import Environment  # noqa: PLC0415 - see above

    checkpoint = f"azureml://datastores/{artifacts.STORE}/paths/{artifacts.artifacts_of(export.trial)}/{CHECKPOINT}"
    job = command(
        name=name,
        display_name=f"{export.trial} for {export.images} pictures",
        experiment_name=export.origin.experiment,
        command=export.command,
        environment=Environment(image=IMAGE, conda_file=conda),
        inputs={
            "script": Input(type="uri_file", path=script, mode="download"),
            "checkpoint": Input(type="uri_file", path=checkpoint, mode="download"),
        },
        compute=export.origin.compute,
        identity=_identity(export.origin.identity),
        tags={"automl_edge": "batch export", "trial": export.trial, "images": str(export.images)},
    )
    job.set_limits(timeout=TIMEOUT_S)
    return job


def _identity(told: Any) -> Any:
    """Return an identity as the job had it: the SDK reads a managed one's client id as its object id, too."""
    from azure.ai.ml.entities import ManagedIdentityConfiguration  # noqa: PLC0415 - only who talks to Azure has it

    if not isinstance(told, ManagedIdentityConfiguration):
        return told
    return ManagedIdentityConfiguration(client_id=told.client_id, resource_id=told.resource_id)


def _wait(session: Session, name: str, *, shown: Callable[[str, int, int], object], wait_s: float) -> None:
    """Wait for the job's end. Raises AzureError unless it ends well."""
    with open_job(session, name) as reader:
        while True:
            view = reader.job()
            shown(f"exporting in {name} ({view.status})", int(view.ended), 1)
            if view.state == "completed":
                return
            if view.ended:
                why = reader.failure(name) or "it says nothing"
                raise AzureError(f"the export job {name} is {view.status}: {why}; its logs: {view.studio_url}")
            time.sleep(wait_s)


def _take(session: Session, name: str, images: int, into: Path, *, shown: Callable[[str, int, int], object]) -> None:
    """Download the graph that the job left."""
    path = f"outputs/model_{images}.onnx"

    def check(found: artifacts.RunFiles) -> None:
        if found.missing((path,)):
            raise AzureError(f"the export job {name} completed but left no {path}: look at its logs")

    took = lambda done, of: shown("downloading the batch graph", done, of)  # noqa: E731 - as short as its name
    scratch = into.parent / "batch"
    download_wanted(session, name, scratch, wanted=frozenset((path,)), check=check, took=took)
    (scratch / path).replace(into)
