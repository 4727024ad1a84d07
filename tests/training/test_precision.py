"""Bundles in fp16 and int8: what they keep, and when they are refused."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx")

from edge.bundle import MULTILABEL, Bundle, open_bundle  # noqa: E402 - onnx may be absent
from edge.errors import EdgeError  # noqa: E402 - as above
from edge.proof import load_and_prove  # noqa: E402 - as above
from tests.training.colour_bundles import colour_bundle, write_pictures  # noqa: E402 - as above
from training.dataset.records import Record  # noqa: E402 - as above
from training.errors import DataError, ExportError, TrainingError, UsageError  # noqa: E402 - as above
from training.judge import evaluate_bundle  # noqa: E402 - as above
from training.precision import Order, Told, convert_bundle  # noqa: E402 - as above

INT8 = Order(precision="int8", name="colours", version="1-int8", calibration_pictures=12, timed_s=0)
FP16 = Order(precision="fp16", name="colours", version="1-fp16", timed_s=0)


@dataclass(frozen=True)
class Pictures:
    calibration: list[Record]
    judging: list[Record]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    folder = tmp_path_factory.mktemp("pictures")
    return Pictures(write_pictures(folder / "some", 6, seed=0), write_pictures(folder / "others", 10, seed=1))


@pytest.fixture(scope="module")
def source(pictures: Pictures, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return colour_bundle(tmp_path_factory.mktemp("source") / "fp32", pictures.judging[::10])


def convert(source: Bundle, order: Order, folder: Path, pictures: Pictures, said: list[str] | None = None) -> Bundle:
    told = Told(say=(said if said is not None else []).append)
    made = convert_bundle(source, order, folder, calibration=pictures.calibration, judging=pictures.judging, told=told)
    return made.bundle


@pytest.mark.parametrize("order", [INT8, FP16], ids=["int8", "fp16"])
def test_another_precision_proves_itself_and_says_what_it_costs(
    source: Bundle, order: Order, pictures: Pictures, tmp_path: Path
) -> None:
    """The bundle is proven by its own graph's answers; its manifest holds what was measured, and how it was made."""
    bundle = convert(source, order, tmp_path / "made", pictures)
    _, proof = load_and_prove(open_bundle(bundle.folder), device="cpu")
    assert proof.proven
    assert proof.difference == pytest.approx(0, abs=1e-6)
    figures = bundle.manifest.metrics["precision"]
    assert (figures["before"], figures["after"], figures["pictures"]) == (1.0, 1.0, 30)
    assert figures["bytes_after"] == bundle.model_path.stat().st_size
    assert {speed["threads"] for speed in figures["speed"]} >= {1}
    assert bundle.manifest.metrics["held_out"]["accuracy"] == 1.0
    assert bundle.manifest.provenance["precision"] == order.precision
    assert bundle.manifest.provenance["conversion"]["of_metrics"] == {"held_out": {"accuracy": 1.0}}
    assert (str(bundle), bundle.labels) == (f"colours:1-{order.precision}", source.labels)
    assert evaluate_bundle(bundle, pictures.judging, lambda _: None).mistakes == 0


def test_a_multi_label_bundle_is_judged_by_the_overlap_of_labels(pictures: Pictures, tmp_path: Path) -> None:
    """The gate's metric is AutoML's for the task, and task and threshold stay."""
    source = colour_bundle(tmp_path / "fp32", pictures.judging[::10], task=MULTILABEL)
    bundle = convert(source, INT8, tmp_path / "made", pictures)
    assert bundle.manifest.metrics["precision"]["metric"] == "iou"
    assert bundle.manifest.metrics["held_out"]["iou"] == 1.0
    assert bundle.manifest.task == MULTILABEL


def test_what_loses_too_much_is_refused_and_nothing_written(pictures: Pictures, tmp_path: Path) -> None:
    """The refusal names the figures and remedies, also after layers were left in floats in vain."""
    (tmp_path / "source").mkdir()
    source = colour_bundle(tmp_path / "source" / "fp32", pictures.judging[::10], outliers=2)
    with pytest.raises(ExportError, match=r"int8 loses 0\.\d+ of accuracy \(1\.0000 before.*--calibration-pictures"):
        convert(source, INT8, tmp_path / "made", pictures)
    assert list(tmp_path.iterdir()) == [tmp_path / "source"]


def test_layers_that_suffer_most_are_left_in_floats(pictures: Pictures, tmp_path: Path) -> None:
    """Where int8 as a whole loses too much, the two layers around an outlier stay as they are, and it says so."""
    source = colour_bundle(tmp_path / "fp32", pictures.judging[::10], outliers=1)
    said: list[str] = []
    bundle = convert(source, INT8, tmp_path / "made", pictures, said)
    assert set(bundle.manifest.provenance["conversion"]["in_float"]) == {"first", "second"}
    assert bundle.manifest.metrics["precision"]["after"] == 1.0
    assert [line.partition(":")[0] for line in said[-3:]] == ["int8", "int8 but for 1 layers", "int8 but for 2 layers"]


