"""The four tasks of AutoML for images, and the networks that it trains for each: only these end as ONNX.

Any other name (an id of HuggingFace, a configuration of MMDetection) is trained by another back end, which exports
no ONNX.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from edge.bundle import Task
from training.dataset.annotations import DETECTION, MULTICLASS, MULTILABEL, SEGMENTATION, TASKS

CLASSIFYING: frozenset[Task] = frozenset((MULTICLASS, MULTILABEL))
BOXES: frozenset[Task] = frozenset((DETECTION, SEGMENTATION))

Family = Literal[
    "resnet", "mobilenetv2", "resnest", "seresnext", "vit", "yolov5", "fasterrcnn", "retinanet", "maskrcnn"
]


@dataclass(frozen=True, slots=True)
class Network:
    """A network by AutoML's name, and the family whose hyperparameters it has."""

    name: str
    family: Family


def _networks(family: Family, names: str) -> tuple[Network, ...]:
    return tuple(Network(name, family) for name in names.split())


_CLASSIFIERS = (
    *_networks("mobilenetv2", "mobilenetv2"),
    *_networks("resnet", "resnet18 resnet34 resnet50 resnet101 resnet152"),
    *_networks("resnest", "resnest50 resnest101"),
    *_networks("seresnext", "seresnext"),
    *_networks("vit", "vits16r224 vitb16r224 vitl16r224"),
)
_RCNNS = tuple(f"resnet{depth}_fpn" for depth in (18, 34, 50, 101, 152))
NETWORKS: Mapping[Task, tuple[Network, ...]] = {
    MULTICLASS: _CLASSIFIERS,
    MULTILABEL: _CLASSIFIERS,
    DETECTION: (
        *_networks("yolov5", "yolov5"),
        *_networks("fasterrcnn", " ".join(f"fasterrcnn_{backbone}" for backbone in _RCNNS)),
        *_networks("retinanet", "retinanet_resnet50_fpn"),
    ),
    SEGMENTATION: _networks("maskrcnn", " ".join(f"maskrcnn_{backbone}" for backbone in _RCNNS)),
}
"""What gives ONNX, by task."""
METRICS: Mapping[Task, str] = {
    MULTICLASS: "accuracy",
    MULTILABEL: "iou",
    DETECTION: "mean_average_precision",
    SEGMENTATION: "mean_average_precision",
}
"""The one primary metric that the service takes for each task, though the SDK lists more."""


def network(task: Task, name: str) -> Network | None:
    """Return the network of a name; None for one that is not AutoML's own, of which nothing is known."""
    return next((found for found in NETWORKS[task] if found.name == name), None)


def model_problem(task: Task, name: str, *, allow_no_onnx: bool = False) -> str | None:
    """Return what is wrong with a model's name for a task, None where nothing is."""
    if network(task, name):
        return None
    homes = [other for other in TASKS if network(other, name)]
    if homes:
        return f"{name} is a model for {homes[0]}; {task} has {_listed(task)}"
    close = nearest(name, (known.name for known in NETWORKS[task]), cutoff=0.75)
    if close:
        return f"no such model: {name}; did you mean {close}?"
    if allow_no_onnx:
        return None
    return (
        f"{name} gives no ONNX (models of HuggingFace and MMDetection do not), so no bundle can be made of it; take "
        f"{_listed(task)}, or pass --allow-no-onnx"
    )


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known name that a misspelt one is closest to."""
    return next(iter(difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=cutoff)), None)


def _listed(task: Task) -> str:
    return ", ".join(known.name for known in NETWORKS[task])
