"""A tiny fit, end to end: from drawn pictures to a bundle that proves itself and answers as the network did."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

onnx = pytest.importorskip("onnx")
torch = pytest.importorskip("torch")

from edge.bundle import Bundle, open_bundle  # noqa: E402 - torch may be absent
from edge.proof import load_and_prove  # noqa: E402 - as above
from training.dataset.annotations import MULTICLASS  # noqa: E402 - as above
from training.dataset.drawn import write_drawn  # noqa: E402 - as above
from training.dataset.folders import read_folders  # noqa: E402 - as above
from training.dataset.labelled import Labelled  # noqa: E402 - as above
from training.dataset.records import Record, classes_of  # noqa: E402 - as above
from training.errors import DataError, ExportError, UsageError  # noqa: E402 - as above
from training.judge import evaluate_bundle  # noqa: E402 - as above
from training.local.bundling import Export, export_run  # noqa: E402 - as above
from training.local.fit import fit_run, prepare_run  # noqa: E402 - as above
from training.local.graph import check_parity  # noqa: E402 - as above
from training.local.run import read_run  # noqa: E402 - as above
from training.local.trainer import Step, Watch  # noqa: E402 - as above
from training.recipe import Recipe  # noqa: E402 - as above
from training.report import check_data, recipe_of, record_figures  # noqa: E402 - as above
from training.settings import default_settings, parse_settings  # noqa: E402 - as above

TINY = default_settings(
    "mobilenetv2",
    changes=parse_settings(
        [
            "number_of_epochs=2",
            "training_batch_size=12",
            "optimizer=adamw",
            "learning_rate=0.002",
            "training_crop_size=32",
            "validation_resize_size=36",
            "validation_crop_size=32",
        ]
    ),
)
RECIPE = Recipe(model="mobilenetv2", settings=TINY, drawn=12, mirrored=True)
Fitted = tuple[Bundle, list[Step]]


def fit_bundle(
    records: list[Record], folder: Path, watch: Watch, *, recipe: Recipe = RECIPE, validation_data_size: float = 0.2
) -> Bundle:
    """Fit in a folder beside, export, and return the bundle."""
    data = Labelled(MULTICLASS, tuple(classes_of(records)), tuple(records))
    run = prepare_run(data, recipe, validation_data_size=validation_data_size, threads=1)
    fit_run(run, folder.with_name("run"), watch)
    return export_run(folder.with_name("run"), Export(name="tiny", version="1"), folder)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    folder = tmp_path_factory.mktemp("data")
    list(write_drawn(folder, count=36, seed=0, size=48))
    return read_folders([folder])


@pytest.fixture(scope="module")
def fitted(records: list[Record], tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """Return a bundle fitted once for all tests here, and the steps that were reported."""
    steps: list[Step] = []
    folder = tmp_path_factory.mktemp("models") / "tiny" / "1"
    return fit_bundle(records, folder, steps.append), steps


def test_bundle_is_whole_and_proven(fitted: Fitted) -> None:
    """The bundle opens, proves itself, and its golden pictures are answered within a thousandth of the network's."""
    bundle, _ = fitted
    _, proof = load_and_prove(open_bundle(bundle.folder), device="cpu")
    assert proof.proven
    assert proof.difference is not None
    assert proof.difference < 1e-3
    assert sorted(path.name for path in bundle.folder.iterdir()) == [
        "golden",
        "labels.json",
        "manifest.json",
        "model.onnx",
        "settings.json",
    ]


def test_contract_of_automl(fitted: Fitted) -> None:
    """Names, shapes, labels and settings are those of an AutoML classification model, BatchNorm is folded away."""
    bundle, _ = fitted
    assert bundle.labels == ("Crazing", "Inclusion", "Patches", "Pitted", "Rolled", "Scratches")
    assert json.loads((bundle.folder / "settings.json").read_text()) == {
        "valid_resize_size": 36,
        "valid_crop_size": 32,
        "train_crop_size": 32,
    }
    graph = onnx.load(bundle.model_path).graph
    assert "BatchNormalization" not in {node.op_type for node in graph.node}
    assert [value.name for value in (*graph.input, *graph.output)] == ["input1", "output1"]
    shape = graph.input[0].type.tensor_type.shape.dim
    assert [shape[0].dim_param, *(axis.dim_value for axis in shape[1:])] == ["batch", 3, 32, 32]


def test_manifest_says_how_it_was_made(fitted: Fitted, records: list[Record]) -> None:
    """The provenance holds recipe, data and versions, and no path; the recipe reads back as it was."""
    bundle, _ = fitted
    provenance = bundle.manifest.provenance
    assert provenance["command"].startswith("automl-train fit DATA --name tiny")
    assert "learning_rate=0.002" in provenance["command"]
    assert "--drawn 12" in provenance["command"]
    assert "--mirrored" in provenance["command"]
    assert provenance["fit"]["first_weights"] == "from scratch"
    assert provenance["dataset"]["pictures"] == 36
    assert provenance["dataset"]["held_out"] == 6
    assert provenance["versions"]["torch"] == torch.__version__
    assert recipe_of(bundle) == RECIPE
    check_data(bundle, records)
    with pytest.raises(DataError, match="not trained on this data"):
        check_data(bundle, records[1:])


