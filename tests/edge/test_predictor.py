"""The predictor: preprocess, run, postprocess of one bundle, with a run that is handed in."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.bundle import Bundle, Manifest, cropped
from edge.errors import ImageDecodeError, ImageTooLargeError, InferenceError, ModelUnsupportedError
from edge.predictor import BatchF32, OutputsF32, Predictor
from edge.preprocess.classification import prepare

LABELS = ("blue", "green", "red")
FILE = {"sha256": "0" * 64, "size": 1}


def _bundle(**changes: Any) -> Bundle:
    """A bundle of which only the manifest and the labels matter here."""
    manifest: dict[str, Any] = {
        "name": "colours",
        "version": "1",
        "task": "image-classification",
        "family": "classification",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "input": {"name": "input1", "shape": ("batch", 3, 8, 8), "range": "0-1"},
        "preprocessing": {"resize": 10, "crop": 8},
        "files": {"model.onnx": FILE, "labels.json": FILE},
    }
    return Bundle(Path("colours"), Manifest.model_validate({**manifest, **changes}), LABELS, "0" * 64)


def _mean_of_channels(batch: BatchF32) -> OutputsF32:
    """A run whose logits say how blue, green and red a picture is: 0 for a channel at 0.5, 8 at 1."""
    return np.asarray((batch.mean(axis=(2, 3))[:, ::-1] - 0.5) * 16, np.float32)


def _plain(red: int, green: int, blue: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((12, 20, 3), (red, green, blue), np.uint8)


def test_a_picture_goes_the_whole_way() -> None:
    """The picture becomes a batch of one, the run's only row becomes the prediction."""
    found = Predictor(_bundle()).predict(_plain(0, 255, 0), _mean_of_channels)
    assert found.label == "green"
    assert found.labels == LABELS
    assert found.score > 0.99
    assert found.selected is None


def test_a_multi_label_bundle_selects() -> None:
    """The task decides: a multi-label bundle selects every label above its own threshold."""
    bundle = _bundle(task="image-classification-multilabel", postprocessing={"threshold": 0.99})
    found = Predictor(bundle).predict(_plain(255, 191, 255), _mean_of_channels)
    assert found.selected == ("blue", "red")
    assert found.probs[1] == pytest.approx(0.982, abs=0.001)


def test_the_input_has_the_bundles_shape() -> None:
    """The side of the crop comes from the manifest, and so does the tensor."""
    tensor_input = {"name": "input1", "shape": ("batch", 3, 33, 33)}
    predictor = Predictor(_bundle(input=tensor_input, preprocessing={"resize": 40, "crop": 33}))
    assert predictor.input_shape == (3, 33, 33)
    assert predictor.prepare(_plain(1, 2, 3)).shape == predictor.input_shape


def test_the_manifest_decides_range_and_colour() -> None:
    """Value range, colour order and rule are the bundle's, not defaults."""
    picture = _plain(255, 0, 51)
    bundle = _bundle(
        input={"name": "input1", "shape": ("batch", 3, 8, 8), "range": "0-255", "colour": "bgr"},
        preprocessing={"rule": "square", "resize": 10, "crop": 8},
    )
    tensor = Predictor(bundle).prepare(picture)
    assert tensor[:, 4, 4].tolist() == [51.0, 0.0, 255.0]
    np.testing.assert_array_equal(
        tensor,
        prepare(picture, preprocessing=cropped(bundle.manifest), colour="bgr", value_range="0-255"),
    )


def test_errors_of_the_steps_come_through() -> None:
    """A bad picture, one above the limit and an answer that is not finite are three different errors."""
    predictor = Predictor(_bundle(), max_pixels=239)
    with pytest.raises(ImageDecodeError):
        predictor.prepare(b"no picture")
    with pytest.raises(ImageTooLargeError, match="the limit is 239"):
        predictor.prepare(_plain(0, 0, 0))
    with pytest.raises(InferenceError):
        predictor.finish(np.array([0, np.nan, 0], np.float32))


@pytest.mark.parametrize(
    ("task", "family"), [("image-object-detection", "yolov5"), ("image-instance-segmentation", "maskrcnn")]
)
def test_other_tasks_are_refused_by_name(task: str, family: str) -> None:
    """A task that this version does not run is refused before anything is loaded."""
    with pytest.raises(ModelUnsupportedError, match=task):
        Predictor(_bundle(task=task, family=family))
