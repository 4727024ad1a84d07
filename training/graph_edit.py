"""Reads, changes and writes ONNX graphs; what is written takes its place in one step."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError, EncodeError  # type: ignore[import-untyped]  # publishes no types
from onnx import ModelProto, helper, numpy_helper

from edge.durable import replace_file
from training.errors import ExportError, UsageError

MAX_BYTES = 2**31 - 1
"""The most that one ONNX file holds (a limit of protobuf); a larger graph keeps its weights in files beside it."""


def read_graph(path: Path) -> ModelProto:
    """Return a graph from its file. Raises ExportError."""
    try:
        return onnx.load(path, load_external_data=False)
    except OSError as exc:
        raise ExportError(f"{path}: cannot be read ({exc.strerror})") from exc
    except DecodeError as exc:
        raise ExportError(f"{path}: is no ONNX graph, or is cut off; copy or export it again") from exc


def write_graph(model: ModelProto, path: Path) -> None:
    """Write a graph as one file. Raises ExportError where it is too large for one, or cannot be written."""
    try:
        data = model.SerializeToString()
    except (EncodeError, ValueError) as exc:
        raise ExportError(f"{path}: the graph is larger than the 2 GB that one ONNX file holds") from exc
    try:
        replace_file(path, data)
    except OSError as exc:
        raise ExportError(f"{path}: cannot be written ({exc.strerror})") from exc


def divide_logits(model: Path, temperature: float, to: Path) -> None:
    """Write the graph in ``model`` to ``to`` with its one output divided by ``temperature`` (above 0).

    That is temperature scaling (Guo et al. 2017, arXiv:1706.04599): the order of classes stays, and the probabilities
    come nearer to how often an answer is right.

    Raises:
        UsageError: a temperature that is not a number above 0.
        ExportError: no readable graph, one with another number of outputs than one, or a target that cannot be written.
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise UsageError(f"a temperature of {temperature:g}: must be a number above 0")
    changed = read_graph(model)
    if len(changed.graph.output) != 1:
        raise ExportError(f"{model}: has {len(changed.graph.output)} outputs; one is wanted, of logits")
    name = changed.graph.output[0].name
    undivided = _unused(changed, f"{name}_undivided")
    _rename(changed, name, undivided)
    divisor = _unused(changed, "temperature")
    changed.graph.initializer.append(numpy_helper.from_array(np.array(temperature, np.float32), divisor))
    changed.graph.node.append(helper.make_node("Div", [undivided, divisor], [name], name=_unused(changed, "divided")))
    write_graph(changed, to)


def name_nodes(model: ModelProto) -> None:
    """Give each node without a name one that no other has."""
    taken = {node.name for node in model.graph.node}
    for number, node in enumerate(model.graph.node):
        if not node.name:
            node.name = next(name for name in _numbered(f"{node.op_type}_{number}", len(taken)) if name not in taken)
            taken.add(node.name)


def _rename(model: ModelProto, name: str, new: str) -> None:
    """Rename a value wherever nodes make or take it."""
    for node in model.graph.node:
        node.input[:] = [new if one == name else one for one in node.input]
        node.output[:] = [new if one == name else one for one in node.output]


def _unused(model: ModelProto, wanted: str) -> str:
    """Return a name that nothing in the graph has: the one wanted, or that with a number."""
    graph = model.graph
    taken = {name for node in graph.node for name in (node.name, *node.input, *node.output)}
    taken |= {one.name for one in (*graph.initializer, *graph.input, *graph.output, *graph.value_info)}
    return next(name for name in _numbered(wanted, len(taken)) if name not in taken)


def _numbered(wanted: str, taken: int) -> Iterator[str]:
    """Yield a name, and that with a number, more often than names are taken."""
    yield wanted
    yield from (f"{wanted}_{number}" for number in range(2, taken + 3))
