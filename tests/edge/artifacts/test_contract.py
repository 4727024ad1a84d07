"""From graph, settings and a person's word to the manifest's contract."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edge.artifacts.contract import Contract, describe, family_of
from edge.artifacts.options import ImportOptions
from edge.bundle import Dimension, Family, Graph, GraphTensor, Preprocessing
from edge.errors import ConfigError, ModelInvalidError, ModelUnsupportedError


def tensor(name: str, *shape: Dimension) -> GraphTensor:
    return GraphTensor(name, "float32", shape)


def graph(*outputs: GraphTensor, crop: Dimension = 224, batch: Dimension = "batch") -> Graph:
    return Graph((tensor("input1", batch, 3, crop, crop),), outputs or (tensor("output1", batch, 6),))


def contract(
    of: Graph | None = None,
    settings: Mapping[str, Any] = {},
    mlmodel: Mapping[str, str] = {},
    **options: Any,
) -> Contract:
    said = ImportOptions(folder=Path(), name="x", registry=Path(), **{"task": "image-classification", **options})
    return describe(of or graph(), settings, mlmodel, said)


BOXES, LABELS, SCORES = tensor("boxes", "n", 4), tensor("labels", "n"), tensor("scores", "n")
HEADS = tuple(tensor(name, "b", 3, 80, 80, 11) for name in ("1013", "1034", "1055"))

FAMILIES: list[tuple[Family | None, Graph]] = [
    ("classification", graph()),
    ("fasterrcnn", graph(BOXES, LABELS, SCORES)),
    ("retinanet", graph(BOXES, SCORES, LABELS)),
    ("maskrcnn", graph(BOXES, LABELS, SCORES, tensor("masks", "n", 1, "h", "w"))),
    ("yolov5", graph(tensor("output", "b", 25200, 11), *HEADS)),
    ("fasterrcnn", graph(*(tensor(f"{n}_{i}", "n") for i in range(2) for n in ("boxes", "labels", "scores")))),
    ("retinanet", graph(*(tensor(f"{n}_{i}", "n") for i in range(2) for n in ("boxes", "scores", "labels")))),
    (None, graph(tensor("output1", "b", 6), tensor("output2", "b", 6))),
    (None, Graph((), ())),
]


@pytest.mark.parametrize(("family", "of"), FAMILIES)
def test_family_shows_in_the_graph(family: Family | None, of: Graph) -> None:
    """Names, ranks and order of the outputs tell the family, batch exports included; a stranger is none."""
    assert family_of(of) == family


@pytest.mark.parametrize(("family", "of"), [case for case in FAMILIES if case[0] not in ("classification", None)])
def test_other_families_are_refused_by_name(family: str, of: Graph) -> None:
    """A detection graph is named as what it is."""
    with pytest.raises(ModelUnsupportedError, match=rf"the graph is of the family {family}"):
        contract(of)


def test_stranger_is_refused_with_what_was_seen() -> None:
    """A graph that AutoML does not export is refused showing its inputs and outputs."""
    with pytest.raises(ModelUnsupportedError, match=r"inputs input1 .*, outputs a \['b', 6\], b \['b', 6\]"):
        contract(graph(tensor("a", "b", 6), tensor("b", "b", 6)))


def test_defaults_are_automls() -> None:
    """Without settings a 224 graph gets AutoML's defaults."""
    found = contract()
    assert (found.task, found.family, found.batch) == ("image-classification", "classification", "dynamic")
    assert isinstance(found.preprocessing, Preprocessing)
    assert (found.preprocessing.rule, found.preprocessing.resize, found.preprocessing.crop) == (
        "shorter-side",
        256,
        224,
    )
    assert (found.input.range, found.input.colour, found.postprocessing.threshold) == ("imagenet", "rgb", 0.5)
    assert (found.input.name, found.input.shape) == ("input1", ("batch", 3, 224, 224))


SIZES: list[tuple[str, Graph, Mapping[str, Any], Mapping[str, str], Mapping[str, Any], tuple[int, int]]] = [
    ("settings", graph(crop=256), {"valid_resize_size": 300, "valid_crop_size": 256}, {}, {}, (300, 256)),
    ("early names", graph(crop=256), {"resize_size": 300, "crop_size": 256}, {}, {}, (300, 256)),
    ("graph and --resize", graph(crop=192), {}, {}, {"resize": 200}, (200, 192)),
    ("free graph", graph(crop="side"), {}, {}, {}, (256, 224)),
    ("free graph, settings", graph(crop="s"), {"valid_crop_size": 96, "valid_resize_size": 99}, {}, {}, (99, 96)),
    ("said over settings", graph(), {"valid_resize_size": 300}, {}, {"resize": 256}, (256, 224)),
    ("seresnext", graph(), {"valid_crop_size": 288, "model_name": "seresnext"}, {}, {}, (256, 224)),
    ("seresnext in MLmodel", graph(), {"valid_resize_size": 300}, {"base_model_name": "seresnext"}, {}, (256, 224)),
    ("foreign settings", graph(), {"valid_crop_size": 288, "valid_resize_size": 300}, {}, {"crop": 224}, (256, 224)),
]


