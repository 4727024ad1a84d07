"""A bundle proves itself by its golden pictures, on the device and the whole way."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.bundle import Task, open_bundle
from edge.errors import ModelInvalidError, ModelUnsupportedError
from edge.ports import Session
from edge.predictor import BatchF32, OutputsF32, Predictor
from edge.proof import Proof, load_and_prove, load_model, prove
from tests.fakes import (
    COLOURS,
    GOLDEN_PICTURES,
    LABELS,
    FakeSession,
    GraphOptions,
    always_fails,
    edit_manifest,
    encoded,
    make_bundle,
    mean_colour_answer,
    picture,
    rehash,
    truncate,
    write_graph,
)


def load(folder: Path) -> Proof:
    return load_and_prove(open_bundle(folder), device="cpu", threads=1)[1]


SOUND = [
    GraphOptions(),
    GraphOptions(range="0-255"),
    GraphOptions(range="0-1"),
    GraphOptions(colour="bgr"),
    GraphOptions(range="0-255", colour="bgr"),
]


@pytest.mark.parametrize("graph", SOUND, ids=lambda graph: f"{graph.range} {graph.colour}")
def test_sound_bundle_is_proven(tmp_path: Path, graph: GraphOptions) -> None:
    """A bundle whose manifest says what its graph expects gives the known answers, singly and in a batch."""
    proof = load(make_bundle(tmp_path, graph=graph))
    assert proof.proven
    assert {check.batch for check in proof.checks} == {1, 4}
    assert len(proof.checks) == 2 * len(GOLDEN_PICTURES)
    assert proof.difference is not None
    assert proof.difference < 0.005


def test_loaded_model_is_ready_to_serve(tmp_path: Path) -> None:
    """Loading gives a model with its name, its proof, its digest and a session that answers."""
    folder = make_bundle(tmp_path)
    model = load_model(folder, device="cpu", threads=1)
    assert (str(model.ref), model.ref.proven, model.digest) == ("colours:1", True, open_bundle(folder).digest)
    answer = model.predictor.predict(encoded(picture(COLOURS["dark"])), model.session.run)
    assert answer.label == "dark"


def test_bundle_without_golden_pictures_is_unproven(tmp_path: Path) -> None:
    """Without known answers a bundle loads, and says that it is unproven."""
    folder = make_bundle(tmp_path, golden=False)
    assert load(folder) == Proof(proven=False, checks=())
    assert not load_model(folder, device="cpu", threads=1).ref.proven


WRONG: list[tuple[str, Callable[[dict[str, Any]], None]]] = [
    ("range 0-255", lambda manifest: manifest["input"].update(range="0-255")),
    ("range 0-1", lambda manifest: manifest["input"].update(range="0-1")),
    ("colour", lambda manifest: manifest["input"].update(colour="bgr")),
    ("rule", lambda manifest: manifest["preprocessing"].update(rule="square")),
]


@pytest.mark.parametrize("change", [case[1] for case in WRONG], ids=[case[0] for case in WRONG])
def test_wrong_preprocessing_is_found(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """A manifest with the wrong range, colour order or rule fails, naming a picture, what was expected and found."""
    folder = make_bundle(tmp_path)
    edit_manifest(folder, change)
    with pytest.raises(ModelInvalidError, match=r"colours:1 fails its proof on CPU.*golden/.*png: expected .*, found "):
        load(folder)


def test_every_mismatch_is_named(tmp_path: Path) -> None:
    """The message lists each golden picture with its expected and found labels."""
    folder = make_bundle(tmp_path)

    def swap(manifest: dict[str, Any]) -> None:
        for golden in manifest["golden"][:2]:
            golden["expected"] = {"labels": ["red"]}

    edit_manifest(folder, swap)
    with pytest.raises(ModelInvalidError) as caught:
        load(folder)
    assert "golden picture golden/blue.png: expected red, found blue" in str(caught.value)
    assert "golden picture golden/bright.png in a batch of 4: expected red, found bright" in str(caught.value)


@pytest.mark.parametrize(("off", "holds"), [(0.015, True), (0.025, False)])
def test_probability_beyond_its_tolerance_is_found(tmp_path: Path, off: float, holds: bool) -> None:
    """The right label with a probability that is off counts only within the golden picture's tolerance."""
    folder = make_bundle(tmp_path)

    def move(manifest: dict[str, Any]) -> None:
        manifest["golden"][0]["expected"]["probs"][0] -= off

    edit_manifest(folder, move)
    if holds:
        assert load(folder).difference == pytest.approx(off, abs=0.002)
    else:
        with pytest.raises(ModelInvalidError, match=r"blue.png: a probability is off by 0.025., 0.02 is allowed"):
            load(folder)


def test_labels_alone_can_be_the_known_answer(tmp_path: Path) -> None:
    """Where no probabilities are known, the labels decide and no difference is reported."""
    folder = make_bundle(tmp_path)
    edit_manifest(folder, lambda m: [golden["expected"].pop("probs") for golden in m["golden"]])
    proof = load(folder)
    assert proof.proven
    assert proof.difference is None


def test_multilabel_compares_the_set_of_labels(tmp_path: Path) -> None:
    """For a multi-label model all selected labels must be the expected ones, none and several included."""
    folder = make_bundle(tmp_path, task="image-classification-multilabel")
    assert load(folder).proven
    edit_manifest(folder, lambda manifest: manifest["golden"][0]["expected"].update(labels=["blue", "dark"]))
    with pytest.raises(ModelInvalidError, match=r"blue.png: expected blue, dark, found blue"):
        load(folder)
    edit_manifest(folder, lambda manifest: manifest["golden"][0]["expected"].update(labels=[]))
    with pytest.raises(ModelInvalidError, match=r"blue.png: expected no label, found blue"):
        load(folder)


