"""The graphs of detection and segmentation, as AutoML's exporters write them. Pure.

The R-CNN families name their outputs ``boxes``, ``labels``, ``scores`` (and ``masks``); one that was exported for N
pictures repeats them with ``_0`` to ``_N-1`` behind. Their input's batch axis says nothing: torchvision's graphs work
for as many pictures as they were exported with, and silently drop the others. yolov5 has one ``output``.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from edge.bundle.manifest import Family, Manifest, fixed_batch, shapes_agree
from edge.bundle.tensors import Graph, GraphTensor

BACKGROUND = "--bg--"
"""The class at index 0 of the labels of Faster and Mask R-CNN."""
WITH_BACKGROUND: frozenset[Family] = frozenset(("fasterrcnn", "maskrcnn"))
OUTPUTS: Mapping[Family, tuple[str, ...]] = MappingProxyType(
    {
        "fasterrcnn": ("boxes", "labels", "scores"),
        "retinanet": ("boxes", "scores", "labels"),
        "maskrcnn": ("boxes", "labels", "scores", "masks"),
        "yolov5": ("output",),
    }
)
"""What the families call their outputs, in the exporters' order."""
RANKS: Mapping[str, int] = MappingProxyType({"boxes": 2, "labels": 1, "scores": 1, "masks": 4, "output": 3})
BOX_COLUMNS = 5
"""Columns of yolov5's output before the classes: centre, size, objectness."""
_NUMBERED = re.compile(r"boxes_(\d+)")


def images_of(graph: Graph) -> int | None:
    """Return for how many pictures an R-CNN graph was exported, by its outputs' names; None where they do not tell."""
    numbers = {int(found[1]) for output in graph.outputs if (found := _NUMBERED.fullmatch(output.name))}
    return len(numbers) if numbers and numbers == set(range(len(numbers))) else None


def outputs_of(family: Family, images: int | None) -> tuple[str, ...]:
    """Return the names of the outputs that are needed of a graph for ``images`` pictures; None: not numbered."""
    names = OUTPUTS[family]
    if images is None or family == "yolov5":
        return names
    return tuple(f"{name}_{number}" for number in range(images) for name in names)


def box_problems(manifest: Manifest, labels: Sequence[str], graph: Graph) -> Iterator[str]:
    """Yield each difference between a detection or segmentation graph and what its manifest and labels say."""
    entry = graph.inputs[0]
    if entry.name != manifest.input.name:
        yield f"input is named {entry.name!r}, the manifest says {manifest.input.name!r}"
    if entry.dtype != manifest.input.dtype:
        yield f"input is {entry.dtype}, the manifest says {manifest.input.dtype}"
    if not shapes_agree(entry.shape, manifest.input.shape):
        yield f"input has shape {list(entry.shape)}, the manifest says {list(manifest.input.shape)}"
    yield from _output_problems(manifest, graph)
    yield from _label_problems(manifest, labels, graph)


def _output_problems(manifest: Manifest, graph: Graph) -> Iterator[str]:
    images, promised = images_of(graph), fixed_batch(manifest)
    if manifest.family != "yolov5" and (images or 1) != promised:
        yield f"the graph's outputs are of {images or 1} pictures, the manifest's batch says {promised or 'dynamic'}"
        return
    found = {output.name: output for output in graph.outputs}
    for name in outputs_of(manifest.family, images):
        if name not in found:
            yield f"the graph has no output {name!r}"
        elif problem := _output_problem(found[name]):
            yield problem


def _output_problem(output: GraphTensor) -> str | None:
    kind = output.name.split("_")[0]
    dtype = "int64" if kind == "labels" else "float32"
    if output.dtype != dtype:
        return f"output {output.name!r} is {output.dtype}, {dtype} expected"
    if len(output.shape) != RANKS[kind]:
        return f"output {output.name!r} has shape {list(output.shape)}, {RANKS[kind]} axes expected"
    return None


def _label_problems(manifest: Manifest, labels: Sequence[str], graph: Graph) -> Iterator[str]:
    """Yield where the labels are another model's: the R-CNN graphs do not tell their number of classes."""
    if (labels[:1] == (BACKGROUND,)) != (manifest.family in WITH_BACKGROUND):
        wanted = "begin with" if manifest.family in WITH_BACKGROUND else "have no"
        yield f"the labels of a {manifest.family} model {wanted} {BACKGROUND!r}"
    output = next((output for output in graph.outputs if output.name == "output"), None)
    columns = output.shape[-1] if manifest.family == "yolov5" and output is not None and output.shape else None
    if isinstance(columns, int) and columns != BOX_COLUMNS + len(labels):
        yield f"the graph has {columns - BOX_COLUMNS} classes, but there are {len(labels)} labels"
