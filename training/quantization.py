"""Smaller and faster graphs: fp16, and int8 by static quantisation (QDQ: every quantised value stands between nodes).

Weights get seven bits, per output channel, and activations eight, from zero up where nothing is below it. Seven, not
eight: processors without VNNI add products in pairs of 16 bits, which eight bits overflow, and the same graph would
then answer otherwise on another device (docs/decisions/0027-seven-bit-weights.md).
"""

import io
import tempfile
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import ModelProto
from onnx.shape_inference import infer_shapes_path
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.quant_utils import add_pre_process_metadata
from onnxruntime.transformers.float16 import convert_float_to_float16

from training.errors import ExportError
from training.graph_edit import name_nodes, read_graph, write_graph

Precision = Literal["fp32", "fp16", "int8"]
Method = Literal["minmax", "entropy", "percentile"]
"""How the range of an activation follows from what calibration pictures give: all of it, or less with finer steps."""

WEIGHTED = ("Conv", "Gemm", "MatMul")
AROUND = ("Add", "AveragePool", "Clip", "Concat", "GlobalAveragePool", "MaxPool", "Relu")
"""What is quantised beside layers with weights, so that a value need not become a float between two of them."""
TRANSFORMER = ("Erf", "Gelu", "LayerNormalization")
"""What tells a transformer: the sums between its layers have outliers, which eight bits cannot hold."""
PERCENTILE = 99.99
_METHODS: Mapping[Method, CalibrationMethod] = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}
_ERRORS = (  # what onnxruntime's compiled part raises, and what its Python code raises for a graph it does not know
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
    AssertionError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


def precision_of(model: ModelProto) -> Precision:
    """Return what a graph computes in: int8 where values are quantised, fp16 where weights are of that type."""
    if any(node.op_type in ("QuantizeLinear", "DequantizeLinear", "QLinearConv") for node in model.graph.node):
        return "int8"
    return "fp16" if any(one.data_type == one.FLOAT16 for one in model.graph.initializer) else "fp32"


def write_fp16(source: Path, to: Path) -> None:
    """Write a graph with weights and computation in fp16; what goes in and comes out stays float32.

    Raises:
        ExportError: it cannot be read, turned or written.
    """
    with warnings.catch_warnings(), _told("turn the graph into fp16"):
        warnings.simplefilter("ignore")  # of each value that is too small or large; the accuracy is measured
        turned = convert_float_to_float16(read_graph(source), keep_io_types=True)
    write_graph(turned, to)


@dataclass(frozen=True, slots=True)
class Quantizable:
    """A graph that is ready to be quantised, and what calibrates it.

    ``batches`` are inputs float32 [batch, 3, height, width], of the size that the graph takes. ``weighted`` names the
    nodes with weights, ``never`` those that stay float in any case.
    """

    path: Path
    input: str
    batches: tuple[NDArray[np.float32], ...]
    method: Method
    weighted: tuple[str, ...]
    never: tuple[str, ...]
    types: tuple[str, ...]


def make_ready(source: Path, inputs: NDArray[np.float32], folder: Path, *, method: Method, batch: int) -> Quantizable:
    """Fold what is constant, infer shapes, name all nodes, and find out what can be quantised.

    ``inputs`` float32 [n, 3, height, width] are pictures as the edge prepares them; ``batch`` is how many the graph
    takes at once.

    Raises:
        ExportError: it cannot be read, or has no layer that can be quantised.
    """
    ready = folder / "ready.onnx"
    read_graph(source)
    with _told("prepare the graph for quantisation"):
        _fold(source, ready)
        infer_shapes_path(str(ready), str(ready))
    model = read_graph(ready)
    add_pre_process_metadata(model)
    name_nodes(model)
    write_graph(model, ready)
    weighted = tuple(node.name for node in model.graph.node if _has_weights(node, model))
    if not weighted:
        raise ExportError(
            f"{source}: has no convolution and no matrix product with weights; there is nothing to quantise"
        )
    never = _before_layers(model, weighted)
    transformer = any(node.op_type in TRANSFORMER for node in model.graph.node)
    return Quantizable(
        path=ready,
        input=model.graph.input[0].name,
        batches=tuple(_batches(inputs, batch)),
        method=method,
        weighted=tuple(name for name in weighted if name not in never),
        never=never,
        types=WEIGHTED if transformer else (*WEIGHTED, *AROUND),
    )


def _fold(source: Path, to: Path) -> None:
    """Write a graph with what is constant computed, and norms folded into the layers before them."""
    options = _quiet()
    options.optimized_model_filepath = str(to)
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


def _quiet() -> ort.SessionOptions:
    """Return options of a session that raises what goes wrong, and need not also print it."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    return options


def write_int8(graph: Quantizable, to: Path, *, in_float: Collection[str] = (), only: str | None = None) -> None:
    """Write the graph quantised, but for the nodes named ``in_float``; or of all nodes with weights ``only`` one.

    Raises:
        ExportError: onnxruntime cannot quantise it, or it cannot be written.
    """
    skipped = set(graph.weighted) - {only} if only else set(in_float)
    with tempfile.TemporaryDirectory(prefix="int8-") as folder, _told("quantise the graph"):
        written = Path(folder) / "int8.onnx"
        with redirect_stdout(io.StringIO()):  # onnxruntime prints how far its histograms are
            quantize_static(
                str(graph.path),
                str(written),
                _Reader(graph.input, graph.batches),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(WEIGHTED if only else graph.types),
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=sorted({*skipped, *graph.never}),
                calibrate_method=_METHODS[graph.method],
                extra_options=_options(graph.method),
            )
        model = read_graph(written)
    write_graph(model, to)


def run_literally(path: Path, inputs: NDArray[np.float32], *, batch: int) -> NDArray[np.float32]:
    """Return the outputs [n, classes] of a graph whose every node runs as it is written, none fused into another.

    So a quantised graph computes in floats that are rounded where it says, as a device without integer kernels does.
    """
    options = _quiet()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    with _told("run the graph node by node"):
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        outputs = [session.run(None, {name: one})[0] for one in _batches(inputs, batch)]
    return np.asarray(np.concatenate(outputs)[: len(inputs)], np.float32)


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime publishes no types
    """Hands onnxruntime the inputs to calibrate with; of histograms it asks for one after the other."""

    def __init__(self, name: str, batches: Sequence[NDArray[np.float32]]) -> None:
        self._name, self._batches = name, batches
        self._left: Iterator[NDArray[np.float32]] = iter(batches)

    def __len__(self) -> int:
        return len(self._batches)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Go on with these."""
        self._left = iter(self._batches[start_index:end_index])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next input by its name, None after the last."""
        batch = next(self._left, None)
        return None if batch is None else {self._name: batch}


def _options(method: Method) -> dict[str, Any]:
    """Return what onnxruntime is told beside; histograms are made one batch after the other, to need little memory."""
    told: dict[str, Any] = {"ActivationSymmetric": False, "MatMulConstBOnly": True}
    if method != "minmax":
        told["CalibStridedMinMax"] = 1
    return told | ({"CalibPercentile": PERCENTILE} if method == "percentile" else {})


def _batches(inputs: NDArray[np.float32], size: int) -> Iterator[NDArray[np.float32]]:
    """Yield inputs ``size`` at a time; the last one fills the last batch up."""
    for start in range(0, len(inputs), size):
        part = inputs[start : start + size]
        yield np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)])


def _has_weights(node: Any, model: ModelProto) -> bool:
    constants = {one.name for one in model.graph.initializer}
    return node.op_type in WEIGHTED and len(node.input) > 1 and node.input[1] in constants


def _before_layers(model: ModelProto, weighted: Collection[str]) -> tuple[str, ...]:
    """Return the nodes that come before any layer: what is done to the picture itself stays exact.

    Where there are convolutions they are the first layers; products before them only take means of the picture.
    """
    first = {node.name for node in model.graph.node if node.op_type == "Conv"} or set(weighted)
    after: set[str] = set()
    before = []
    for node in model.graph.node:  # in the order of computation, as ONNX demands
        if node.name in first or after.intersection(node.input):
            after.update(node.output)
        else:
            before.append(node.name)
    return tuple(before)


@contextmanager
def _told(work: str) -> Iterator[None]:
    """Turn what onnxruntime raises into one line."""
    try:
        yield
    except OSError as exc:
        raise ExportError(f"cannot {work} ({exc.strerror or exc})") from exc
    except _ERRORS as exc:
        reason = next(iter(str(exc).strip().splitlines()), type(exc).__name__)
        raise ExportError(f"onnxruntime {ort.__version__} cannot {work} ({reason})") from exc
