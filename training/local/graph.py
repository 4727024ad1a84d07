"""Writes a trained network as an ONNX graph after AutoML's contract for classification, and proves it equal.

Input `input1` float32 ['batch',3,S,S], output `output1` float32 ['batch',classes]: raw logits. BatchNorm is folded into
the convolutions.
"""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.errors import ExportError

INPUT_NAME = "input1"
OUTPUT_NAME = "output1"
OPSET = 17
LARGEST_DIFFERENCE = 1e-4

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def write_graph(network: nn.Module, side: int, path: Path) -> None:
    """Write the network, which must be in eval mode, for inputs of `side` pixels; the batch axis stays free.

    Raises:
        ExportError: a network that ONNX cannot say, or one of more than 2 GB.
        OSError: the file cannot be written.
    """
    batch = {0: "batch"}
    with warnings.catch_warnings():
        # the newer exporter needs onnxscript; this one writes the same graph and needs nothing more
        warnings.simplefilter("ignore", DeprecationWarning)
        # a graph's sides are fixed, so what a network computes of them is rightly a constant
        warnings.filterwarnings("ignore", "Converting a tensor to a Python integer")
        try:
            torch.onnx.export(
                network,
                (torch.zeros(2, 3, side, side),),
                path,
                input_names=[INPUT_NAME],
                output_names=[OUTPUT_NAME],
                dynamic_axes={INPUT_NAME: batch, OUTPUT_NAME: batch},
                opset_version=OPSET,
                dynamo=False,
            )
        except RuntimeError as exc:  # also what ONNX has no operator for, and what protobuf finds too large
            raise ExportError(f"the network cannot be written as ONNX ({_first_line(exc)})") from exc


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


@torch.no_grad()
def check_parity(network: nn.Module, run: Run, inputs: NDArray[np.float32]) -> float:
    """Return the largest difference of any logit between the network and its graph, run by `run`, on inputs [N,3,S,S].

    Raises:
        ExportError: the difference is above 1e-4 (of the largest logit, where that is above one), or the network
            gives all classes, or all of several pictures, the same logits, so that agreement would prove nothing.
    """
    expected = network(torch.from_numpy(inputs)).numpy()
    allowed = LARGEST_DIFFERENCE * max(1.0, float(np.abs(expected).max()))
    if float(np.ptp(expected)) == 0.0:
        raise ExportError("the network gives the same logit for every class: it has learnt nothing; train it longer")
    if len(inputs) > 1 and float(np.ptp(expected, axis=0).max()) <= allowed:
        raise ExportError("the network gives every picture the same logits: it has learnt nothing; train it longer")
    difference = float(np.abs(run(inputs) - expected).max())
    if not difference <= allowed:
        raise ExportError(f"the ONNX graph differs from the network by {difference:.2g}, allowed are {allowed:.2g}")
    return difference
