"""Small models and pictures with answers that a person can work out, and fakes of the ports.

The fake classifier looks at the mean colour ``p`` of its input, with channels in 0..1: for each class colour ``c`` of
``COLOURS``, ``logit = GAIN x (RADIUS^2 - |p - c|^2)``. Distances are not linear, so that a wrong range, colour order or
rule changes the answer and not only its confidence.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image as Pillow

from edge.bundle import (
    MANIFEST,
    Bundle,
    Colour,
    Dimension,
    Expected,
    Golden,
    Manifest,
    Preprocessing,
    Range,
    Rule,
    Task,
    TensorInput,
    file_entries,
    open_bundle,
    write_manifest,
)
from edge.errors import InferenceError
from edge.ports import Model
from edge.postprocess.classification import sigmoid, softmax
from edge.predictor import BatchF32, OutputsF32, Predictor
from edge.results import ModelRef

Rgb = tuple[int, int, int]

COLOURS: Mapping[str, Rgb] = {
    "blue": (51, 51, 153),
    "bright": (191, 191, 191),
    "dark": (64, 64, 64),
    "red": (153, 51, 51),
}
"""The class colours of the fake classifier, 0..255, in the order of its labels."""
LABELS = tuple(COLOURS)
GAIN = 20.0
RADIUS = 0.3
CROP, RESIZE = 32, 36
CREATED_AT = datetime(2026, 1, 1, tzinfo=UTC)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def known_probs(colour: Rgb, *, multilabel: bool = False) -> tuple[float, ...]:
    """Return what the classifier must answer for a picture of one colour."""
    distances = np.array([[(a - b) / 255 for a, b in zip(colour, c, strict=True)] for c in COLOURS.values()])
    logits = (GAIN * (RADIUS**2 - (distances**2).sum(axis=1))).astype(np.float32)
    return tuple((sigmoid(logits) if multilabel else softmax(logits)).tolist())


def picture(colour: Rgb, *, sides: Rgb | None = None, width: int = 48, height: int = 48) -> NDArray[np.uint8]:
    """Return a picture [height, width, 3] of one colour.

    With ``sides`` it is three times as wide and only its middle third has the colour: the shorter-side rule crops to
    that third, the square rule sees the sides too.
    """
    middle = np.full((height, width, 3), colour, np.uint8)
    if sides is None:
        return middle
    side = np.full((height, width, 3), sides, np.uint8)
    return np.concatenate([side, middle, side], axis=1)


def encoded(image: NDArray[np.uint8], kind: str = "PNG") -> bytes:
    """Return the picture as a file's bytes."""
    buffer = BytesIO()
    Pillow.fromarray(image).save(buffer, kind)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """What the fake classifier's graph expects; ``slowness`` is the number of 256 x 256 products that each run adds.

    ``classes`` may be a name: then the graph does not tell how many it has. ``brittle`` fails on a bright picture (mean
    over 0.6), as graphs do whose indices depend on what they see.
    """

    range: Range = "imagenet"
    colour: Colour = "rgb"
    crop: int = CROP
    batch: Dimension = "batch"
    input_name: str = "input1"
    outputs: Sequence[str] = ("output1",)
    classes: Dimension | None = None
    opset: int = 17
    slowness: int = 0
    brittle: bool = False


