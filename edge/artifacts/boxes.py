"""What a manifest says about the graphs of detection and segmentation. Pure.

Facts about AutoML's exports: Faster R-CNN and RetinaNet take 800 x 600 pixels whatever was trained with, yolov5 a
square; Mask R-CNN's sides are free, so that pictures can be prepared as the cloud does. What was not exported for a
number of pictures takes one, whatever its batch axis says.
"""

from collections.abc import Mapping
from typing import Any, Literal

from edge.artifacts.options import ImportOptions
from edge.artifacts.settings import normalised_inside, pixels, share
from edge.bundle import (
    BoundedSides,
    Family,
    FixedSize,
    Graph,
    Postprocessing,
    Range,
    Task,
    TensorInput,
    images_of,
)
from edge.errors import ConfigError, ModelInvalidError, ModelUnsupportedError

WIDTH, HEIGHT = 800, 600
"""The size, in pixels, that AutoML exports Faster R-CNN and RetinaNet for."""
MIN_SIZE, MAX_SIZE, YOLO_SIZE = 600, 1333, 640
SCORES: Mapping[Family, float] = {"yolov5": 0.1}
SCORE = 0.3
"""AutoML's defaults: sides in pixels, and the least score of a box."""

Batch = Literal["dynamic", "single"] | int
BoxPreprocessing = FixedSize | BoundedSides


def box_task(family: Family, settings: Mapping[str, Any], mlmodel: Mapping[str, str], said: Task | None) -> Task:
    """Return the task, which the family decides. Raises ConfigError and ModelInvalidError where others say another."""
    task: Task = "image-instance-segmentation" if family == "maskrcnn" else "image-object-detection"
    if said not in (None, task):
        raise ConfigError(f"--task {said} was given, but the graph is of the family {family}: it is for {task}")
    found = mlmodel.get("finetuning_task") or settings.get("task_type")
    if found is not None and found != task:
        raise ModelInvalidError(f"AutoML's files say {found}, but the graph is of the family {family}: two models")
    return task


def box_parts(
    graph: Graph, settings: Mapping[str, Any], options: ImportOptions, family: Family
) -> tuple[TensorInput, BoxPreprocessing, Postprocessing, Batch]:
    """Return input, preprocessing, postprocessing and batch.

    Raises ModelInvalidError where the files contradict each other or the options, ModelUnsupportedError for a graph
    whose input a manifest cannot describe.
    """
    if options.golden is not None:
        raise ConfigError("pictures with known answers prove classification models only; this one stays unproven")
    entry = graph.inputs[0]
    if len(entry.shape) != 4:
        raise ModelInvalidError(f"the graph's input has shape {list(entry.shape)}, [batch, 3, height, width] expected")
    batch = _batch(graph, options, family)
    preprocessing = _preprocessing(graph, settings, options, family)
    free = tuple(side if isinstance(side, int) else name for side, name in zip(entry.shape, _AXES, strict=True))
    return (
        TensorInput(name=entry.name, shape=free, range=options.range or _range(settings, family)),
        preprocessing,
        Postprocessing(
            threshold=options.threshold
            if options.threshold is not None
            else share(settings, "box_score_thresh", SCORES.get(family, SCORE))
        ),
        batch,
    )


_AXES = ("batch", "channel", "height", "width")


def _range(settings: Mapping[str, Any], family: Family) -> Range:
    if not normalised_inside(settings):
        return "0-1" if family == "yolov5" else "imagenet"
    if family != "yolov5":
        raise ModelUnsupportedError(
            f"a {family} graph exported with enable_onnx_normalization divides by 255 but does not normalise: no range "
            "of a bundle describes its input; train without that setting"
        )
    return "0-255"


def _batch(graph: Graph, options: ImportOptions, family: Family) -> Batch:
    axis = graph.inputs[0].shape[0]
    told = images_of(graph) if family != "yolov5" else axis if isinstance(axis, int) else options.images
    if options.images not in (None, told or 1):
        raise ModelInvalidError(
            f"the graph was exported for {told or 1} picture(s) a batch, by the names of its outputs, "
            f"not for {options.images}"
        )
    return "single" if told in (None, 1) else told


def _preprocessing(
    graph: Graph, settings: Mapping[str, Any], options: ImportOptions, family: Family
) -> BoxPreprocessing:
    height, width = graph.inputs[0].shape[2:]
    if isinstance(height, int) and isinstance(width, int):
        found: tuple[int, int] | None = (width, height)
        if options.size not in (None, found):
            raise ModelInvalidError(f"the graph takes {width} x {height} pixels, not {options.size}")
    else:
        found = options.size
    if family == "yolov5":
        side = pixels(settings, ("img_size", "image_size")) or YOLO_SIZE
        return _letterbox(found or (side, side))
    if found is None and family == "maskrcnn" and images_of(graph) is None:
        return BoundedSides(
            rule="bounded",
            min_size=pixels(settings, ("min_size",)) or MIN_SIZE,
            max_size=pixels(settings, ("max_size",)) or MAX_SIZE,
        )
    width_px, height_px = found or (WIDTH, HEIGHT)
    return FixedSize(rule="stretch", width=width_px, height=height_px)


def _letterbox(size: tuple[int, int]) -> FixedSize:
    if size[0] != size[1]:
        raise ModelInvalidError(f"the graph takes {size[0]} x {size[1]} pixels; yolov5 takes a square")
    return FixedSize(rule="letterbox", width=size[0], height=size[1])
