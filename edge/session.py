"""onnxruntime: opens a graph on a device, proves which execution provider really runs it, warms it up, runs it.

onnxruntime lists providers that cannot work and falls back to the CPU in silence, so nothing it was asked for is
believed: the provider is read back from the loaded session, the nodes it was given are counted, and a run is timed.
"""

import logging
import os
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from edge.bundle import Graph, GraphTensor
from edge.errors import DeviceError, InferenceError, ModelInvalidError

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
CGROUP_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
}
DTYPES |= {"tensor(uint8)": "uint8", "tensor(int32)": "int32"}

Shape = tuple[int, ...]
Device = Literal["auto", "cpu", "gpu", "require-gpu"]

_LOAD_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.InvalidArgument,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
_RUN_ERRORS = (*_LOAD_ERRORS, ort_errors.EPFail)

_SOURCE_PLACE = re.compile(r"^/\S+:\d+ .*?\((?:[^()]|\([^()]*\))*\) ")
"""What onnxruntime puts before some reasons: file, line and signature of its own function."""

_log = logging.getLogger(__name__)


def usable_cores() -> int:
    """Return how many cores this process may use: its affinity mask, cut by the cgroup's quota, at least 1."""
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = CGROUP_CPU_MAX.read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, int(quota) // int(period)))


def available_providers() -> tuple[str, ...]:
    """Return the providers this build of onnxruntime contains; whether they work only a session tells."""
    return tuple(ort.get_available_providers())


def runtime_version() -> str:
    """Return the version of onnxruntime."""
    return str(ort.__version__)


@dataclass(frozen=True, slots=True)
class Truth:
    """What was found out about a loaded session.

    ``nodes`` counts the graph's nodes by the provider that got them. ``fallback`` says why the asked-for device does
    not run, None where it does. ``warmup_ms`` maps each warmed batch size to the milliseconds of its last warm-up run.
    """

    provider: str
    nodes: Mapping[str, int]
    threads: int
    fallback: str | None
    warmup_ms: Mapping[int, float]


class OnnxSession:
    """A graph on a device; fulfils :class:`edge.ports.Session`. Made by :func:`open_session`."""

    def __init__(self, narrow: ort.InferenceSession, wide: ort.InferenceSession, truth: Truth, graph: Graph) -> None:
        self._narrow = narrow
        self._wide = wide
        self.truth = truth
        self.graph = graph
        self._input = narrow.get_inputs()[0].name
        self._outputs = [narrow.get_outputs()[0].name]

    @property
    def provider(self) -> str:
        """The execution provider that really runs the graph."""
        return self.truth.provider

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """The only sizes that a batch may have, ascending; empty on a CPU that runs any size."""
        fixed = self.graph.inputs[0].shape[0]
        if isinstance(fixed, int):
            return (fixed,)
        return tuple(sorted(self.truth.warmup_ms)) if self.provider != CPU else ()

    def run(self, batch: NDArray[np.float32], *, alone: bool = False) -> NDArray[np.float32]:
        """Return the output [n, classes] for ``batch`` [n, 3, height, width] float32. Safe from several threads.

        ``alone`` takes the session that spreads one run over all cores. Raises InferenceError.
        """
        session = self._wide if alone else self._narrow
        try:
            outputs: NDArray[np.float32] = session.run(self._outputs, {self._input: batch})[0]
        except _RUN_ERRORS as error:
            raise InferenceError(f"the model failed on a batch of {len(batch)}: {_first_line(error)}") from error
        if outputs.shape[0] != len(batch):
            raise InferenceError(f"the model answered {outputs.shape[0]} rows for a batch of {len(batch)}")
        return outputs


def read_graph(model_path: Path) -> Graph:
    """Return a graph's interface without running it. Raises ModelInvalidError for a file that onnxruntime refuses."""
    return _graph(_load(model_path, [CPU], threads=1), ())


def open_session(
    model_path: Path,
    *,
    device: Device = "auto",
    threads: int | None = None,
    batch_sizes: Sequence[int] = (1,),
) -> OnnxSession:
    """Load ``model_path``, find out which provider runs it, and warm up each of ``batch_sizes``.

    ``threads`` bounds one run on a CPU (None: all usable cores). Raises ModelInvalidError for a file that onnxruntime
    refuses and DeviceError where ``device`` is ``require-gpu`` and the GPU does not run the graph.
    """
    cores = threads or usable_cores()
    fallback = None
    if device != "cpu":
        session, fallback = _try_gpu(model_path, device)
        if session is not None:
            return _proven(session, session, threads=cores, fallback=None, batch_sizes=batch_sizes)
        if device == "require-gpu":
            raise DeviceError(f"[session] device is require-gpu, but {fallback}")
        if fallback is not None:
            _log.warning("the GPU does not run the model, the CPU does", extra={"reason": fallback})
    narrow = _load(model_path, [CPU], threads=1)
    wide = narrow if cores == 1 else _load(model_path, [CPU], threads=cores)
    return _proven(narrow, wide, threads=cores, fallback=fallback, batch_sizes=(1,))