def _to_unit(options: GraphOptions) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scale and shift per channel that turn the mean of the input back into 0..1."""
    if options.range == "imagenet":
        scale, shift = np.array(IMAGENET_STD), np.array(IMAGENET_MEAN)
        # the constants belong to red, green, blue; a bgr model sees them in its own order
        return (scale, shift) if options.colour == "rgb" else (scale[::-1].copy(), shift[::-1].copy())
    return np.full(3, 1 / 255 if options.range == "0-255" else 1.0), np.zeros(3)


def _slow_nodes(slowness: int) -> list[Any]:
    """Return nodes that multiply a matrix ``slowness`` times and add nothing to the logits."""
    product = helper.make_node("MatMul", ["matrix_in", "matrix_in"], ["matrix_out"])
    keep = helper.make_node("Identity", ["going"], ["still_going"])
    matrix = [256, 256]
    body = helper.make_graph(
        [product, keep],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("matrix_in", TensorProto.FLOAT, matrix),
        ],
        [
            helper.make_tensor_value_info("still_going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("matrix_out", TensorProto.FLOAT, matrix),
        ],
    )
    return [
        helper.make_node("Constant", [], ["rounds"], value=numpy_helper.from_array(np.array(slowness, np.int64))),
        helper.make_node("Constant", [], ["true"], value=numpy_helper.from_array(np.array(True))),
        helper.make_node("Constant", [], ["matrix"], value=numpy_helper.from_array(np.array(matrix, np.int64))),
        helper.make_node("ConstantOfShape", ["matrix"], ["nothing"]),
        helper.make_node("Loop", ["rounds", "true", "nothing"], ["looped"], body=body),
        helper.make_node("ReduceSum", ["looped"], ["zero"], keepdims=0),
        helper.make_node("Add", ["fast_logits", "zero"], ["logits"]),
    ]


def _brittle_nodes() -> list[Any]:
    """Return nodes that look up ``checked_bias`` in a table of one row, and past its end for a bright picture."""
    return [
        helper.make_node("ReduceMean", ["p"], ["brightness"], keepdims=0),
        helper.make_node("Greater", ["brightness", "limit"], ["is_bright"]),
        helper.make_node("Cast", ["is_bright"], ["row_number"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "row_number"], ["checked_bias"]),
    ]


def write_graph(path: Path, options: GraphOptions = GraphOptions()) -> None:
    """Write the fake classifier as an ONNX file."""
    scale, shift = _to_unit(options)
    colours = np.array(list(COLOURS.values()), np.float32) / 255
    protos = colours if options.colour == "rgb" else colours[:, ::-1]
    constants: dict[str, NDArray[Any]] = {
        "scale": scale.astype(np.float32),
        "shift": shift.astype(np.float32),
        "colours": np.ascontiguousarray(protos)[np.newaxis],
        "gain": np.array(-GAIN, np.float32),
        "bias": np.array(GAIN * RADIUS**2, np.float32),
        "limit": np.array(0.6, np.float32),
        "table": np.array([GAIN * RADIUS**2], np.float32),
        "last": np.array([2], np.int64),
        "as_row": np.array([-1, 1, 3], np.int64),
    }
    slow = _slow_nodes(options.slowness) if options.slowness else []
    nodes = [
        helper.make_node("GlobalAveragePool", [options.input_name], ["mean"]),
        helper.make_node("Reshape", ["mean", "as_row"], ["row"]),
        helper.make_node("Mul", ["row", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift"], ["p"]),
        helper.make_node("Sub", ["p", "colours"], ["difference"]),
        helper.make_node("Mul", ["difference", "difference"], ["squares"]),
        helper.make_node("ReduceSum", ["squares", "last"], ["distance"], keepdims=0),
        helper.make_node("Mul", ["distance", "gain"], ["weighted"]),
        *(_brittle_nodes() if options.brittle else []),
        helper.make_node(
            "Add", ["weighted", "checked_bias" if options.brittle else "bias"], ["fast_logits" if slow else "logits"]
        ),
        *slow,
        *(helper.make_node("Identity", ["logits"], [name]) for name in options.outputs),
    ]
    shape = [options.batch, 3, options.crop, options.crop]
    logits = [options.batch, options.classes or len(LABELS)]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, logits) for name in options.outputs]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info(options.input_name, TensorProto.FLOAT, shape)],
        outputs,
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", options.opset)], ir_version=8)
    path.write_bytes(model.SerializeToString())


GOLDEN_PICTURES: Mapping[str, NDArray[np.uint8]] = {
    **{name: picture(colour) for name, colour in COLOURS.items()},
    "wide-red": picture(COLOURS["red"], sides=COLOURS["blue"]),
}
"""Pictures with answers; the wide one also tells the two rules apart."""


def _write_golden(folder: Path, *, multilabel: bool) -> list[Golden]:
    (folder / "golden").mkdir()
    golden = []
    for name, image in GOLDEN_PICTURES.items():
        path = f"golden/{name}.png"
        (folder / path).write_bytes(encoded(image))
        label = name.removeprefix("wide-")
        probs = known_probs(COLOURS[label], multilabel=multilabel)
        golden.append(Golden(image=path, expected=Expected(labels=(label,), probs=probs), tolerance=0.02))
    return golden


def make_bundle(
    folder: Path,
    *,
    name: str = "colours",
    version: str = "1",
    created_at: datetime = CREATED_AT,
    task: Task = "image-classification",
    rule: Rule = "shorter-side",
    golden: bool = True,
    graph: GraphOptions = GraphOptions(),
) -> Path:
    """Write a bundle of the fake classifier that proves itself, and return its folder (made where it is missing)."""
    folder.mkdir(parents=True, exist_ok=True)
    write_graph(folder / "model.onnx", graph)
    (folder / "labels.json").write_text(json.dumps(list(LABELS)))
    pictures = _write_golden(folder, multilabel=task.endswith("multilabel")) if golden else []
    manifest = Manifest(
        name=name,
        version=version,
        task=task,
        family="classification",
        created_at=created_at,
        input=TensorInput(
            name=graph.input_name, shape=("batch", 3, graph.crop, graph.crop), colour=graph.colour, range=graph.range
        ),
        preprocessing=Preprocessing(rule=rule, resize=graph.crop + 4, crop=graph.crop),
        batch="dynamic" if isinstance(graph.batch, str) else graph.batch,
        files=file_entries(folder, ["model.onnx", "labels.json", *(g.image for g in pictures)]),
        golden=tuple(pictures),
    )
    write_manifest(folder, manifest)
    return folder


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Let ``change`` alter the manifest's JSON in place, whatever the schema says to it."""
    manifest = json.loads((folder / MANIFEST).read_text())
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def rehash(folder: Path) -> None:
    """Make the manifest's hashes and sizes those of the files as they are now."""

    def change(manifest: dict[str, Any]) -> None:
        entries = file_entries(folder, list(manifest["files"]))
        manifest["files"] = {path: entry.model_dump() for path, entry in entries.items()}

    edit_manifest(folder, change)


