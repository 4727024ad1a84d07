"""Graphs with the interface of AutoML's detection and segmentation exports, which find the same in every picture."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge.bundle import Dimension, Family, outputs_of

KINDS = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}


def write_box_graph(
    path: Path,
    family: Family,
    *,
    images: int | None = None,
    sides: tuple[Dimension, Dimension] = (600, 800),
    axis: Dimension = "batch",
    classes: int = 3,
) -> Path:
    """Write a graph for ``images`` pictures (None: as AutoML exports it) of ``sides`` (height, width); return it."""
    found = {name: _found(name.split("_")[0], classes) for name in outputs_of(family, images)}
    if family == "yolov5":
        found |= {name: np.zeros((1, 3, 4, 4, 5 + classes), np.float32) for name in ("1013", "1034", "1055")}
    outputs = [
        helper.make_tensor_value_info(
            name,
            KINDS[value.dtype.name],
            [axis, *value.shape[1:]] if family == "yolov5" else ["prediction", *value.shape[1:]],
        )
        for name, value in found.items()
    ]
    nodes = [helper.make_node("Constant", [], [name], value=numpy_helper.from_array(v)) for name, v in found.items()]
    asked = helper.make_tensor_value_info("input", TensorProto.FLOAT, [axis, 3, *sides])
    graph = helper.make_graph(nodes, "detector", [asked], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def _found(kind: str, classes: int) -> NDArray[Any]:
    values: dict[str, NDArray[Any]] = {
        "boxes": np.array([[80, 60, 400, 300]], np.float32),
        "labels": np.array([1], np.int64),
        "scores": np.array([0.9], np.float32),
        "masks": np.ones((1, 1, 6, 8), np.float32),
        "output": np.zeros((1, 7, 5 + classes), np.float32),
    }
    return values[kind]