def test_progress_is_reported_step_by_step(fitted: Fitted) -> None:
    """Every step is heard of; the last one of an epoch carries the figures of the pictures held out."""
    _, steps = fitted
    assert [(step.epoch, step.step, step.steps) for step in steps] == [
        (epoch, step, 3) for epoch in (1, 2) for step in (1, 2, 3)
    ]
    assert [sorted(step.validation) for step in steps] == [[], [], ["accuracy", "log_loss"]] * 2
    assert all(np.isfinite(step.loss) for step in steps)


def test_manifest_holds_the_held_out_figures(fitted: Fitted) -> None:
    """The metrics count what the bundle itself answers on the pictures held out."""
    bundle, _ = fitted
    held_out = read_run(bundle.folder.with_name("run")).held_out
    judged = evaluate_bundle(bundle, held_out, lambda _: None)
    assert bundle.manifest.metrics["held_out"] == judged.as_json()


def test_evaluation_runs_the_bundle_as_the_edge_does(fitted: Fitted, records: list[Record]) -> None:
    """Evaluating counts every picture and tells how far it is."""
    bundle, _ = fitted
    seen: list[int] = []
    judged = evaluate_bundle(bundle, records[:5], seen.append)
    assert judged.total == 5
    assert seen == [1, 2, 3, 4, 5]


def test_evaluation_refuses_unknown_classes_and_broken_pictures(fitted: Fitted, tmp_path: Path) -> None:
    """A class that the bundle does not know, or a file that is no picture, is named."""
    bundle, _ = fitted
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    with pytest.raises(DataError, match="class 'Rust'"):
        evaluate_bundle(bundle, [Record(broken, ("Rust",))], lambda _: None)
    with pytest.raises(DataError, match=r"broken\.png"):
        evaluate_bundle(bundle, [Record(broken, ("Rolled",))], lambda _: None)


def test_same_seed_same_model(fitted: Fitted, records: list[Record], tmp_path: Path) -> None:
    """The same recipe on the same data gives the same graph, byte for byte."""
    bundle, _ = fitted
    again = fit_bundle(records, tmp_path / "again", lambda _: None)
    assert again.manifest.files == bundle.manifest.files


def test_figures_can_be_added_to_the_manifest(fitted: Fitted) -> None:
    """Figures of a cross-validation join the metrics; the bundle stays valid."""
    bundle, _ = fitted
    record_figures(bundle, {"folds": 5, "accuracy": 0.5})
    again = open_bundle(bundle.folder)
    assert again.manifest.metrics["cross_validation"] == {"folds": 5, "accuracy": 0.5}
    assert again.manifest.files == bundle.manifest.files
    record_figures(bundle, {})


def test_taken_target_and_bad_name_are_refused_first(tmp_path: Path) -> None:
    """A folder with something in it, or an impossible name, ends the export before anything is read."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(ExportError, match="not empty"):
        export_run(tmp_path / "run", Export(name="x", version="1"), tmp_path)
    with pytest.raises(UsageError, match="name 'a/b'"):
        export_run(tmp_path / "run", Export(name="a/b", version="1"), tmp_path / "new")


def test_unusable_data_is_named(records: list[Record], tmp_path: Path) -> None:
    """One class only, a broken picture, or drawn pictures beside foreign classes: each is told."""
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    for number, (chosen, message) in enumerate(
        (
            ([r for r in records if r.label == "Rolled"], "at least two"),
            ([*records, Record(broken, ("Rolled",))], r"broken\.png"),
            ([Record(r.path, (r.label.lower(),)) for r in records], "leave out --drawn"),
        )
    ):
        with pytest.raises(DataError, match=message):
            fit_bundle(chosen, tmp_path / str(number) / "new", lambda _: None, validation_data_size=0)
        assert not (tmp_path / str(number) / "new").exists()


def test_parity_check_finds_differences() -> None:
    """A graph that answers something else, or a network that says nothing, does not pass."""
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2)).eval()
    inputs = np.random.default_rng(0).standard_normal((4, 3, 2, 2)).astype(np.float32)

    def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            return np.asarray(network(torch.from_numpy(batch)))

    assert check_parity(network, run, inputs) == 0
    with pytest.raises(ExportError, match=r"differs from the network by 0\.001"):
        check_parity(network, lambda batch: run(batch) + np.float32(0.001), inputs)
    with pytest.raises(ExportError, match="differs"):
        check_parity(network, lambda batch: run(batch) * np.float32("nan"), inputs)
    silent = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2)).eval()
    torch.nn.init.zeros_(silent[1].weight)
    torch.nn.init.zeros_(silent[1].bias)
    with pytest.raises(ExportError, match="learnt nothing"):
        check_parity(silent, lambda batch: np.zeros((len(batch), 2), np.float32), inputs)
