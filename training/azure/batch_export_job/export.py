"""Exports a detection or segmentation model of AutoML's as ONNX for a fixed number of pictures.

Runs alone in an Azure job, in the environment that the model was trained in (Python 3.8 or newer, PyTorch, AutoML's own
package): it imports nothing of this project. AutoML's package rebuilds the network of a checkpoint; what is exported,
and under which names, is decided here: the input has fixed sizes, so that onnxruntime refuses any other number of
pictures, and the outputs of picture ``i`` end with ``_i``.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OPSET = 11
"""That of AutoML's own exports."""
LOADER = "azureml.automl.dnn.vision.common.model_export_utils"
OUTPUTS = {
    "fasterrcnn": ("boxes", "labels", "scores"),
    "retinanet": ("boxes", "scores", "labels"),
    "maskrcnn": ("boxes", "labels", "scores", "masks"),
    "yolov5": ("output",),
}
"""In the order in which the networks give them."""
RCNN_SETTINGS = ("min_size", "max_size", "box_score_thresh", "nms_iou_thresh", "box_detections_per_img")
YOLO_SETTINGS = ("img_size", "model_size", "box_score_thresh", "nms_iou_thresh")


@dataclass(frozen=True)
class Order:
    """What to export: the checkpoint, and the batch as ``images`` pictures of ``height`` x ``width`` pixels."""

    checkpoint: Path
    model_name: str
    task_type: str
    images: int
    height: int
    width: int
    settings: dict[str, Any]
    into: Path

    @property
    def family(self) -> str:
        """The family of the network."""
        return family_of(self.model_name)

    @property
    def target(self) -> Path:
        """The file to write."""
        return self.into / f"model_{self.images}.onnx"


def family_of(model_name: str) -> str:
    """Return the family of a network's name. Raises ValueError."""
    for family in OUTPUTS:
        if model_name.startswith(family):
            return family
    raise ValueError(f"{model_name} is of none of the families {', '.join(OUTPUTS)}")


def parse(arguments: Sequence[str]) -> Order:
    """Return the order of a command line; ends the process with 2 for one that makes no sense."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True, help="AutoML's model.pt")
    parser.add_argument("--model_name", required=True)
    parser.add_argument("--task_type", required=True)
    parser.add_argument("--batch_size", type=int, required=True)
    parser.add_argument("--height_onnx", type=int, required=True)
    parser.add_argument("--width_onnx", type=int, required=True)
    parser.add_argument("--output", type=Path, default=Path("outputs"))
    for name in ("min_size", "max_size", "box_detections_per_img", "img_size"):
        parser.add_argument(f"--{name}", type=int)
    for name in ("box_score_thresh", "nms_iou_thresh"):
        parser.add_argument(f"--{name}", type=float)
    parser.add_argument("--model_size")
    found = parser.parse_args(arguments)
    try:
        family = family_of(found.model_name)
    except ValueError as error:
        parser.error(str(error))
    if found.batch_size < 2:
        parser.error("--batch_size must be 2 or more: AutoML's own export takes one picture")
    known = YOLO_SETTINGS if family == "yolov5" else RCNN_SETTINGS
    return Order(
        checkpoint=found.checkpoint,
        model_name=found.model_name,
        task_type=found.task_type,
        images=found.batch_size,
        height=found.height_onnx,
        width=found.width_onnx,
        settings={name: getattr(found, name) for name in known if getattr(found, name) is not None},
        into=found.output,
    )


def output_names(family: str, images: int) -> list[str]:
    """Return the outputs' names, in the order in which the network gives them."""
    names = OUTPUTS[family]
    return list(names) if family == "yolov5" else [f"{name}_{image}" for image in range(images) for name in names]


def free_axes(family: str, names: Sequence[str]) -> dict[str, dict[int, str]]:
    """Return the axes whose length changes from picture to picture: how many things were found."""
    return {} if family == "yolov5" else {name: {0: "prediction"} for name in names}


def load_network(order: Order) -> Any:
    """Return the network of the checkpoint, ready to be exported."""
    wrapper = importlib.import_module(LOADER).load_model(order.task_type, str(order.checkpoint), **order.settings)
    if order.family != "yolov5":
        wrapper.disable_model_transform()  # pictures come prepared: see the bundle's preprocessing
    return wrapper.model


def write_graph(network: Any, order: Order) -> None:
    """Export a network for the order's batch."""
    import torch  # noqa: PLC0415 - only where the job runs, and in the tests of this function

    network.eval().to("cpu")
    names = output_names(order.family, order.images)
    order.into.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {}
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        options["dynamo"] = False  # detection networks branch on what they see, which only the older exporter takes
    with torch.no_grad():
        torch.onnx.export(
            network,
            (torch.rand(order.images, 3, order.height, order.width),),
            str(order.target),
            opset_version=OPSET,
            input_names=["input"],
            output_names=names,
            dynamic_axes=free_axes(order.family, names),
            **options,
        )


def check_written(order: Order) -> None:
    """Raise ValueError unless the file is a graph with the promised outputs."""
    import onnx  # noqa: PLC0415 - as torch

    model = onnx.load(str(order.target))
    onnx.checker.check_model(model)
    found, wanted = [output.name for output in model.graph.output], output_names(order.family, order.images)
    if found[: len(wanted)] != wanted:
        raise ValueError(f"the graph's outputs are {found}, {wanted} expected")


def main(arguments: Sequence[str]) -> None:
    """Do what a command line says."""
    order = parse(arguments)
    write_graph(load_network(order), order)
    check_written(order)
    sys.stdout.write(f"{order.target}: {order.images} pictures of {order.width} x {order.height}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