def no_picture(folder: Path) -> None:
    (folder / "golden" / "red.png").write_text("not a picture")
    rehash(folder)


def cut_picture(folder: Path) -> None:
    truncate(folder / "golden" / "red.png")
    rehash(folder)


@pytest.mark.parametrize("change", [no_picture, cut_picture])
def test_golden_picture_that_cannot_be_decoded_is_named(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """A golden file that is no picture, or half of one, makes the bundle invalid."""
    folder = make_bundle(tmp_path)
    change(folder)
    with pytest.raises(ModelInvalidError, match=r"golden picture golden/red.png cannot be read"):
        load(folder)


def cut_model(folder: Path) -> None:
    truncate(folder / "model.onnx")


def wrong_opset(folder: Path) -> None:
    write_graph(folder / "model.onnx", GraphOptions(opset=99))


def other_input(folder: Path) -> None:
    write_graph(folder / "model.onnx", GraphOptions(input_name="images"))


def fixed_batch(folder: Path) -> None:
    write_graph(folder / "model.onnx", GraphOptions(batch=4))


def two_outputs(folder: Path) -> None:
    write_graph(folder / "model.onnx", GraphOptions(outputs=("output1", "output2")))


def one_label_short(folder: Path) -> None:
    (folder / "labels.json").write_text('["blue", "bright", "dark"]')


BROKEN: list[tuple[Callable[[Path], None], str]] = [
    (cut_model, "onnxruntime .* refuses .*model.onnx"),
    (wrong_opset, "onnxruntime .* refuses .*model.onnx: .*opset"),
    (other_input, "input is named 'images', the manifest says 'input1'"),
    (fixed_batch, "input 'input1' takes exactly 4 per batch, the manifest's batch says dynamic"),
    (two_outputs, "the graph has 2 outputs, 1 expected"),
    (one_label_short, r"output 'output1' has shape \['batch', 4\], but there are 3 labels"),
]


@pytest.mark.parametrize(("change", "problem"), BROKEN, ids=[case[0].__name__ for case in BROKEN])
def test_model_that_does_not_fit_is_refused(tmp_path: Path, change: Callable[[Path], None], problem: str) -> None:
    """A graph that onnxruntime refuses, or that is not what the manifest says, never becomes a model."""
    folder = make_bundle(tmp_path, golden=False)
    change(folder)
    rehash(folder)
    with pytest.raises(ModelInvalidError, match=problem):
        load_model(folder, device="cpu", threads=1)


def test_changed_file_is_found_before_anything_runs(tmp_path: Path) -> None:
    """The hashes are checked first."""
    folder = make_bundle(tmp_path)
    truncate(folder / "model.onnx")
    with pytest.raises(ModelInvalidError, match="cut off or changed"):
        load_model(folder, device="cpu", threads=1)


def test_other_tasks_are_refused_by_name(tmp_path: Path) -> None:
    """A detection bundle is told apart from a broken one."""
    folder = make_bundle(tmp_path, golden=False)
    edit_manifest(folder, lambda manifest: manifest.update(task="image-object-detection", family="retinanet"))
    with pytest.raises(ModelUnsupportedError, match=r"image-object-detection \(family retinanet\)"):
        load_model(folder, device="cpu", threads=1)


@pytest.mark.parametrize("task", ["image-classification", "image-classification-multilabel"])
def test_fixed_batch_runs_in_its_own_size(tmp_path: Path, task: Task) -> None:
    """A graph that takes exactly four pictures is proven in fours, the last batch filled up."""
    proof = load(make_bundle(tmp_path, task=task, graph=GraphOptions(batch=4)))
    assert proof.proven
    assert [check.batch for check in proof.checks] == [4] * len(GOLDEN_PICTURES)


def fake_proof(folder: Path, session: Session) -> Proof:
    bundle = open_bundle(make_bundle(folder))
    return prove(bundle, Predictor(bundle), session)


def rows_depend_on_each_other(batch: BatchF32) -> OutputsF32:
    """Answer right for one picture and the first row for all of several, as some exported graphs do."""
    return np.repeat(mean_colour_answer(batch)[:1], len(batch), axis=0)


def test_rows_that_depend_on_each_other_are_found(tmp_path: Path) -> None:
    """A graph that is right for single pictures and wrong in a batch does not pass."""
    with pytest.raises(ModelInvalidError, match=r"bright.png in a batch of 4: expected bright, found blue"):
        fake_proof(tmp_path, FakeSession(rows_depend_on_each_other))


@pytest.mark.parametrize(
    ("warmed", "run"), [((), [1] * 5 + [4, 4]), ((1, 2, 4), [1] * 5 + [4, 4]), ((8,), [8]), ((2, 16), [2, 2, 2, 16])]
)
def test_batches_have_the_sizes_that_will_serve(tmp_path: Path, warmed: tuple[int, ...], run: list[int]) -> None:
    """Pictures are run in the smallest and the largest warmed size, and in no size that was not warmed."""
    session = FakeSession(mean_colour_answer, batch_sizes=warmed)
    assert fake_proof(tmp_path, session).proven
    assert session.batches == run


def answers_nan(batch: BatchF32) -> OutputsF32:
    return np.full((len(batch), len(LABELS)), np.nan, np.float32)


@pytest.mark.parametrize("answer", [always_fails, answers_nan])
def test_session_that_fails_makes_the_bundle_invalid(tmp_path: Path, answer: Callable[[BatchF32], OutputsF32]) -> None:
    """A device that cannot run the golden pictures, or answers no numbers, proves nothing."""
    with pytest.raises(ModelInvalidError, match="cannot be proven on FakeExecutionProvider: "):
        fake_proof(tmp_path, FakeSession(answer))
