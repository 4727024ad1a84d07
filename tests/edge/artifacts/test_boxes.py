"""AutoML's detection and segmentation files become bundles where that is asked for, and are refused elsewhere."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edge.artifacts import Imported, ImportOptions, import_artifacts
from edge.bundle import BoundedSides, Dimension, Family, FixedSize
from edge.errors import ConfigError, ModelInvalidError, ModelUnsupportedError
from edge.proof import load_model
from tests.box_graphs import write_box_graph
from tests.fakes import truncate, write_graph

SETTINGS = {"min_size": 500, "max_size": 1000, "box_score_thresh": 0.25, "nms_iou_thresh": 0.45, "img_size": 640}


def write_artifacts(
    folder: Path,
    family: Family,
    *,
    settings: Mapping[str, Any] = SETTINGS,
    labels: tuple[str, ...] | None = None,
    **graph: Any,
) -> Path:
    folder.mkdir()
    write_box_graph(folder / "model.onnx", family, **graph)
    background = ("--bg--",) if family in ("fasterrcnn", "maskrcnn") else ()
    (folder / "labels.json").write_text(json.dumps(labels or (*background, "bolt", "nut", "washer")))
    (folder / "settings.json").write_text(json.dumps(settings))
    return folder


def run(folder: Path, **said: Any) -> Imported:
    options = {"name": "parts", "registry": folder.parent / "models", "any_task": True, **said}
    return import_artifacts(ImportOptions(folder=folder, **options))


FAMILIES: list[tuple[Family, tuple[Dimension, Dimension], FixedSize | BoundedSides, str, float]] = [
    ("fasterrcnn", (600, 800), FixedSize(rule="stretch", width=800, height=600), "imagenet", 0.25),
    ("retinanet", (600, 800), FixedSize(rule="stretch", width=800, height=600), "imagenet", 0.25),
    ("maskrcnn", ("height", "width"), BoundedSides(rule="bounded", min_size=500, max_size=1000), "imagenet", 0.25),
    ("yolov5", (640, 640), FixedSize(rule="letterbox", width=640, height=640), "0-1", 0.25),
]


@pytest.mark.parametrize(
    ("family", "sides", "preprocessing", "value_range", "threshold"), FAMILIES, ids=[case[0] for case in FAMILIES]
)
def test_files_become_an_unproven_bundle(
    tmp_path: Path,
    family: Family,
    sides: tuple[Dimension, Dimension],
    preprocessing: FixedSize | BoundedSides,
    value_range: str,
    threshold: float,
) -> None:
    """The manifest says what the contract says, the settings are kept whole, and it is one picture a batch."""
    bundle = run(write_artifacts(tmp_path / "a", family, sides=sides)).bundle
    manifest = bundle.manifest
    assert (manifest.family, manifest.batch, manifest.golden) == (family, "single", ())
    assert manifest.task == f"image-{'instance-segmentation' if family == 'maskrcnn' else 'object-detection'}"
    assert manifest.preprocessing == preprocessing
    assert (manifest.input.name, manifest.input.range, manifest.postprocessing.threshold) == (
        "input",
        value_range,
        threshold,
    )
    assert manifest.input.shape[2:] == sides
    assert json.loads((bundle.folder / "settings.json").read_text()) == SETTINGS


def test_the_edge_refuses_to_serve_it(tmp_path: Path) -> None:
    """It is a bundle whose files hold, and a model that is not run."""
    bundle = run(write_artifacts(tmp_path / "a", "yolov5", sides=(640, 640))).bundle
    with pytest.raises(ModelUnsupportedError, match=r"is a model for image-object-detection \(family yolov5\)"):
        load_model(bundle.folder)
    truncate(bundle.folder / "model.onnx")
    with pytest.raises(ModelInvalidError, match="cut off or changed"):
        load_model(bundle.folder)


def test_without_being_asked_for_it_is_refused(tmp_path: Path) -> None:
    """``models import`` makes no bundle of what the edge does not run."""
    with pytest.raises(ModelUnsupportedError, match="the graph is of the family retinanet"):
        run(write_artifacts(tmp_path / "a", "retinanet"), any_task=False)
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("family", ["fasterrcnn", "retinanet", "maskrcnn"])
def test_batch_is_the_number_of_pictures_in_the_outputs_names(tmp_path: Path, family: Family) -> None:
    """Sides that the graph leaves open are those that were asked for, else AutoML's."""
    folder = write_artifacts(tmp_path / "a", family, images=4, sides=("height", "width"))
    manifest = run(folder, images=4, size=(640, 480)).bundle.manifest
    assert manifest.batch == 4
    assert manifest.preprocessing == FixedSize(rule="stretch", width=640, height=480)
    assert run(folder).bundle.manifest.preprocessing == FixedSize(rule="stretch", width=800, height=600)


