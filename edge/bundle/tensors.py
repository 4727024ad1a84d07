"""The interface of a loaded ONNX graph."""

from dataclasses import dataclass

from edge.bundle.manifest import Dimension


@dataclass(frozen=True, slots=True)
class GraphTensor:
    """Name, element type (``float32``, ``int64``, …) and dimensions of a graph's input or output, as loaded."""

    name: str
    dtype: str
    shape: tuple[Dimension | None, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """The interface of a loaded ONNX graph."""

    inputs: tuple[GraphTensor, ...]
    outputs: tuple[GraphTensor, ...]
