"""From graph, settings and a person's word to what a manifest says about input and output. Pure.

Facts about AutoML's exports: ``enable_onnx_normalization`` puts mean and deviation into the graph, which then takes
0..255; ``seresnext`` is always trained with 256/224, whatever the settings say; multi-class and multi-label graphs look
the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from edge.artifacts.boxes import Batch, box_parts, box_task
from edge.artifacts.options import ImportOptions
from edge.artifacts.settings import MAX_SIDE, normalised_inside, pixels
from edge.bundle import (
    CLASSIFICATION_TASKS,
    AnyPreprocessing,
    Family,
    Graph,
    GraphTensor,
    Postprocessing,
    Preprocessing,
    Task,
    TensorInput,
)
from edge.errors import ConfigError, ModelInvalidError, ModelUnsupportedError

RESIZE, CROP = 256, 224
"""AutoML's defaults, in pixels."""
RESIZE_KEYS = ("valid_resize_size", "resize_size")
CROP_KEYS = ("valid_crop_size", "crop_size")
"""Names in settings.json, present and of the early preview."""
FIXED_SIZES = ("seresnext",)
"""Networks that are trained with the default sizes whatever is asked for."""


@dataclass(frozen=True, slots=True)
class Contract:
    """What a manifest says about the model's input and output."""

    task: Task
    family: Family
    input: TensorInput
    preprocessing: AnyPreprocessing
    postprocessing: Postprocessing
    batch: Batch


def describe(graph: Graph, settings: Mapping[str, Any], mlmodel: Mapping[str, str], options: ImportOptions) -> Contract:
    """Return the contract of a classification graph; with ``any_task`` that of a detection or segmentation graph too.

    Raises ConfigError where a person must say more or contradicts the files, ModelInvalidError where the files
    contradict each other, ModelUnsupportedError for what this version does not run.
    """
    family = _family(graph, options)
    if family != "classification":
        task = box_task(family, settings, mlmodel, options.task)
        return Contract(task, family, *box_parts(graph, settings, options, family))
    task = _task(settings, mlmodel, options.task)
    entry = graph.inputs[0]
    preprocessing = _preprocessing(entry, settings, mlmodel, options)
    crop = preprocessing.crop
    batch = entry.shape[0]
    return Contract(
        task=task,
        family=family,
        input=TensorInput(
            name=entry.name,
            shape=(batch if isinstance(batch, int) else "batch", 3, crop, crop),
            colour=options.colour or "rgb",
            range=options.range or ("0-255" if normalised_inside(settings) else "imagenet"),
        ),
        preprocessing=preprocessing,
        postprocessing=_postprocessing(options.threshold),
        batch="dynamic" if not isinstance(batch, int) else "single" if batch == 1 else batch,
    )


def family_of(graph: Graph) -> Family | None:
    """Return the family that a graph's names and ranks show, None for a stranger.

    The exporters name the outputs of detection models; Faster R-CNN and RetinaNet differ in their order.
    """
    names = [output.name.rstrip("0123456789").rstrip("_") for output in graph.outputs]
    if "masks" in names:
        return "maskrcnn"
    if {"boxes", "labels", "scores"} <= set(names):
        return "fasterrcnn" if names.index("labels") < names.index("scores") else "retinanet"
    ranks = [len(output.shape) for output in graph.outputs]
    if names and names[0] == "output" and ranks[0] == 3:
        return "yolov5"
    if len(graph.inputs) == 1 and len(graph.inputs[0].shape) == 4 and ranks == [2]:
        return "classification"
    return None


def _family(graph: Graph, options: ImportOptions) -> Family:
    found, said = family_of(graph), options.family
    if found is None:
        raise ModelUnsupportedError(
            f"the graph is of no family that AutoML for Images exports: inputs {_tensors(graph.inputs)}, "
            f"outputs {_tensors(graph.outputs)}"
        )
    if said not in (None, found):
        raise ConfigError(f"--family {said} was given, but the graph is of the family {found}")
    if found != "classification" and not options.any_task:
        raise ModelUnsupportedError(
            f"the graph is of the family {found} (detection or segmentation); this version runs classification"
        )
    return found


