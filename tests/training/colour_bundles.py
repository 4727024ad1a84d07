"""Pictures of one colour each, and bundles that tell the colours apart, good or bad to quantise."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper
from PIL import Image

from edge.bundle import MULTILABEL, Bundle, Task
from edge.postprocess.classification import classify
from edge.preprocess.classification import prepare
from edge.proof import load_and_prove
from edge.session import open_session
from training.dataset.annotations import MULTICLASS
from training.dataset.records import Record, read_bytes
from training.export import Draft, GoldenPicture, preprocessing_of, write_bundle
from training.graph_edit import write_graph
from training.settings import default_settings

SIDE = 16
COLOURS = ("Blau", "Grün", "Rot")
SETTINGS = default_settings(
    "mobilenetv2", changes={"validation_resize_size": SIDE, "validation_crop_size": SIDE, "training_crop_size": SIDE}
)
OUTLIER = 1e5


def write_pictures(folder: Path, each: int, seed: int) -> list[Record]:
    """Write noisy pictures of each colour below ``folder/<colour>``."""
    generator, records = np.random.default_rng(seed), []
    for index, colour in enumerate(COLOURS):
        (folder / colour).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            pixels = generator.integers(0, 120, (SIDE, SIDE, 3))
            pixels[..., 2 - index] += 100
            path = folder / colour / f"{number}.png"
            Image.fromarray(pixels.astype(np.uint8)).save(path)
            records.append(Record(path, (colour,)))
    return records


def colour_graph(*, outliers: int = 0, batch: int | str = "batch") -> ModelProto:
    """Return a graph of three layers with weights; after the first ``outliers`` of them one channel dwarfs the others.

    No answer depends on that channel, but eight bits for all channels together leave nothing of the others.
    """
    first, second = np.eye(4, 3, dtype=np.float32), np.eye(4, dtype=np.float32)
    first[3] = OUTLIER if outliers else 0
    second[3, 3] = 1 if outliers > 1 else 0
    last = np.zeros((3, 4), np.float32)
    last[[0, 1, 2], [2, 1, 0]] = 4
    constants = {
        "first": first.reshape(4, 3, 1, 1),
        "first_bias": np.array([3, 3, 3, 0], np.float32),
        "second": second.reshape(4, 4, 1, 1),
        "last": last,
        "last_bias": np.full(3, -12, np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["input1", "first", "first_bias"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "second"], ["c"], name="second"),
        helper.make_node("GlobalAveragePool", ["c"], ["d"]),
        helper.make_node("Flatten", ["d"], ["e"]),
        helper.make_node("Gemm", ["e", "last", "last_bias"], ["output1"], transB=1, name="last"),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("input1", TensorProto.FLOAT, [batch, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output1", TensorProto.FLOAT, [batch, 3])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def colour_bundle(folder: Path, golden: Sequence[Record], *, outliers: int = 0, task: Task = MULTICLASS) -> Bundle:
    """Write a proven bundle that tells the colours apart."""
    graph = folder.with_name("graph.onnx")
    write_graph(colour_graph(outliers=outliers), graph)
    draft = Draft(
        name="colours",
        version="1",
        labels=COLOURS,
        settings=SETTINGS,
        golden=[_golden(graph, record, number, task) for number, record in enumerate(golden)],
        task=task,
        metrics={"held_out": {"accuracy": 1.0}},
    )
    return write_bundle(folder, draft, lambda path: _copy(graph, path), _prove)


def _copy(graph: Path, path: Path) -> None:
    path.write_bytes(graph.read_bytes())


def _prove(bundle: Bundle) -> None:
    load_and_prove(bundle, device="cpu")


def _golden(graph: Path, record: Record, number: int, task: Task) -> GoldenPicture:
    logits = open_session(graph, device="cpu", threads=1).run(inputs_of([record]))[0]
    answer = classify(logits, labels=COLOURS, threshold=0.5 if task == MULTILABEL else None)
    assert (answer.label,) == record.labels
    return GoldenPicture(f"{number}.png", read_bytes(record.path), record.labels, answer.probs)


def inputs_of(records: Sequence[Record]) -> NDArray[np.float32]:
    """Return the pictures as the edge prepares them."""
    rule = preprocessing_of(SETTINGS)
    return np.stack([prepare(read_bytes(record.path), preprocessing=rule) for record in records])
