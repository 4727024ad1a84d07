"""Every hyperparameter of AutoML for images: its type, its range, its default, and for what it counts.

Names, ranges and defaults follow Azure's reference of hyperparameters for computer vision tasks. The SDK checks almost
none of this: what is wrong shows on the cluster, after it has started and been paid for.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from edge.bundle import Task
from training.dataset.annotations import DETECTION, MULTICLASS, MULTILABEL, SEGMENTATION, TASKS
from training.image_models import BOXES, CLASSIFYING, Family, Network

Value = int | float | bool | str
Kind = Literal["whole", "number", "switch", "text"]
KINDS: Mapping[Kind, str] = {
    "whole": "a whole number",
    "number": "a number",
    "switch": "true or false",
    "text": "a text",
}


class Allowed(Protocol):
    """What values are allowed; as a text, in words."""

    def allows(self, value: Any) -> bool:
        """Tell whether a value of the right type is."""
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values."""

    values: tuple[str | int, ...]

    def __str__(self) -> str:
        return "one of " + ", ".join(map(str, self.values))

    def allows(self, value: Any) -> bool:
        """Tell whether the value is among them."""
        return value in self.values


@dataclass(frozen=True, slots=True)
class Range:
    """A number from `low` to `high`, both allowed unless `above_low`."""

    low: float
    high: float = float("inf")
    above_low: bool = False

    def __str__(self) -> str:
        low = f"above {self.low:g}" if self.above_low else f"at least {_plain(self.low)}"
        return low if self.high == float("inf") else f"{low} and at most {_plain(self.high)}"

    def allows(self, value: Any) -> bool:
        """Tell whether the value is a number within."""
        if isinstance(value, str):
            return False
        return bool(self.low <= value <= self.high and not (self.above_low and value == self.low))


def _plain(number: float) -> str:
    """Return a number as it is read, whole ones without an exponent."""
    return str(int(number)) if float(number).is_integer() else f"{number:g}"


@dataclass(frozen=True, slots=True)
class Form:
    """A text of a certain form, said in words."""

    pattern: str
    words: str

    def __str__(self) -> str:
        return self.words

    def allows(self, value: Any) -> bool:
        """Tell whether the whole text has the form."""
        return re.fullmatch(self.pattern, value) is not None


@dataclass(frozen=True, slots=True)
class JsonObject:
    """A text that is a JSON object."""

    def __str__(self) -> str:
        return "a JSON object, as '{\"apply_mosaic_for_yolo\": false}'"

    def allows(self, value: Any) -> bool:
        """Tell whether the text can be read as one."""
        try:
            return isinstance(json.loads(value), dict)
        except ValueError:
            return False


SWITCH = Choice((0, 1))
SHARE = Range(0, 1)
COUNT = Range(1)
FROM_ZERO = Range(0)
"""Also for what Azure's reference calls positive, where its own samples take 0: layers to freeze, epochs to warm up."""
Defaults = Mapping[str, Value]
"""By task, family or model's name; under an empty name what holds else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A hyperparameter.

    ``tasks`` and ``families`` are those for which it counts (no family: all). ``needs`` names another one, and the
    values of it with which this one counts (none: any). ``swept`` tells whether the SDK takes it in a search space.
    """

    name: str
    kind: Kind
    allowed: Allowed
    defaults: Defaults = field(default_factory=dict)
    tasks: frozenset[Task] = frozenset(TASKS)
    families: frozenset[Family] = frozenset()
    not_families: frozenset[Family] = frozenset()
    needs: tuple[str, tuple[Value, ...]] | None = None
    swept: bool = True

    def problem(self, value: object) -> str | None:
        """Return what is wrong with a value, None where nothing is."""
        if self.kind == "switch" and isinstance(value, bool):
            return None
        if _is_of(self.kind, value) and self.allowed.allows(value):
            return None
        words = KINDS[self.kind] if self.kind == "switch" else _words(self.kind, self.allowed)
        return f"must be {words}, got {_shown(value)}"

    def default(self, task: Task, model: Network) -> Value | None:
        """Return AutoML's default for a model, None where there is none."""
        for key in (f"{task}/{model.name}", model.name, model.family, task, ""):
            if key in self.defaults:
                return self.defaults[key]
        return None

    def counts_for(self, task: Task, model: Network | None) -> bool:
        """Tell whether it does something for a model; of a model that is not AutoML's own nothing is known."""
        if task not in self.tasks or model is None:
            return task in self.tasks
        wanted = not self.families or model.family in self.families
        return wanted and model.family not in self.not_families