def _try_gpu(model_path: Path, device: Device) -> tuple[ort.InferenceSession | None, str | None]:
    """Return a session that the GPU really runs, or why there is none (None where none was to be expected)."""
    if CUDA not in available_providers():
        reason = "this environment has onnxruntime for the CPU: install automl-edge[gpu] instead of automl-edge[cpu]"
        return None, None if device == "auto" else reason
    ort.preload_dlls()
    options = {"cudnn_conv_algo_search": "HEURISTIC"}  # exhaustive search costs seconds for each new shape
    try:
        session = _load(model_path, [(CUDA, options), CPU], threads=1)
    except DeviceError as error:
        return None, str(error)
    if session.get_providers()[0] != CUDA:
        return None, "onnxruntime fell back to the CPU: check the NVIDIA driver, CUDA 13 and cuDNN 9"
    if not _nodes(session).get(CUDA):
        return None, "onnxruntime gave no node of the graph to the GPU"
    return session, None


def _load(model_path: Path, providers: list[Any], *, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised; onnxruntime need not also print it
    # a thread that spins while it waits burns a core that could decode pictures
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    try:
        session = ort.InferenceSession(model_path, options, providers=providers)
    except ort_errors.EPFail as error:
        raise DeviceError(f"{providers[0]} does not start: {_first_line(error)}") from error
    except _LOAD_ERRORS as error:
        reason = _refusal(error, model_path)
        raise ModelInvalidError(f"onnxruntime {ort.__version__} refuses {model_path}: {reason}") from error
    if not session.get_inputs() or not session.get_inputs()[0].shape or not session.get_outputs():
        raise ModelInvalidError(f"{model_path} is no model for pictures: its graph has no input with a batch axis")
    return session


def _proven(
    narrow: ort.InferenceSession,
    wide: ort.InferenceSession,
    *,
    threads: int,
    fallback: str | None,
    batch_sizes: Sequence[int],
) -> OnnxSession:
    provider = narrow.get_providers()[0]
    warmed = {size: _warm_up(narrow, wide, size) for size in _sizes_for(narrow, batch_sizes)}
    timings = {size: spent_ms for size, (spent_ms, _) in warmed.items()}
    truth = Truth(provider=provider, nodes=_nodes(narrow), threads=threads, fallback=fallback, warmup_ms=timings)
    shapes = next((shapes for _, shapes in warmed.values()), ())
    return OnnxSession(narrow, wide, truth, _graph(narrow, shapes))


def _sizes_for(session: ort.InferenceSession, batch_sizes: Sequence[int]) -> Sequence[int]:
    """Return the batch sizes to warm: the graph's own where it is fixed."""
    shape = session.get_inputs()[0].shape
    return (shape[0],) if isinstance(shape[0], int) else sorted(set(batch_sizes) or {1})


def _warm_up(narrow: ort.InferenceSession, wide: ort.InferenceSession, size: int) -> tuple[float, Sequence[Shape]]:
    """Run zeros twice through both sessions; return the milliseconds of the last run, and its outputs' shapes."""
    entry = narrow.get_inputs()[0]
    if DTYPES.get(entry.type) != "float32" or not all(isinstance(side, int) for side in entry.shape[1:]):
        return 0.0, ()  # not a graph that this runtime feeds; check_graph names what is wrong with it
    zeros = np.zeros((size, *entry.shape[1:]), np.float32)
    spent_ms, outputs = 0.0, []
    for session in (wide, wide, narrow, narrow):
        start = time.perf_counter()
        try:
            outputs = session.run(None, {entry.name: zeros})
        except _RUN_ERRORS as error:
            raise ModelInvalidError(f"the model fails on a batch of {size} zeros: {_first_line(error)}") from error
        spent_ms = (time.perf_counter() - start) * 1e3
    return round(spent_ms, 3), [np.shape(output) for output in outputs]


def _nodes(session: ort.InferenceSession) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for part in session.get_provider_graph_assignment_info():
        counts[part.ep_name] += len(part.get_nodes())
    return dict(counts)


def _graph(session: ort.InferenceSession, shapes: Sequence[Shape]) -> Graph:
    """Return the graph's interface; what an output leaves open but for its batch axis is what a run really gave."""
    inputs = tuple(_tensor(entry) for entry in session.get_inputs())
    outputs = tuple(_tensor(entry) for entry in session.get_outputs())
    if shapes:
        outputs = tuple(_seen(tensor, shape) for tensor, shape in zip(outputs, shapes, strict=True))
    return Graph(inputs, outputs)


def _seen(tensor: GraphTensor, shape: Shape) -> GraphTensor:
    if len(tensor.shape) != len(shape):
        return tensor
    sides = [side if axis == 0 or isinstance(side, int) else shape[axis] for axis, side in enumerate(tensor.shape)]
    return replace(tensor, shape=tuple(sides))


def _tensor(entry: ort.NodeArg) -> GraphTensor:
    return GraphTensor(entry.name, DTYPES.get(entry.type, entry.type), tuple(entry.shape))


def _refusal(error: Exception, model_path: Path) -> str:
    """Return why a graph is refused, without onnxruntime's error numbers and places in its sources, and a remedy."""
    line = _first_line(error)
    reason = _SOURCE_PLACE.sub("", line.rpartition(f"Load model from {model_path} failed:")[2])
    if isinstance(error, ort_errors.InvalidProtobuf):
        return f"{reason} The file is cut off, or no ONNX model: copy or export it again"
    return f"{reason} Export the model anew, with an opset that this onnxruntime supports"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