@pytest.mark.parametrize(
    ("of", "settings", "mlmodel", "options", "sizes"), [case[1:] for case in SIZES], ids=[case[0] for case in SIZES]
)
def test_sizes_come_from_settings_graph_and_arguments(
    of: Graph,
    settings: Mapping[str, Any],
    mlmodel: Mapping[str, str],
    options: Mapping[str, Any],
    sizes: tuple[int, int],
) -> None:
    """The crop is the graph's where it is fixed; the resize is the settings' or what a person says."""
    found = contract(of, settings, mlmodel, **options).preprocessing
    assert isinstance(found, Preprocessing)
    assert (found.resize, found.crop) == sizes


@pytest.mark.parametrize(
    ("inside", "value_range"), [(True, "0-255"), ("True", "0-255"), (False, "imagenet"), (None, "imagenet")]
)
def test_normalisation_inside_the_graph_changes_the_range(inside: Any, value_range: str) -> None:
    """A model exported with ``enable_onnx_normalization`` takes 0..255."""
    assert contract(settings={"enable_onnx_normalization": inside}).input.range == value_range
    assert contract(settings={"enable_onnx_normalization": inside}, range="0-1").input.range == "0-1"


@pytest.mark.parametrize(("axis", "batch"), [("batch", "dynamic"), (1, "single"), (8, 8)])
def test_batch_is_the_graphs(axis: Dimension, batch: str | int) -> None:
    """A fixed batch axis becomes the manifest's promise."""
    found = contract(graph(batch=axis))
    assert (found.batch, found.input.shape[0]) == (batch, axis)


def test_task_is_asked_for_when_nothing_tells_it() -> None:
    """Multi-class and multi-label graphs look the same, so the two choices are named."""
    with pytest.raises(ConfigError) as caught:
        contract(task=None)
    assert "--task image-classification (one class a picture)" in str(caught.value)
    assert "--task image-classification-multilabel (any number" in str(caught.value)


@pytest.mark.parametrize("where", [{"mlmodel": {"finetuning_task": "image-classification-multilabel"}},
                                   {"settings": {"task_type": "image-classification-multilabel"}}])  # fmt: skip
def test_task_is_taken_from_automls_files(where: Mapping[str, Any]) -> None:
    """Where MLmodel or the settings name the task, nobody is asked, and a contradiction is refused."""
    assert contract(task=None, **where).task == "image-classification-multilabel"
    assert contract(task="image-classification-multilabel", **where).task == "image-classification-multilabel"
    with pytest.raises(ConfigError, match="--task image-classification was given, but AutoML's files say"):
        contract(task="image-classification", **where)


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    (
        {"task": "image-object-detection"},
        ModelUnsupportedError,
        "the model is for image-object-detection; this version",
    ),
    ({"family": "yolov5"}, ConfigError, "--family yolov5 was given, but the graph is of the family classification"),
    ({"crop": 192}, ConfigError, "--crop 192 was given, but the graph takes 224 x 224"),
    ({"crop": 0}, ConfigError, "--crop 0 was given"),
    ({"resize": 0}, ConfigError, "--resize 0 and --crop 224 must be pixels between 1 and 8192"),
    ({"resize": 9000}, ConfigError, "--resize 9000"),
    ({"rule": "square", "resize": 200}, ConfigError, "--rule square needs a resize of at least the crop"),
    ({"threshold": 1.5}, ConfigError, r"--threshold 1\.5 must lie between 0 and 1"),
    ({"of": graph(crop=299)}, ConfigError, "the graph takes 299 x 299 pixels; .* or pass --resize"),
    ({"settings": {"valid_crop_size": 256}}, ModelInvalidError, "a crop of 256 pixels, but the graph takes 224 x 224"),
    (
        {"settings": {"valid_crop_size": "224"}},
        ModelInvalidError,
        r"settings\.json: valid_crop_size is '224', a number",
    ),
    ({"settings": {"valid_resize_size": True}}, ModelInvalidError, "valid_resize_size is True, a number of pixels"),
    ({"settings": {"valid_resize_size": -1}}, ModelInvalidError, "valid_resize_size is -1, a number of pixels"),
    ({"settings": {"enable_onnx_normalization": "maybe"}}, ModelInvalidError, "enable_onnx_normalization is 'maybe'"),
    ({"of": Graph((tensor("i", "b", 3, 224, 192),), (tensor("o", "b", 6),))}, ModelInvalidError, "224 x 192 pixels"),
]


@pytest.mark.parametrize(("said", "kind", "text"), REFUSED, ids=[case[2] for case in REFUSED])
def test_contradictions_are_refused(said: dict[str, Any], kind: type[Exception], text: str) -> None:
    """What graph, settings and arguments say against each other, or against sense, is named with the remedy."""
    with pytest.raises(kind, match=text):
        contract(**said)
