"""The loaded graph against the manifest."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import Graph, GraphTensor, Manifest, check_graph, check_runnable, read_manifest
from edge.errors import ModelInvalidError, ModelUnsupportedError
from tests.fakes import LABELS, make_bundle

INPUT = GraphTensor("input1", "float32", ("batch", 3, 32, 32))
OUTPUT = GraphTensor("output1", "float32", ("batch", 4))


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return read_manifest(make_bundle(tmp_path, golden=False))


@pytest.mark.parametrize(
    "graph",
    [
        Graph((INPUT,), (OUTPUT,)),
        Graph((replace(INPUT, shape=("n", 3, "height", "width")),), (replace(OUTPUT, shape=("n", "classes")),)),
        Graph((replace(INPUT, shape=(None, 3, 32, 32)),), (replace(OUTPUT, shape=(None, 4)),)),
    ],
    ids=["as AutoML exports it", "all axes symbolic", "axes without a name"],
)
def test_graph_that_fits_passes(manifest: Manifest, graph: Graph) -> None:
    """Fixed sizes must agree; symbolic axes promise nothing."""
    check_graph(manifest, LABELS, graph)


MISFITS: list[tuple[Graph, str]] = [
    (Graph((), (OUTPUT,)), "the graph has 0 inputs, 1 expected"),
    (Graph((INPUT, INPUT), (OUTPUT,)), "the graph has 2 inputs, 1 expected"),
    (Graph((replace(INPUT, name="input"),), (OUTPUT,)), "input is named 'input', the manifest says 'input1'"),
    (Graph((replace(INPUT, dtype="float16"),), (OUTPUT,)), "input is float16, the manifest says float32"),
    (Graph((replace(INPUT, shape=("b", 3, 224, 224)),), (OUTPUT,)), "preprocessing makes [batch, 3, 32, 32]"),
    (Graph((replace(INPUT, shape=("b", 1, 32, 32)),), (OUTPUT,)), "preprocessing makes [batch, 3, 32, 32]"),
    (Graph((replace(INPUT, shape=(3, 32, 32)),), (OUTPUT,)), "preprocessing makes [batch, 3, 32, 32]"),
    (Graph((replace(INPUT, shape=(1, 3, 32, 32)),), (OUTPUT,)), "takes exactly 1 per batch, the manifest's batch says"),
    (Graph((INPUT,), (replace(OUTPUT, shape=(8, 4)),)), "output 'output1' takes exactly 8 per batch"),
    (Graph((INPUT,), (OUTPUT, OUTPUT)), "the graph has 2 outputs, 1 expected"),
    (Graph((INPUT,), (replace(OUTPUT, dtype="int64"),)), "output 'output1' is int64, float32 expected"),
    (Graph((INPUT,), (replace(OUTPUT, shape=("b", 5)),)), "has shape ['b', 5], but there are 4 labels"),
    (Graph((INPUT,), (replace(OUTPUT, shape=("b", 4, 1)),)), "has shape ['b', 4, 1], but there are 4 labels"),
    (Graph((INPUT,), (replace(OUTPUT, shape=()),)), "has shape [], but there are 4 labels"),
]


@pytest.mark.parametrize(("graph", "problem"), MISFITS, ids=[case[1] for case in MISFITS])
def test_graph_that_does_not_fit_is_refused(manifest: Manifest, graph: Graph, problem: str) -> None:
    """Each difference is named with what was found and what was expected."""
    with pytest.raises(ModelInvalidError) as caught:
        check_graph(manifest, LABELS, graph)
    assert problem in str(caught.value)


def test_every_difference_is_named_at_once(manifest: Manifest) -> None:
    """An input and an output that both differ are both in the message."""
    graph = Graph((replace(INPUT, name="x"),), (replace(OUTPUT, shape=("b", 9)),))
    with pytest.raises(ModelInvalidError, match=r"input is named 'x'.*output 'output1' has shape"):
        check_graph(manifest, LABELS, graph)


@pytest.mark.parametrize(
    ("batch", "axis", "fits"), [(4, 4, True), (4, 1, False), ("single", 1, True), ("single", 4, False)]
)
def test_fixed_batch_must_be_the_promised_one(manifest: Manifest, batch: int | str, axis: int, fits: bool) -> None:
    """A manifest that promises a fixed batch fits only a graph with that number."""
    promised = manifest.model_copy(update={"batch": batch})
    graph = Graph((replace(INPUT, shape=(axis, 3, 32, 32)),), (replace(OUTPUT, shape=(axis, 4)),))
    if fits:
        check_graph(promised, LABELS, graph)
    else:
        with pytest.raises(ModelInvalidError, match="per batch"):
            check_graph(promised, LABELS, graph)


@pytest.mark.parametrize(
    "changes",
    [
        {"task": "image-object-detection", "family": "yolov5"},
        {"task": "image-instance-segmentation", "family": "maskrcnn"},
        {"task": "image-classification", "family": "retinanet"},
    ],
)
def test_other_tasks_and_families_are_refused_by_name(manifest: Manifest, changes: Mapping[str, Any]) -> None:
    """What this version does not run is refused naming the task and the family."""
    with pytest.raises(ModelUnsupportedError) as caught:
        check_runnable(manifest.model_copy(update=changes))
    assert changes["task"] in str(caught.value)
    assert changes["family"] in str(caught.value)


@pytest.mark.parametrize("task", ["image-classification", "image-classification-multilabel"])
def test_both_classification_tasks_run(manifest: Manifest, task: str) -> None:
    """Multi-class and multi-label are the two tasks of this version."""
    check_runnable(manifest.model_copy(update={"task": task}))
