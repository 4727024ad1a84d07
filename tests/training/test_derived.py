"""Bundles made of bundles: a temperature in the graph changes probabilities and no label."""

from pathlib import Path

import pytest

pytest.importorskip("onnx")
pytest.importorskip("scipy")

from edge.bundle import MULTILABEL, Dimension, Task, open_bundle
from edge.errors import EdgeError
from edge.proof import load_model
from tests.fakes import COLOURS, GraphOptions, edit_manifest, encoded, make_bundle, picture
from training.derived import Tuning, derive_bundle, write_calibrated
from training.errors import ExportError, UsageError
from training.judge import batch_size, filled_up


@pytest.mark.parametrize(
    ("task", "batch"), [("image-classification", "batch"), (MULTILABEL, "batch"), ("image-classification", 3)]
)
def test_calibrated_keeps_labels(task: Task, batch: Dimension, tmp_path: Path) -> None:
    """The new bundle proves itself, says where it comes from, and is less sure of the same labels."""
    source = open_bundle(make_bundle(tmp_path / "1", task=task, graph=GraphOptions(batch=batch)))
    made = write_calibrated(source, Tuning(2.0), tmp_path / "2", version="2", facts={"pictures": 9})
    assert made.manifest.version == "2"
    assert made.manifest.provenance["calibration"]["of"] == "colours:1"
    assert made.manifest.provenance["calibration"]["of_digest"] == source.digest
    assert made.manifest.input == source.manifest.input
    before, after = load_model(tmp_path / "1", device="cpu"), load_model(tmp_path / "2", device="cpu")
    assert after.ref.proven
    for colour in COLOURS.values():
        image = encoded(picture(colour))
        one, two = (
            model.predictor.finish(model.session.run(filled_up([model.predictor.prepare(image)], batch_size(model)))[0])
            for model in (before, after)
        )
        assert (two.label, two.selected) == (one.label, one.selected)
        assert two.score < one.score


def test_threshold_moves_along(tmp_path: Path) -> None:
    """A multi-label threshold other than one half is moved, so that it selects the same labels after the division."""
    folder = make_bundle(tmp_path / "1", task=MULTILABEL)
    edit_manifest(folder, lambda manifest: manifest.update(postprocessing={"threshold": 0.8}))
    made = write_calibrated(open_bundle(folder), Tuning(3.0), tmp_path / "2", version="2", facts={})
    assert made.manifest.postprocessing.threshold == pytest.approx(1 / (1 + 4 ** (-1 / 3)))


def test_a_better_threshold(tmp_path: Path) -> None:
    """A threshold of one's own is moved with the division, and alone needs none; golden pictures get its labels."""
    source = open_bundle(make_bundle(tmp_path / "1", task=MULTILABEL))
    alone = write_calibrated(source, Tuning(None, 0.9), tmp_path / "2", version="2", facts={})
    assert alone.manifest.postprocessing.threshold == 0.9
    assert alone.manifest.files["model.onnx"] == source.manifest.files["model.onnx"]
    assert {golden.expected.labels for golden in alone.manifest.golden} == {()}
    both = write_calibrated(source, Tuning(2.0, 0.8), tmp_path / "3", version="3", facts={})
    assert both.manifest.postprocessing.threshold == pytest.approx(2 / 3)


def test_refused_before_work(tmp_path: Path) -> None:
    """A taken folder and a version that is none are refused, and nothing is left behind."""
    source = open_bundle(make_bundle(tmp_path / "1"))
    with pytest.raises(ExportError, match="not empty"):
        write_calibrated(source, Tuning(2.0), tmp_path / "1", version="2", facts={})
    with pytest.raises(UsageError, match="version 'a b'"):
        write_calibrated(source, Tuning(2.0), tmp_path / "2", version="a b", facts={})
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_a_graph_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """What does not load never gets its name."""
    source = open_bundle(make_bundle(tmp_path / "1"))

    def write(path: Path) -> None:
        path.write_bytes(b"no graph")

    with pytest.raises(EdgeError):
        derive_bundle(source, tmp_path / "2", version="2", write_graph=write, changes={})
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
