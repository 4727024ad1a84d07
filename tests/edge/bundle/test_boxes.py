"""Graphs of detection and segmentation against their manifests."""

from dataclasses import replace

import pytest

from edge.bundle import (
    BACKGROUND,
    Family,
    FixedSize,
    Graph,
    GraphTensor,
    Manifest,
    check_graph,
    check_runnable,
    cropped,
    images_of,
    manifest_json,
    outputs_of,
    parse_manifest,
)
from edge.errors import ModelInvalidError, ModelUnsupportedError
from tests.edge.bundle.test_manifest import parse

CLASSES = ("bolt", "nut")
SIDES = (600, 800)
AXES = {"boxes": ("n", 4), "labels": ("n",), "scores": ("n",), "masks": ("n", 1, "h", "w"), "output": ("b", 7, 7)}


def box_graph(family: Family, images: int | None = None) -> Graph:
    names = outputs_of(family, images)
    tensors = [(name, name.split("_")[0]) for name in names]
    outputs = tuple(GraphTensor(n, "int64" if kind == "labels" else "float32", AXES[kind]) for n, kind in tensors)
    return Graph((GraphTensor("input", "float32", ("batch", 3, *SIDES)),), outputs)


def box_manifest(family: Family, batch: int | str = "single") -> Manifest:
    rule = "letterbox" if family == "yolov5" else "stretch"
    return parse(
        {
            "task": "image-instance-segmentation" if family == "maskrcnn" else "image-object-detection",
            "family": family,
            "input": {"name": "input", "shape": ["batch", 3, *SIDES], "range": "imagenet"},
            "preprocessing": {"rule": rule, "width": 800, "height": 600},
            "batch": batch,
        }
    )


def labels(family: Family) -> tuple[str, ...]:
    return (BACKGROUND, *CLASSES) if family in ("fasterrcnn", "maskrcnn") else CLASSES


FAMILIES: tuple[Family, ...] = ("fasterrcnn", "retinanet", "maskrcnn", "yolov5")


@pytest.mark.parametrize("family", FAMILIES)
def test_graph_of_a_family_fits_its_manifest(family: Family) -> None:
    """As AutoML exports it, and as it is exported for three pictures."""
    check_graph(box_manifest(family), labels(family), box_graph(family))
    if family != "yolov5":
        check_graph(box_manifest(family, 3), labels(family), box_graph(family, 3))


@pytest.mark.parametrize("family", FAMILIES)
def test_no_family_is_run(family: Family) -> None:
    """The manifest is read whole and written the same, and the model is refused by name."""
    manifest = box_manifest(family)
    assert parse_manifest(manifest_json(manifest), where="x") == manifest
    assert isinstance(manifest.preprocessing, FixedSize)
    with pytest.raises(ModelUnsupportedError, match=rf"family {family}\); this version runs image-classification"):
        check_runnable(manifest)
    with pytest.raises(ModelUnsupportedError, match=r"by the rule (stretch|letterbox); this version runs"):
        cropped(manifest)


def test_number_of_pictures_shows_in_the_outputs_names() -> None:
    """The input's axis says nothing; a gap in the numbers is no number of pictures."""
    assert images_of(box_graph("retinanet")) is None
    assert images_of(box_graph("retinanet", 4)) == 4
    whole = box_graph("retinanet", 3)
    assert images_of(replace(whole, outputs=whole.outputs[3:])) is None


MISFITS: list[tuple[Family, int | None, int | str, dict[str, tuple[str, ...]], str]] = [
    ("fasterrcnn", 2, 4, {}, "the graph's outputs are of 2 pictures, the manifest's batch says 4"),
    ("fasterrcnn", None, 4, {}, "the graph's outputs are of 1 pictures, the manifest's batch says 4"),
    ("fasterrcnn", 2, "single", {}, "the graph's outputs are of 2 pictures, the manifest's batch says 1"),
    ("fasterrcnn", None, "dynamic", {}, "the manifest's batch says dynamic"),
    ("fasterrcnn", None, "single", {"labels": CLASSES}, "the labels of a fasterrcnn model begin with '--bg--'"),
    ("retinanet", None, "single", {"labels": (BACKGROUND, *CLASSES)}, "the labels of a retinanet model have no"),
    ("yolov5", None, "single", {"labels": ("bolt",)}, "the graph has 2 classes, but there are 1 labels"),
]


@pytest.mark.parametrize(("family", "images", "batch", "said", "problem"), MISFITS, ids=[case[4] for case in MISFITS])
def test_graph_that_does_not_fit_is_refused(
    family: Family, images: int | None, batch: int | str, said: dict[str, tuple[str, ...]], problem: str
) -> None:
    """Another number of pictures or another model's labels are named."""
    with pytest.raises(ModelInvalidError) as caught:
        check_graph(box_manifest(family, batch), said.get("labels", labels(family)), box_graph(family, images))
    assert problem in str(caught.value)


def test_outputs_and_input_are_compared_by_name_type_and_axes() -> None:
    """Every difference is named at once."""
    graph = box_graph("fasterrcnn")
    boxes, found_labels, _ = graph.outputs
    entry = GraphTensor("images", "float16", ("batch", 3, 640, 640))
    wrong = Graph((entry,), (replace(boxes, shape=("n",)), replace(found_labels, dtype="float32")))
    with pytest.raises(ModelInvalidError) as caught:
        check_graph(box_manifest("fasterrcnn"), labels("fasterrcnn"), wrong)
    for problem in (
        "input is named 'images'",
        "input is float16",
        "input has shape ['batch', 3, 640, 640], the manifest says ['batch', 3, 600, 800]",
        "output 'boxes' has shape ['n'], 2 axes expected",
        "output 'labels' is float32, int64 expected",
        "the graph has no output 'scores'",
    ):
        assert problem in str(caught.value)


WRONG = [
    ({"rule": "stretch", "width": 800}, "preprocessing.height: Field required"),
    ({"rule": "stretch", "width": 800, "height": 600, "crop": 224}, "preprocessing.crop: Extra inputs"),
    ({"rule": "bounded", "min_size": 600, "max_size": 0}, "preprocessing.max_size: Input should be greater"),
]


@pytest.mark.parametrize(("preprocessing", "problem"), WRONG, ids=[case[1] for case in WRONG])
def test_rules_have_their_own_sizes(preprocessing: dict[str, object], problem: str) -> None:
    """A size that a rule does not know, or lacks, is an error with its place."""
    with pytest.raises(ModelInvalidError) as caught:
        parse({"family": "maskrcnn", "task": "image-instance-segmentation", "preprocessing": preprocessing})
    assert problem in str(caught.value)


def test_classification_has_its_own_rules() -> None:
    """A rule of detection in a classification manifest is refused."""
    with pytest.raises(ModelInvalidError, match="the rule stretch is not one of classification"):
        parse({"preprocessing": {"rule": "stretch", "width": 800, "height": 600}})