def test_more_may_be_allowed(pictures: Pictures, tmp_path: Path) -> None:
    """What is refused by default is written where all may be lost; but never without a golden picture that holds."""
    source = colour_bundle(tmp_path / "fp32", pictures.judging[:1], outliers=2)
    order = replace(INT8, allowed_loss=1.0)
    bundle = convert(source, order, tmp_path / "made", pictures)
    assert bundle.manifest.metrics["precision"]["after"] < 0.5
    wrong = colour_bundle(tmp_path / "fp32 again", pictures.judging[20:21], outliers=2)
    with pytest.raises(ExportError, match="only 0 of 1 golden pictures keep their labels"):
        convert(wrong, order, tmp_path / "made again", pictures)


def test_pictures_that_are_judged_never_calibrate(source: Bundle, pictures: Pictures, tmp_path: Path) -> None:
    """Copies of judged pictures are passed over; where nothing else is left, it is refused."""
    copy = Record(Path(shutil.copy(pictures.judging[0].path, tmp_path / "copy.png")), pictures.judging[0].labels)
    with pytest.raises(DataError, match="every picture to calibrate on is one to judge by"):
        convert(source, INT8, tmp_path / "made", replace(pictures, calibration=[copy]))
    mixed = replace(pictures, calibration=[copy, pictures.calibration[0]])
    bundle = convert(source, INT8, tmp_path / "made", mixed)
    assert bundle.manifest.provenance["conversion"]["calibration"]["pictures"] == 1


def test_a_source_that_guesses_is_no_measure(source: Bundle, pictures: Pictures, tmp_path: Path) -> None:
    """Where the labels of the pictures to judge by are wrong, nothing can be lost, so it is refused."""
    other = {"Blau": "Rot", "Rot": "Grün", "Grün": "Blau"}
    wrong = [replace(record, labels=(other[record.label],)) for record in pictures.judging]
    with pytest.raises(DataError, match=r"itself answers 0\.0% of the pictures to judge by rightly"):
        convert(source, FP16, tmp_path / "made", replace(pictures, judging=wrong))
    assert list(tmp_path.iterdir()) == []


def test_classes_that_no_picture_judges_are_told(source: Bundle, pictures: Pictures, tmp_path: Path) -> None:
    """What is lost of them would not be seen."""
    said: list[str] = []
    convert(source, FP16, tmp_path / "made", replace(pictures, judging=pictures.judging[:10]), said)
    assert "no picture to judge by shows Grün, Rot: what is lost there is not seen" in said


def test_too_few_pictures_to_judge_by_are_told(source: Bundle, pictures: Pictures, tmp_path: Path) -> None:
    """Where one mistake would weigh more than may be lost, it says how many pictures it takes."""
    said: list[str] = []
    convert(source, FP16, tmp_path / "made", pictures, said)
    assert said[0] == "30 pictures judge; it takes 200 to tell a loss of 0.005"


def test_what_cannot_be_converted_is_named_first(source: Bundle, pictures: Pictures, tmp_path: Path) -> None:
    """No pictures, a taken target, a wrong name, an unknown class, a bundle that is int8 already."""
    taken = tmp_path / "taken"
    taken.write_text("")
    made = convert(source, INT8, tmp_path / "int8", pictures)
    rust = [replace(pictures.judging[0], labels=("Rust",))]
    broken = Record(tmp_path / "broken.png", ("Rot",))
    broken.path.write_bytes(b"no picture")
    cases: list[tuple[Bundle, Order, Path, Pictures, type[TrainingError], str]] = [
        (source, FP16, taken, pictures, ExportError, "taken"),
        (source, replace(FP16, name="ü"), tmp_path / "a", pictures, UsageError, "name 'ü'"),
        (made, FP16, tmp_path / "a", pictures, UsageError, "is int8 already"),
        (source, FP16, tmp_path / "a", replace(pictures, judging=[]), DataError, "--judge DATA"),
        (source, INT8, tmp_path / "a", replace(pictures, calibration=[]), DataError, "--calibrate DATA"),
        (source, FP16, tmp_path / "a", replace(pictures, judging=rust), DataError, "class 'Rust'"),
        (source, FP16, tmp_path / "a", replace(pictures, judging=[broken]), DataError, r"broken\.png"),
        (source, INT8, tmp_path / "a", replace(pictures, calibration=[broken]), DataError, r"broken\.png"),
    ]
    for bundle, order, folder, some, error, message in cases:
        with pytest.raises(error, match=message):
            convert(bundle, order, folder, some)
    assert not (tmp_path / "a").exists()


def test_a_changed_source_is_no_source(source: Bundle, pictures: Pictures, tmp_path: Path) -> None:
    """A graph that is cut off after it was opened ends as one line, and nothing is written."""
    copy = tmp_path / "copy"
    shutil.copytree(source.folder, copy)
    opened = open_bundle(copy)
    opened.model_path.write_bytes(opened.model_path.read_bytes()[:300])
    with pytest.raises((ExportError, EdgeError)):
        convert(opened, INT8, tmp_path / "made", pictures)
    assert not (tmp_path / "made").exists()


def test_figures_are_plain_json(source: Bundle, pictures: Pictures, tmp_path: Path) -> None:
    """The manifest can be read back by anything."""
    bundle = convert(source, INT8, tmp_path / "made", pictures)
    told = json.loads((bundle.folder / "manifest.json").read_text())
    assert told["metrics"]["precision"]["difference_95"] == [-0.1, 0.1]
    assert told["provenance"]["conversion"]["calibration"]["method"] == "minmax"
