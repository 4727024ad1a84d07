"""Bundles that hold together and hurt who loads them: for proofs that a running model outlives them."""

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from tests.fakes import GraphOptions, rehash, write_graph

CRASHES_HERE = platform.machine() in ("x86_64", "AMD64")
"""Whether :func:`make_crashing` crashes: the processor must trap an integer division that overflows."""
SLOW = 3_000_000
"""``GraphOptions.slowness`` of a graph whose warm-up takes longer than anybody waits."""


def make_crashing(folder: Path) -> Path:
    """Make loading the bundle end the process by SIGFPE.

    onnxruntime folds constants while it loads a graph; the smallest integer divided by -1 overflows, which x86 traps.
    """
    smallest, minus_one = np.array([-(2**31)], np.int32), np.array([-1], np.int32)
    nodes = [helper.make_node("Div", ["smallest", "minus_one"], ["overflow"])]
    return _poison(folder, nodes, {"smallest": smallest, "minus_one": minus_one}, "overflow")


def make_hungry(folder: Path, *, gib: int) -> Path:
    """Make each run of the graph fill ``gib`` GiB of memory."""
    shape = np.array([gib, 1 << 28], np.int64)
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros"], ["much"], keepdims=0),
    ]
    return _poison(folder, nodes, {"shape": shape}, "much")


def make_slow(folder: Path) -> Path:
    """Make each run of the graph last for minutes."""
    write_graph(folder / "model.onnx", GraphOptions(slowness=SLOW))
    rehash(folder)
    return folder


def _poison(folder: Path, nodes: Sequence[Any], constants: dict[str, NDArray[Any]], product: str) -> Path:
    """Add to the logits what ``nodes`` make, and make the manifest's hashes fit."""
    path = folder / "model.onnx"
    model = onnx.load(path)
    graph = model.graph
    last = graph.node.pop()  # the Identity that names the output
    graph.node.extend(nodes)
    graph.node.append(helper.make_node("Cast", [product], ["poison"], to=onnx.TensorProto.FLOAT))
    graph.node.append(helper.make_node("Add", [last.input[0], "poison"], list(last.output)))
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    path.write_bytes(model.SerializeToString())
    rehash(folder)
    return folder