@pytest.mark.parametrize("axis", [4, "batch"])
def test_batch_of_yolov5_is_its_axis_or_what_is_said(tmp_path: Path, axis: Dimension) -> None:
    """Its one output has no number in its name."""
    folder = write_artifacts(tmp_path / "a", "yolov5", sides=(640, 640), axis=axis)
    assert run(folder, images=4).bundle.manifest.batch == 4


REFUSED: list[tuple[Family, dict[str, Any], dict[str, Any], type[Exception], str]] = [
    ("fasterrcnn", {}, {"images": 4}, ModelInvalidError, r"exported for 1 picture\(s\) a batch, .* not for 4"),
    ("fasterrcnn", {"images": 2}, {"images": 4}, ModelInvalidError, r"exported for 2 picture\(s\)"),
    ("fasterrcnn", {}, {"size": (640, 480)}, ModelInvalidError, "the graph takes 800 x 600 pixels"),
    ("fasterrcnn", {"labels": ("bolt",)}, {}, ModelInvalidError, "begin with '--bg--'"),
    ("yolov5", {"sides": (600, 800)}, {}, ModelInvalidError, "yolov5 takes a square"),
    ("yolov5", {"sides": (640, 640), "labels": ("bolt",)}, {}, ModelInvalidError, "3 classes, but there are 1"),
    ("maskrcnn", {}, {"task": "image-object-detection"}, ConfigError, "it is for image-instance-segmentation"),
    ("maskrcnn", {"settings": {"task_type": "image-object-detection"}}, {}, ModelInvalidError, "two models"),
    ("retinanet", {"settings": {"box_score_thresh": 2}}, {}, ModelInvalidError, "a number from 0 to 1 expected"),
    ("retinanet", {"settings": {"enable_onnx_normalization": True}}, {}, ModelUnsupportedError, "does not normalise"),
    ("retinanet", {}, {"golden": Path()}, ConfigError, "stays unproven"),
]


@pytest.mark.parametrize(
    ("family", "written", "said", "kind", "text"), REFUSED, ids=[f"{case[0]}: {case[4]}" for case in REFUSED]
)
def test_contradictions_are_refused(
    tmp_path: Path,
    family: Family,
    written: dict[str, Any],
    said: dict[str, Any],
    kind: type[Exception],
    text: str,
) -> None:
    """What graph, files and arguments say against each other is named, and nothing is registered."""
    folder = write_artifacts(tmp_path / "a", family, **written)
    with pytest.raises(kind, match=text):
        run(folder, **said)
    assert not list((tmp_path / "models").glob("*"))


def test_normalisation_inside_yolov5_is_a_range(tmp_path: Path) -> None:
    """It then takes 0..255."""
    folder = write_artifacts(tmp_path / "a", "yolov5", sides=(640, 640), settings={"enable_onnx_normalization": True})
    assert run(folder).bundle.manifest.input.range == "0-255"


def test_classification_files_keep_their_way(tmp_path: Path) -> None:
    """``any_task`` changes nothing for them; provenance and metrics are added."""
    folder = tmp_path / "a"
    folder.mkdir()
    write_graph(folder / "model.onnx")
    (folder / "labels.json").write_text(json.dumps(["blue", "bright", "dark", "red"]))
    (folder / "settings.json").write_text(json.dumps({"valid_resize_size": 36, "valid_crop_size": 32}))
    said = {"task": "image-classification", "provenance": {"job": "j"}, "metrics": {"accuracy": 0.9}}
    manifest = run(folder, **said).bundle.manifest
    assert manifest.provenance["job"] == "j"
    assert manifest.provenance["sha256"]["model.onnx"] == manifest.files["model.onnx"].sha256
    assert manifest.metrics == {"accuracy": 0.9}
