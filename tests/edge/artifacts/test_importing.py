"""AutoML's files become a registered bundle, or a clear refusal and nothing in the registry."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.artifacts import Imported, ImportOptions, import_artifacts
from edge.bundle import Bundle, Colour, Range, Rule, cropped
from edge.errors import ConfigError, EdgeError, ModelInvalidError, ModelNotFoundError, ModelUnsupportedError, StoreError
from edge.proof import load_model
from edge.registry.local import LocalRegistry
from tests.fakes import (
    COLOURS,
    CROP,
    LABELS,
    RESIZE,
    GraphOptions,
    encoded,
    known_probs,
    picture,
    truncate,
    write_graph,
)

SIZES = {"valid_resize_size": RESIZE, "valid_crop_size": CROP}
DIM = (135, 135, 135)
"""Brighter than the middle of dark and bright: bright to a right recipe, something else to most wrong ones."""

PICTURES: Mapping[str, tuple[str, NDArray[np.uint8]]] = {
    **{f"{name}.png": (name, picture(colour)) for name, colour in COLOURS.items()},
    "dim-1.png": ("bright", picture(DIM)),
    "dim-2.png": ("bright", picture((137, 135, 135))),
    "wide-1.png": ("red", picture(COLOURS["red"], sides=COLOURS["blue"])),
    "wide-2.png": ("blue", picture(COLOURS["blue"], sides=COLOURS["red"])),
}
"""Pictures that tell every range, rule and colour order of the fake classifier apart, and their classes."""


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    return write_artifacts(tmp_path / "train_artifacts")


def write_artifacts(
    folder: Path, graph: GraphOptions = GraphOptions(), settings: Mapping[str, Any] | None = SIZES
) -> Path:
    folder.mkdir(parents=True)
    write_graph(folder / "model.onnx", graph)
    (folder / "labels.json").write_text(json.dumps(LABELS))
    if settings is not None:
        (folder / "settings.json").write_text(json.dumps(settings))
    return folder


def write_golden(folder: Path) -> Path:
    for name, (label, image) in PICTURES.items():
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / name).write_bytes(encoded(image))
    return folder


def run(folder: Path, **said: Any) -> Imported:
    options = {"name": "parts", "task": "image-classification", "registry": folder.parent / "models", **said}
    return import_artifacts(ImportOptions(folder=folder, **options))


def test_bare_artifacts_become_an_unproven_bundle(tmp_path: Path, artifacts: Path) -> None:
    """Without known answers the bundle is registered as it was described, loads, and is unproven."""
    imported = run(artifacts)
    manifest = imported.bundle.manifest
    assert imported.evidence is None
    assert imported.bundle.folder == tmp_path / "models" / "parts" / "1"
    sizes = cropped(manifest)
    assert (sizes.resize, sizes.crop, manifest.input.range) == (
        RESIZE,
        CROP,
        "imagenet",
    )
    assert set(manifest.files) == {"model.onnx", "labels.json", "settings.json"}
    assert not load_model(imported.bundle.folder, device="cpu", threads=1).ref.proven
    assert [one.version for one in LocalRegistry(tmp_path / "models").candidates("parts")] == ["1"]


def test_provenance_tells_all_but_the_disk(tmp_path: Path, artifacts: Path) -> None:
    """Settings as found, hashes, tool and time are kept; no path of the machine is."""
    bundle = run(artifacts, golden=write_golden(tmp_path / "golden")).bundle
    provenance = bundle.manifest.provenance
    assert provenance["settings"] == SIZES
    assert provenance["source"] == "train_artifacts"
    assert provenance["tool"].startswith("automl-edge ")
    assert provenance["sha256"]["model.onnx"] == bundle.manifest.files["model.onnx"].sha256
    assert provenance["known_answers"]["right"] == len(PICTURES)
    assert str(tmp_path) not in (bundle.folder / "manifest.json").read_text()


def test_versions_count_up_and_are_never_overwritten(artifacts: Path) -> None:
    """Without a version the next number is taken; a version that exists is refused and stays."""
    assert [run(artifacts).bundle.manifest.version for _ in range(2)] == ["1", "2"]
    assert run(artifacts, version="10").bundle.manifest.version == "10"
    assert run(artifacts).bundle.manifest.version == "11"
    with pytest.raises(ConfigError, match="parts:2 is already registered"):
        run(artifacts, version="2")


RECIPES: list[tuple[GraphOptions, dict[str, str]]] = [
    (GraphOptions(), {}),
    (GraphOptions(range="0-255"), {"range": "0-255"}),
    (GraphOptions(range="0-1"), {"range": "0-1"}),
    (GraphOptions(colour="bgr"), {"colour": "bgr"}),
    (GraphOptions(range="0-255", colour="bgr"), {"range": "0-255", "colour": "bgr"}),
]


@pytest.mark.parametrize(("graph", "right"), RECIPES, ids=[f"{graph.range} {graph.colour}" for graph, _ in RECIPES])
def test_known_answers_make_a_proven_bundle(tmp_path: Path, graph: GraphOptions, right: dict[str, str]) -> None:
    """With the right recipe the pictures are stored with their measured probabilities, and prove the bundle."""
    folder = write_artifacts(tmp_path / "train_artifacts", graph)
    imported = run(folder, golden=write_golden(tmp_path / "golden"), **right)
    golden = imported.bundle.manifest.golden
    assert imported.evidence is not None
    assert (imported.evidence.judged, imported.evidence.right) == (len(PICTURES), len(PICTURES))
    assert imported.evidence.missed == imported.evidence.undecided == ()
    assert len(golden) == len(PICTURES)
    expected = {one.image: one.expected for one in golden}
    blue = next(expected[path] for path in expected if path.endswith("-blue.png"))
    assert blue.labels == ("blue",)
    assert blue.probs == pytest.approx(known_probs(COLOURS["blue"]), abs=1e-3)
    assert load_model(imported.bundle.folder, device="cpu", threads=1).ref.proven


GUESSES: list[tuple[Range, Colour, Rule, dict[str, str], str]] = [
    ("0-255", "rgb", "shorter-side", {}, "--range 0-255"),
    ("0-1", "rgb", "shorter-side", {}, "--range 0-1"),
    ("imagenet", "rgb", "shorter-side", {"range": "0-255"}, "--range imagenet"),
    ("imagenet", "rgb", "shorter-side", {"range": "0-1"}, "--range imagenet"),
    ("imagenet", "rgb", "shorter-side", {"colour": "bgr"}, "--colour rgb"),
    ("imagenet", "bgr", "shorter-side", {}, "--colour bgr"),
    ("imagenet", "rgb", "shorter-side", {"rule": "square"}, "--rule shorter-side"),
    ("0-255", "bgr", "shorter-side", {"rule": "square"}, "--range 0-255 --rule shorter-side --colour bgr"),
]


@pytest.mark.parametrize(("value_range", "colour", "rule", "guess", "remedy"), GUESSES)
def test_wrong_guess_is_caught_and_the_right_one_named(
    tmp_path: Path, value_range: Range, colour: Colour, rule: Rule, guess: dict[str, str], remedy: str
) -> None:
    """A range, colour order or rule that the known answers do not fit is refused with the arguments to pass instead."""
    assert rule == "shorter-side"
    folder = write_artifacts(tmp_path / "train_artifacts", GraphOptions(range=value_range, colour=colour))
    with pytest.raises(ModelInvalidError) as caught:
        run(folder, golden=write_golden(tmp_path / "golden"), **guess)
    assert str(caught.value).endswith(f": pass {remedy}")
    assert "8 of 8 right" in str(caught.value)
    assert LocalRegistry(tmp_path / "models").candidates() == ()


def test_normalisation_in_the_settings_is_the_right_guess(tmp_path: Path) -> None:
    """A model exported with ``enable_onnx_normalization`` needs no argument."""
    settings = {**SIZES, "enable_onnx_normalization": True}
    folder = write_artifacts(tmp_path / "train_artifacts", GraphOptions(range="0-255"), settings)
    bundle = run(folder, golden=write_golden(tmp_path / "golden")).bundle
    assert bundle.manifest.input.range == "0-255"


def write_cloud_answers(folder: Path, *, off: float = 0.0) -> Path:
    folder.mkdir()
    lines = []
    for name, colour in COLOURS.items():
        (folder / f"{name}.png").write_bytes(encoded(picture(colour)))
        probs = known_probs(colour)
        moved = [probs[0] - off, *probs[1:]] if name == "blue" else list(probs)
        lines.append({"image": f"{name}.png", "probs": moved[::-1], "labels": list(LABELS)[::-1]})
    (folder / "answers.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    return folder


def test_answers_of_the_endpoint_are_the_strongest_evidence(tmp_path: Path) -> None:
    """Known probabilities tell recipes apart that give the same labels."""
    folder = write_artifacts(tmp_path / "train_artifacts", GraphOptions(range="0-1"))
    golden = write_cloud_answers(tmp_path / "golden")
    with pytest.raises(ModelInvalidError, match=r"probabilities off by 0\.000\).*: pass --range 0-1$"):
        run(folder, golden=golden)
    imported = run(folder, golden=golden, range="0-1")
    assert imported.evidence is not None
    assert imported.evidence.fit.startswith("4 of 4 right, probabilities off by 0.000")


def test_missed_answer_is_reported_and_left_out(tmp_path: Path, artifacts: Path) -> None:
    """A picture whose known answer does not come out is named with both, and is no golden picture."""
    golden = write_golden(tmp_path / "golden")
    (golden / "red" / "odd.png").write_bytes(encoded(picture(COLOURS["dark"])))
    imported = run(artifacts, golden=golden)
    assert imported.evidence is not None
    (missed,) = imported.evidence.missed
    assert re.fullmatch(r"red/odd\.png: known red, found dark \(0\.\d\d\)", missed)
    assert len(imported.bundle.manifest.golden) == len(PICTURES)
    assert imported.bundle.manifest.provenance["known_answers"]["missed"] == list(imported.evidence.missed)


def test_wobbly_answer_is_not_stored(tmp_path: Path, artifacts: Path) -> None:
    """An answer that another device might turn over counts as right and proves nothing."""
    golden = write_golden(tmp_path / "golden")
    (golden / "bright" / "half.png").write_bytes(encoded(picture((128, 128, 128))))
    imported = run(artifacts, golden=golden)
    assert imported.evidence is not None
    assert imported.evidence.right == len(PICTURES) + 1
    assert len(imported.bundle.manifest.golden) == len(PICTURES)


def test_answers_of_another_model_are_refused(tmp_path: Path, artifacts: Path) -> None:
    """When fewer than four fifths come out under any recipe, answers and model do not belong together."""
    golden = tmp_path / "golden"
    for label, colour in zip(LABELS, [COLOURS[name] for name in (*LABELS[2:], *LABELS[:2])], strict=True):
        (golden / label).mkdir(parents=True)
        (golden / label / "1.png").write_bytes(encoded(picture(colour)))
    with pytest.raises(ModelInvalidError, match="the known answers do not come out, whatever range, rule and colour"):
        run(artifacts, golden=golden)


def test_bundle_stays_small(tmp_path: Path, artifacts: Path) -> None:
    """Of many pictures at most twenty are stored, evenly over the classes, and large ones are passed over."""
    golden = write_golden(tmp_path / "golden")
    noise = np.random.default_rng(0).integers(0, 4, (1200, 1200, 3), np.uint8) + np.array(COLOURS["red"], np.uint8)
    (golden / "red" / "large.png").write_bytes(encoded(noise.astype(np.uint8), "BMP"))
    for name, (red, green, blue) in COLOURS.items():
        for step in range(10):
            (golden / name / f"more-{step}.png").write_bytes(encoded(picture((red + step, green, blue))))
    bundle = run(artifacts, golden=golden).bundle
    labels = [one.expected.labels[0] for one in bundle.manifest.golden]
    assert len(labels) == 20
    assert min(labels.count(label) for label in LABELS) >= 4
    assert sum(file.size for path, file in bundle.manifest.files.items() if path.startswith("golden/")) < 3_000_000


def test_multilabel_answers(tmp_path: Path, artifacts: Path) -> None:
    """A multi-label model is judged by sets of labels, the empty one included."""
    golden = tmp_path / "golden"
    golden.mkdir()
    white = (255, 255, 255)
    for name, colour in {**COLOURS, "white": white}.items():
        (golden / f"{name}.png").write_bytes(encoded(picture(colour)))
    lines = [f"{name}.png,{name}" for name in LABELS]
    (golden / "answers.csv").write_text("\n".join([*lines, "white.png,"]))
    imported = run(artifacts, golden=golden, task="image-classification-multilabel")
    assert imported.evidence is not None
    assert imported.evidence.right == 5
    assert imported.bundle.manifest.task == "image-classification-multilabel"
    assert any(one.expected.labels == () for one in imported.bundle.manifest.golden)


def test_fixed_batch_can_be_judged_too(tmp_path: Path) -> None:
    """A graph that takes exactly five pictures is fed five at a time."""
    folder = write_artifacts(tmp_path / "train_artifacts", GraphOptions(batch=5))
    imported = run(folder, golden=write_golden(tmp_path / "golden"))
    assert imported.bundle.manifest.batch == 5
    assert len(imported.bundle.manifest.golden) == len(PICTURES)


def cut_model(folder: Path) -> None:
    truncate(folder / "model.onnx")


def wrong_opset(folder: Path) -> None:
    write_graph(folder / "model.onnx", GraphOptions(opset=99))


def no_labels(folder: Path) -> None:
    (folder / "labels.json").unlink()


def one_label_short(folder: Path) -> None:
    (folder / "labels.json").write_text(json.dumps(LABELS[:-1]))


def detection_graph(folder: Path) -> None:
    write_graph(folder / "model.onnx", GraphOptions(outputs=("boxes", "labels", "scores")))


BROKEN: list[tuple[Callable[[Path], None], type[EdgeError], str]] = [
    (cut_model, ModelInvalidError, r"refuses .*model\.onnx"),
    (wrong_opset, ModelInvalidError, r"refuses .*model\.onnx: .*opset"),
    (no_labels, ModelNotFoundError, r"there is no .*labels\.json"),
    (one_label_short, ModelInvalidError, r"output 'output1' has shape \['batch', 4\], but there are 3 labels"),
    (detection_graph, ModelUnsupportedError, "the graph is of the family fasterrcnn"),
]


@pytest.mark.parametrize(("change", "kind", "text"), BROKEN, ids=[case[0].__name__ for case in BROKEN])
def test_broken_artifacts_register_nothing(
    tmp_path: Path, artifacts: Path, change: Callable[[Path], None], kind: type[EdgeError], text: str
) -> None:
    """What cannot be a bundle is refused by name and leaves no trace in the registry."""
    change(artifacts)
    with pytest.raises(kind, match=text):
        run(artifacts)
    assert not list((tmp_path / "models").glob("**/*"))


ARGUMENTS: list[tuple[dict[str, Any], str]] = [
    ({"task": None}, "pass --task image-classification"),
    ({"name": "my parts"}, "--name 'my parts': letters, digits"),
    ({"name": "../parts"}, "--name '../parts'"),
    ({"version": ""}, "--version ''"),
    ({"version": "latest"}, "--version latest means the newest version"),
    ({"crop": 64}, "--crop 64 was given, but the graph takes 32 x 32"),
]


@pytest.mark.parametrize(("said", "text"), ARGUMENTS, ids=[case[1] for case in ARGUMENTS])
def test_wrong_arguments_are_named(tmp_path: Path, artifacts: Path, said: dict[str, Any], text: str) -> None:
    """Each wrong argument is named with what it may be."""
    with pytest.raises(ConfigError, match=text):
        run(artifacts, **said)
    assert not list((tmp_path / "models").glob("**/*"))


def test_registry_that_cannot_be_written(tmp_path: Path, artifacts: Path) -> None:
    """A file where the registry should be is an error that names the place."""
    (tmp_path / "models").write_text("")
    with pytest.raises((StoreError, EdgeError), match="models"):
        run(artifacts, version="1")


def empty(folder: Path) -> None:
    folder.mkdir()


def no_picture(folder: Path) -> None:
    (write_golden(folder) / "red" / "broken.png").write_text("not a picture")


def cut_picture(folder: Path) -> None:
    truncate(write_golden(folder) / "red" / "red.png")


def unknown_class(folder: Path) -> None:
    (write_golden(folder) / "red").rename(folder / "rot")


GOLDEN: list[tuple[Callable[[Path], None], str]] = [
    (empty, "holds no pictures with known answers"),
    (no_picture, r"broken\.png cannot be used: the 13 bytes do not begin like a picture"),
    (cut_picture, r"red\.png cannot be used: the PNG picture is damaged or cut off"),
    (unknown_class, "the model has no class rot; its classes are blue, bright, dark, red"),
]


@pytest.mark.parametrize(("make", "text"), GOLDEN, ids=[case[0].__name__ for case in GOLDEN])
def test_unusable_known_answers_are_named(
    tmp_path: Path, artifacts: Path, make: Callable[[Path], None], text: str
) -> None:
    """An empty folder, a folder that is no class, and files that are no pictures are wrong arguments, each named."""
    make(tmp_path / "golden")
    with pytest.raises(ConfigError, match=text):
        run(artifacts, golden=tmp_path / "golden")
    assert LocalRegistry(tmp_path / "models").candidates() == ()


def test_imported_bundle_answers(artifacts: Path) -> None:
    """What was imported predicts."""
    bundle: Bundle = run(artifacts).bundle
    model = load_model(bundle.folder, device="cpu", threads=1)
    assert model.predictor.predict(encoded(picture(COLOURS["red"])), model.session.run).label == "red"