def _tensors(tensors: tuple[GraphTensor, ...]) -> str:
    return ", ".join(f"{tensor.name} {list(tensor.shape)}" for tensor in tensors) or "none"


def _task(settings: Mapping[str, Any], mlmodel: Mapping[str, str], said: Task | None) -> Task:
    known: tuple[Task, ...] = get_args(Task)
    found = next((task for task in known if task in (mlmodel.get("finetuning_task"), settings.get("task_type"))), None)
    if said is not None and found not in (None, said):
        raise ConfigError(f"--task {said} was given, but AutoML's files say {found}: leave --task out, or correct it")
    task = said or found
    if task is None:
        raise ConfigError(
            "a multi-class and a multi-label model cannot be told apart by the graph: pass --task image-classification "
            "(one class a picture) or --task image-classification-multilabel (any number of classes a picture)"
        )
    if task not in CLASSIFICATION_TASKS:
        raise ModelUnsupportedError(f"the model is for {task}; this version runs {' and '.join(CLASSIFICATION_TASKS)}")
    return task


def _preprocessing(
    entry: GraphTensor, settings: Mapping[str, Any], mlmodel: Mapping[str, str], options: ImportOptions
) -> Preprocessing:
    fixed = (settings.get("model_name") or mlmodel.get("base_model_name")) in FIXED_SIZES
    set_crop = CROP if fixed else pixels(settings, CROP_KEYS)
    set_resize = RESIZE if fixed else pixels(settings, RESIZE_KEYS)
    if options.crop is not None and set_crop not in (None, options.crop):
        set_resize = None  # the settings are of another model
    crop = options.crop if options.crop is not None else _crop(entry, set_crop)
    _check_crop(entry, crop)
    resize = options.resize if options.resize is not None else set_resize or (RESIZE if crop == CROP else None)
    if resize is None:
        raise ConfigError(
            f"the graph takes {crop} x {crop} pixels; to what side pictures are resized before the crop stands in "
            "settings.json (valid_resize_size): put it beside model.onnx, or pass --resize"
        )
    if not (1 <= resize <= MAX_SIDE and 1 <= crop <= MAX_SIDE):
        raise ConfigError(f"--resize {resize} and --crop {crop} must be pixels between 1 and {MAX_SIDE}")
    if options.rule == "square" and resize < crop:
        raise ConfigError(f"--rule square needs a resize of at least the crop, not {resize} and {crop}")
    return Preprocessing(rule=options.rule or "shorter-side", resize=resize, crop=crop)


def _crop(entry: GraphTensor, set_crop: int | None) -> int:
    """Return the crop that the settings say and the graph confirms, or else the graph's."""
    height = entry.shape[2]
    taken = height if isinstance(height, int) else None
    if set_crop is not None and taken not in (None, set_crop):
        raise ModelInvalidError(
            f"settings.json says a crop of {set_crop} pixels, but the graph takes {_sides(entry)}: they belong to two "
            f"models. Give the settings.json of this model, or pass --crop {taken} and --resize"
        )
    return set_crop or taken or CROP


def _check_crop(entry: GraphTensor, crop: int) -> None:
    sides = [side for side in entry.shape[2:] if isinstance(side, int)]
    if any(side != sides[0] for side in sides):
        raise ModelInvalidError(f"the graph takes {_sides(entry)} pixels; classification crops to a square")
    if any(side != crop for side in sides):
        raise ConfigError(f"--crop {crop} was given, but the graph takes {_sides(entry)}: leave --crop out")


def _sides(entry: GraphTensor) -> str:
    return " x ".join(str(side) for side in entry.shape[2:])


def _postprocessing(threshold: float | None) -> Postprocessing:
    if threshold is None:
        return Postprocessing()
    if not 0 <= threshold <= 1:
        raise ConfigError(f"--threshold {threshold:g} must lie between 0 and 1")
    return Postprocessing(threshold=threshold)