def _words(kind: Kind, allowed: Allowed) -> str:
    return str(allowed) if kind == "text" else f"{KINDS[kind]}, {allowed}"


def _is_of(kind: Kind, value: object) -> bool:
    if kind == "text":
        return isinstance(value, str)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    return kind == "number" or isinstance(value, int)


def _shown(value: object) -> str:
    return cut(json.dumps(value) if isinstance(value, bool | str) else repr(value))


def cut(text: str) -> str:
    """Return a text that somebody wrote as a message repeats it: not all of it where it is long."""
    return text if len(text) <= 60 else f"{text[:57]}…"


def known(task: Task) -> Iterator[Parameter]:
    """Yield the hyperparameters of a task."""
    return (parameter for parameter in PARAMETERS if task in parameter.tasks)


def parameter(name: str) -> Parameter | None:
    """Return a hyperparameter by its name."""
    return next((found for found in PARAMETERS if found.name == name), None)


def as_sent(name: str, value: Value) -> Value:
    """Return a value as the SDK wants it: switches as booleans, though AutoML's reference writes 0 and 1."""
    found = parameter(name)
    return bool(value) if found is not None and found.kind == "switch" else value


_YOLO: frozenset[Family] = frozenset(("yolov5",))
_BATCH = {"": 78, "vits16r224": 128, "vitb16r224": 48, "vitl16r224": 10}
_SGD = ("optimizer", ("sgd",))
_ADAM = ("optimizer", ("adam", "adamw"))
_STEP = ("learning_rate_scheduler", ("step",))
_COSINE = ("learning_rate_scheduler", ("warmup_cosine",))
_STOPPING = ("early_stopping", (True, 1))
_TILED = ("tile_grid_size", ())


def _whole(name: str, default: Value | Defaults | None = None, allowed: Allowed = COUNT, **rest: Any) -> Parameter:
    return _made(name, "whole", allowed, default, rest)


def _number(name: str, default: Value | Defaults | None = None, allowed: Allowed = SHARE, **rest: Any) -> Parameter:
    return _made(name, "number", allowed, default, rest)


def _switch(name: str, default: Value | None = None, **rest: Any) -> Parameter:
    return _made(name, "switch", SWITCH, default, rest)


def _text(name: str, default: Value | None, allowed: Allowed, **rest: Any) -> Parameter:
    return _made(name, "text", allowed, default, rest)


def _made(name: str, kind: Kind, allowed: Allowed, default: Any, rest: Mapping[str, Any]) -> Parameter:
    defaults = default if isinstance(default, dict) else {} if default is None else {"": default}
    return Parameter(name=name, kind=kind, allowed=allowed, defaults=defaults, **rest)


