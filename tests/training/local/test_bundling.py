"""From a fit's folder to a bundle: what its manifest says, and what is said of fits that went wrong."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
torch = pytest.importorskip("torch")

from edge.bundle import MULTILABEL, open_bundle  # noqa: E402 - torch may be absent
from edge.proof import load_and_prove  # noqa: E402 - as above
from edge.results import Classification  # noqa: E402 - as above
from tests.training.local.tiny import (  # noqa: E402 - as above
    draw,
    multi_label,
    recipe,
    tiny_run,
    write_grey,
    write_learnt_run,
)
from training.dataset.records import Record, content_hash  # noqa: E402 - as above
from training.errors import DataError, ExportError  # noqa: E402 - as above
from training.export import GoldenPicture  # noqa: E402 - as above
from training.local import networks  # noqa: E402 - as above
from training.local.bundling import Export, command_of, export_run  # noqa: E402 - as above
from training.local.fit import fit_run, prepare_run  # noqa: E402 - as above
from training.local.golden import MOST, choose, record_candidates  # noqa: E402 - as above
from training.local.graph import check_parity  # noqa: E402 - as above
from training.local.run import BEST_FILE, FITTED_FILE, Run  # noqa: E402 - as above
from training.local.trained import check_same_answer  # noqa: E402 - as above
from training.local.weights import write_best  # noqa: E402 - as above

EXPORT = Export(name="tiny", version="1")


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    return draw(tmp_path_factory.mktemp("data"), count=36)


def answer(probs: tuple[float, ...], selected: tuple[str, ...] | None = None) -> Classification:
    labels = ("a", "b", "c")[: len(probs)]
    return Classification(labels[probs.index(max(probs))], max(probs), labels, probs, selected)


def test_a_multi_label_fit_becomes_a_proven_bundle(records: list[Record], tmp_path: Path) -> None:
    """Task and threshold are in the manifest, golden pictures have sets of labels, figures have AutoML's names.

    A file of first weights is told by name and hash, and not where it lies.
    """
    weights = tmp_path / "mine.pt"
    torch.save(networks.build("mobilenetv2", 2).state_dict(), weights)
    chosen = recipe(task=MULTILABEL, rest={"pretrained": str(weights)})
    run = prepare_run(multi_label(records), chosen, validation_data_size=0.25, threads=1)
    fit_run(_easy(run), tmp_path / "run", lambda _: None)
    bundle = export_run(tmp_path / "run", EXPORT, tmp_path / "bundle")
    manifest = open_bundle(bundle.folder).manifest
    assert (manifest.task, manifest.family) == (MULTILABEL, "classification")
    assert manifest.postprocessing.threshold == 0.5
    assert load_and_prove(bundle, device="cpu")[1].proven
    assert {"iou", "log_loss", "AUC_macro", "pictures"} <= manifest.metrics["held_out"].keys()
    assert "--task image-classification-multilabel" in manifest.provenance["command"]
    assert "Even" in {label for golden in manifest.golden for label in golden.expected.labels}
    assert manifest.provenance["pretrained"] == "mine.pt"
    assert manifest.provenance["fit"]["first_weights"].startswith("mine.pt, sha256 ")
    assert str(tmp_path) not in json.dumps(manifest.provenance)


def _easy(run: Run) -> Run:
    """Return a run whose pictures are all Even and nothing else, so that a few steps suffice to learn it."""
    even = [replace(record, labels=("Even",)) for record in run.records]
    count = len(run.training)
    return replace(run, training=tuple(even[:count]), held_out=tuple(even[count:]), sha256=content_hash(even))


def test_an_unfinished_fit_gives_its_best_epoch_and_says_so(records: list[Record], tmp_path: Path) -> None:
    """A fit that was killed, or whose loss ended as no number, has weights of an epoch that went well."""
    fit_run(tiny_run(records, number_of_epochs=2), tmp_path / "run", lambda _: None)
    (tmp_path / "run" / FITTED_FILE).unlink()
    said: list[str] = []
    bundle = export_run(tmp_path / "run", EXPORT, tmp_path / "bundle", say=said.append)
    assert "the fit is not finished, 2 of 2 epochs are done; the weights are those of epoch" in said[0]
    assert bundle.manifest.provenance["fit"]["how"] == "unfinished"


def test_pictures_that_changed_since_the_fit_are_told(tmp_path: Path) -> None:
    """The manifest tells of the pictures that the network was trained on, so no others are judged or made golden."""
    records = write_grey(tmp_path / "data")
    write_learnt_run(tmp_path / "run", records)
    records[0].path.write_bytes(records[-1].path.read_bytes())
    with pytest.raises(DataError, match="have changed since the fit began"):
        export_run(tmp_path / "run", EXPORT, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_classes_without_a_golden_picture_are_told(tmp_path: Path) -> None:
    """A network that always answers one class has golden pictures of that class alone."""
    run = write_learnt_run(tmp_path / "run", write_grey(tmp_path / "data"))
    weights = torch.load(tmp_path / "run" / BEST_FILE)
    weights["classifier.1.bias"] = torch.tensor([0.0, 1e3])
    write_best(tmp_path / "run", weights)
    said: list[str] = []
    export_run(tmp_path / "run", EXPORT, tmp_path / "bundle", say=said.append)
    assert run.classes == ("Bright", "Dark")
    assert said[-1] == "no golden picture shows Bright: there was none, or the network answered none rightly"


def test_a_graph_is_held_against_a_network_that_tells_pictures_apart() -> None:
    """Where each picture gets the same logits, a graph that ignores its input would agree, too."""
    pictures = np.random.default_rng(0).standard_normal((2, 3, 4, 4)).astype(np.float32)
    dead = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 2)).eval()
    torch.nn.init.zeros_(dead[1].weight)
    logits = dead[1].bias.detach().numpy()
    with pytest.raises(ExportError, match="gives every picture the same logits"):
        check_parity(dead, lambda _: np.stack([logits, logits]), pictures)


def test_a_folder_without_a_fit_is_named(tmp_path: Path) -> None:
    """It says so, and writes nothing."""
    with pytest.raises(DataError, match="holds no run"):
        export_run(tmp_path, EXPORT, tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_the_command_tells_every_option(records: list[Record]) -> None:
    """What is not the default is there, so that the same data gives the same model again."""
    run = tiny_run(records, rest={"mirrored": True, "standardised": True, "views": "light", "pretrained": "a/b"})
    command = command_of(run, EXPORT)
    for part in ("--mirrored", "--standardised", "--views light", "--pretrained a/b", "--threads 1", "--set optimizer"):
        assert part in command
    assert "--drawn" not in command
    apart = replace(run, validation_data_size=0.0)
    assert "--validation DATA" in command_of(apart, EXPORT)


def test_golden_pictures_are_right_in_every_label_and_not_too_many() -> None:
    """A set that is half right does not count; many classes share the pictures that a device can afford."""
    pictures = [GoldenPicture("1.png", b"1", ("a", "b"), ()), GoldenPicture("2.png", b"2", ("a",), ())]
    chosen = choose(lambda _: answer((0.9, 0.2), ("a",)), pictures, ("a", "b"))
    assert [picture.name for picture in chosen.pictures] == ["2.png"]
    assert chosen.share_right == 0.5
    names = tuple(str(number) for number in range(100))
    many = [GoldenPicture(f"{name}.png", name.encode(), (name,), ()) for name in names for _ in range(2)]
    told = choose(lambda data: Classification(data.decode(), 1.0, names, (1.0,) * 100, None), many, names)
    assert len(told.pictures) == MOST
    with pytest.raises(ExportError, match="learnt too little"):
        choose(lambda _: answer((0.9, 0.2), ("c",)), pictures[:1], ("a", "b"))


def test_a_network_that_is_only_ever_half_right_proves_itself_by_what_it_answers() -> None:
    """With many labels a picture hardly one is wholly right; that is said, and no reason to lose the fit."""
    pictures = [GoldenPicture("1.png", b"1", ("a", "b"), ()), GoldenPicture("2.png", b"2", ("c",), ())]
    chosen = choose(lambda _: answer((0.9, 0.2, 0.1), ("a",)), pictures, ("a", "b", "c"))
    assert [(picture.name, picture.labels) for picture in chosen.pictures] == [("1.png", ("a",))]
    assert (chosen.right, chosen.looked_at) == (0, 2)


def test_a_picture_of_several_classes_is_one_candidate(tmp_path: Path) -> None:
    """It is offered once, with all its labels."""
    (tmp_path / "x.png").write_bytes(b"x")
    found = list(record_candidates([Record(tmp_path / "x.png", ("a", "b"))], ("a", "b")))
    assert [(one.name, one.labels) for one in found] == [("0_1.png", ("a", "b"))]


def test_the_edge_must_answer_as_the_network_did() -> None:
    """A probability that is off by more than a thousandth, or another label, ends the export."""
    expected = answer((0.6, 0.4))
    check_same_answer(Path("x"), expected, answer((0.6005, 0.3995)))
    with pytest.raises(ExportError, match=r"differs from the network's by 0\.002"):
        check_same_answer(Path("x"), expected, answer((0.602, 0.398)))
    with pytest.raises(ExportError, match="the edge"):
        check_same_answer(Path("x"), answer((0.5001, 0.4999)), answer((0.4999, 0.5001)))