def truncate(path: Path) -> None:
    """Cut a file to half of its length."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


class FakeSession:
    """A session that answers with a function of the batch; ``closed`` tells whether it was closed."""

    def __init__(
        self,
        answer: Callable[[BatchF32], OutputsF32] | None = None,
        *,
        provider: str = "FakeExecutionProvider",
        batch_sizes: tuple[int, ...] = (),
    ) -> None:
        self._answer = answer or first_class_wins
        self.provider = provider
        self.batch_sizes = batch_sizes
        self.batches: list[int] = []
        self.closed = False

    def run(self, batch: BatchF32, *, alone: bool = False) -> OutputsF32:  # noqa: ARG002 - the port's signature
        self.batches.append(len(batch))
        return self._answer(batch)

    def close(self) -> None:
        self.closed = True


def first_class_wins(batch: BatchF32) -> OutputsF32:
    """Answer every picture with the first label."""
    logits = np.zeros((len(batch), len(LABELS)), np.float32)
    logits[:, 0] = 5
    return logits


def always_fails(batch: BatchF32) -> OutputsF32:
    """Fail on every batch as a broken device would."""
    raise InferenceError(f"the fake session fails on {len(batch)} picture(s)")


def mean_colour_answer(batch: BatchF32) -> OutputsF32:
    """Answer as the ONNX graph does (range imagenet, rgb), in numpy."""
    p = batch.mean(axis=(2, 3)) * np.array(IMAGENET_STD, np.float32) + np.array(IMAGENET_MEAN, np.float32)
    protos = np.array(list(COLOURS.values()), np.float32) / 255
    distances = ((p[:, np.newaxis] - protos[np.newaxis]) ** 2).sum(axis=2)
    return np.asarray(GAIN * (RADIUS**2 - distances), np.float32)


def fake_model(folder: Path, session: FakeSession | None = None, **bundle: Any) -> Model:
    """Return a servable model: a bundle made in ``folder`` and a fake session that answers as it would."""
    opened: Bundle = open_bundle(make_bundle(folder, **bundle))
    ref = ModelRef(opened.manifest.name, opened.manifest.version, proven=bool(opened.manifest.golden))
    return Model(ref, opened.digest, Predictor(opened), session or FakeSession(mean_colour_answer))