PARAMETERS: tuple[Parameter, ...] = (
    _whole("number_of_epochs", {"": 15, "yolov5": 30}),
    _whole("training_batch_size", {**_BATCH, DETECTION: 2, SEGMENTATION: 2, "yolov5": 16}),
    _whole("validation_batch_size", {**_BATCH, DETECTION: 1, SEGMENTATION: 1, "yolov5": 16}),
    _whole("gradient_accumulation_step", 1),
    _switch("early_stopping", default=True),
    _whole("early_stopping_patience", 5, needs=_STOPPING),
    _whole("early_stopping_delay", 5, needs=_STOPPING),
    _number(
        "learning_rate",
        {
            MULTICLASS: 0.01,
            f"{MULTICLASS}/vits16r224": 0.0125,
            f"{MULTICLASS}/vitb16r224": 0.0125,
            f"{MULTICLASS}/vitl16r224": 0.001,
            MULTILABEL: 0.035,
            f"{MULTILABEL}/vits16r224": 0.025,
            f"{MULTILABEL}/vitb16r224": 0.025,
            f"{MULTILABEL}/vitl16r224": 0.002,
            DETECTION: 0.005,
            SEGMENTATION: 0.005,
            "yolov5": 0.01,
        },
        Range(0, 1, above_low=True),
    ),
    _text("learning_rate_scheduler", "warmup_cosine", Choice(("warmup_cosine", "step"))),
    _number("step_lr_gamma", 0.5, needs=_STEP),
    _whole("step_lr_step_size", 5, needs=_STEP),
    _number("warmup_cosine_lr_cycles", 0.45, needs=_COSINE),
    _whole("warmup_cosine_lr_warmup_epochs", 2, FROM_ZERO, needs=_COSINE),
    _text("optimizer", "sgd", Choice(("sgd", "adam", "adamw"))),
    _number("momentum", 0.9, needs=_SGD),
    _switch("nesterov", default=True, needs=_SGD),
    _number("weight_decay", 1e-4),
    _number("beta1", 0.9, needs=_ADAM),
    _number("beta2", 0.999, needs=_ADAM),
    _switch("ams_gradient", default=False, needs=_ADAM),
    _whole("evaluation_frequency", 1),
    _whole("checkpoint_frequency", swept=False),
    _text("checkpoint_run_id", None, Form(r"[A-Za-z0-9][\w-]*", "the name of a trial"), swept=False),
    _whole("layers_to_freeze", None, FROM_ZERO),
    _switch("distributed"),
    _whole("number_of_workers", {"": 8, DETECTION: 4, SEGMENTATION: 4}, FROM_ZERO),
    _whole("random_seed", None, FROM_ZERO),
    _switch("enable_onnx_normalization", default=False),
    _text("advanced_settings", None, JsonObject(), swept=False),
    _whole("weighted_loss", 0, Choice((0, 1, 2)), tasks=CLASSIFYING),
    _whole("validation_resize_size", 256, tasks=CLASSIFYING, not_families=frozenset(("seresnext",))),
    _whole("validation_crop_size", 224, tasks=CLASSIFYING, not_families=frozenset(("seresnext",))),
    _whole("training_crop_size", 224, tasks=CLASSIFYING, not_families=frozenset(("seresnext",))),
    _text("validation_metric_type", "voc", Choice(("none", "coco", "voc", "coco_voc")), tasks=BOXES),
    _number("validation_iou_threshold", 0.5, Range(0.1, 1), tasks=BOXES),
    _whole("min_size", 600, tasks=BOXES, not_families=_YOLO),
    _whole("max_size", 1333, tasks=BOXES, not_families=_YOLO),
    _number("box_score_threshold", {"": 0.3, "yolov5": 0.1}, tasks=BOXES),
    _number("nms_iou_threshold", 0.5, tasks=BOXES),
    _whole("box_detections_per_image", 100, tasks=BOXES, not_families=_YOLO),
    _whole("image_size", 640, tasks=frozenset((DETECTION,)), families=_YOLO),
    _text(
        "model_size",
        "medium",
        Choice(("small", "medium", "large", "extra_large")),
        tasks=frozenset((DETECTION,)),
        families=_YOLO,
    ),
    _switch("multi_scale", default=False, tasks=frozenset((DETECTION,)), families=_YOLO),
    _text(
        "tile_grid_size", None, Form(r"[1-9]\d*x[1-9]\d*", "a grid of tiles, as '3x2'"), tasks=frozenset((DETECTION,))
    ),
    _number("tile_overlap_ratio", 0.25, Range(0, 0.9999), tasks=frozenset((DETECTION,)), needs=_TILED),
    _number("tile_predictions_nms_threshold", 0.25, tasks=frozenset((DETECTION,)), needs=_TILED),
    _text("log_training_metrics", "disable", Choice(("enable", "disable")), tasks=BOXES, swept=False),
    _text("log_validation_loss", "enable", Choice(("enable", "disable")), tasks=BOXES, swept=False),
)
LAYERS: Mapping[Family, int] = {
    "resnet": 5,
    "mobilenetv2": 19,
    "seresnext": 5,
    "vit": 13,
    "yolov5": 10,
    "fasterrcnn": 5,
    "retinanet": 5,
    "maskrcnn": 5,
}
"""How many layers ``layers_to_freeze`` can count, as far as Azure's reference says."""
