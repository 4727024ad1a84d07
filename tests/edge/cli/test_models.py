"""``automl-edge models``: the registry's side."""

import json
import shutil
from pathlib import Path

import pytest

from edge.artifacts import ImportOptions, import_artifacts
from tests.box_graphs import write_box_graph
from tests.edge.cli.conftest import Cli
from tests.fakes import COLOURS, LABELS, encoded, make_bundle, picture, truncate

KNOWN = ("--task", "image-classification", "--resize", "36", "--crop", "32")


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """What AutoML leaves of a model: the graph and the labels."""
    bundle = make_bundle(tmp_path / "whole")
    folder = tmp_path / "train_artifacts"
    folder.mkdir()
    for name in ("model.onnx", "labels.json"):
        shutil.copyfile(bundle / name, folder / name)
    return folder


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    """Pictures with known answers, one folder a class."""
    folder = tmp_path / "answers"
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "one.png").write_bytes(encoded(picture(colour)))
    return folder


def test_list_shows_the_newest_first(cli: Cli, registry: Path) -> None:
    """One line a version; what `latest` means is marked."""
    result = cli("models", "list", "--registry", registry)
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["model", "created", "task", "golden", "signed", "size", "state"],
        ["colours:2", "2026-02-01", "multi-class", "5", "no", "1.4", "KiB", "latest"],
        ["colours:1", "2026-01-01", "multi-class", "5", "no", "1.4", "KiB", "older"],
    ]


def test_list_tells_what_is_refused(cli: Cli, registry: Path) -> None:
    """A broken version is named with the reason, beside the others."""
    truncate(registry / "colours/2/model.onnx")
    result = cli("models", "list", "--registry", registry)
    assert "colours:1" in result.stdout
    assert "colours:2" not in result.stdout
    assert result.stderr.startswith("refused: colours/2: ")


def test_list_for_programs(cli: Cli, registry: Path) -> None:
    """--json gives everything, of one name where that is asked for."""
    make_bundle(registry / "other/1", name="other", golden=False)
    found = json.loads(cli("models", "list", "colours", "--registry", registry, "--json").stdout)
    assert [(model["name"], model["version"], model["latest"]) for model in found["models"]] == [
        ("colours", "2", True),
        ("colours", "1", False),
    ]
    assert found["models"][0]["created_at"] == "2026-02-01T00:00:00.000Z"
    assert found["refused"] == {}


def test_an_empty_registry_says_what_to_do(cli: Cli, tmp_path: Path) -> None:
    """No models is no error; no folder is."""
    (tmp_path / "models").mkdir()
    empty = cli("models", "list", "--registry", tmp_path / "models")
    assert (empty.exit_code, empty.stdout) == (0, "")
    assert "automl-edge models import" in empty.stderr
    missing = cli("models", "list", "--registry", tmp_path / "nowhere")
    assert missing.exit_code == 1
    assert missing.stderr.startswith("error: cannot read the registry")


def test_verify_tells_what_holds(cli: Cli, registry: Path) -> None:
    """A good bundle is proven, with the number of pictures and the provider."""
    result = cli("models", "verify", registry / "colours/1")
    facts = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert result.exit_code == 0
    assert (facts["bundle"], facts["provider"], facts["result"]) == ("colours:1", "CPUExecutionProvider", "proven")
    assert facts["golden"].startswith("5 hold")


def test_verify_for_programs(cli: Cli, registry: Path) -> None:
    """--json lists each golden picture in each batch size."""
    report = json.loads(cli("models", "verify", registry / "colours/1", "--json").stdout)
    assert (report["proven"], report["labels"]) == (True, list(LABELS))
    assert {check["image"] for check in report["checks"]} >= {"golden/red.png", "golden/wide-red.png"}
    assert all(check["expected"] == check["found"] for check in report["checks"])


def test_verify_refuses_a_broken_bundle(cli: Cli, registry: Path, tmp_path: Path) -> None:
    """A cut-off file, a folder that is no bundle: exit code 1 and the name of what is wrong."""
    truncate(registry / "colours/1/model.onnx")
    broken = cli("models", "verify", registry / "colours/1")
    assert (broken.exit_code, broken.stdout) == (1, "")
    assert "model.onnx" in broken.stderr
    nothing = cli("models", "verify", tmp_path)
    assert nothing.exit_code == 1
    assert "manifest.json" in nothing.stderr


def test_verify_says_unproven(cli: Cli, tmp_path: Path) -> None:
    """Without golden pictures nothing is wrong, and nothing is proven."""
    result = cli("models", "verify", make_bundle(tmp_path / "bundle", golden=False))
    assert result.exit_code == 0
    assert result.stdout.endswith("result    unproven\n")


def test_pull_copies_once(cli: Cli, registry: Path, tmp_path: Path) -> None:
    """The newest version, or the one that is named, appears whole; a second time nothing is copied."""
    into = tmp_path / "here"
    first = cli("models", "pull", "--registry", registry, "--into", into)
    again = cli("models", "pull", "colours", "--registry", registry, "--into", into)
    named = cli("models", "pull", "colours:1", "--registry", registry, "--into", into)
    assert first.stdout == f"colours:2 copied to {into}/colours/2\n"
    assert again.stdout == f"colours:2 is already in {into}/colours/2\n"
    assert named.exit_code == 0
    assert cli("models", "verify", into / "colours/1").exit_code == 0


def test_pull_changes_no_version(cli: Cli, registry: Path, tmp_path: Path) -> None:
    """Another bundle under the same version stays, and the remedy is told."""
    make_bundle(tmp_path / "here/colours/2", version="2", golden=False)
    result = cli("models", "pull", "--registry", registry, "--into", tmp_path / "here")
    assert result.exit_code == 2
    assert "colours:2 is already registered" in result.stderr


def test_import_asks_for_the_task(cli: Cli, artifacts: Path, tmp_path: Path) -> None:
    """What the graph does not tell is asked for."""
    result = cli("models", "import", artifacts, "--name", "parts", "--registry", tmp_path / "models")
    assert result.exit_code == 2
    assert "--task image-classification" in result.stderr


def test_import_without_known_answers_is_unproven(cli: Cli, artifacts: Path, tmp_path: Path) -> None:
    """The bundle is registered under the next version, and says so."""
    arguments = ("models", "import", artifacts, "--name", "parts", "--registry", tmp_path / "models", *KNOWN)
    assert "unproven" in cli(*arguments).stdout
    second = json.loads(cli(*arguments, "--json").stdout)
    assert (second["version"], second["proven"], second["known_answers"]) == ("2", False, None)


def test_import_with_known_answers_is_proven(cli: Cli, artifacts: Path, answers: Path, tmp_path: Path) -> None:
    """A right description is proven; a wrong one is refused with the right one named."""
    arguments = ("models", "import", artifacts, "--name", "parts", "--registry", tmp_path / "models", *KNOWN)
    wrong = cli(*arguments, "--golden", answers, "--range", "0-255")
    assert wrong.exit_code == 1
    assert "pass --range imagenet" in wrong.stderr
    right = cli(*arguments, "--golden", answers)
    assert right.exit_code == 0
    assert "4 of 4 known answers came out" in right.stdout
    assert cli("models", "verify", tmp_path / "models/parts/1").stdout.endswith("proven\n")


def test_a_detection_bundle_is_checked_and_refused(cli: Cli, tmp_path: Path) -> None:
    """Its hashes are compared first; then it is named as what this version does not run, and none is imported."""
    folder = tmp_path / "boxes"
    folder.mkdir()
    write_box_graph(folder / "model.onnx", "retinanet")
    (folder / "labels.json").write_text('["bolt", "nut"]')
    options = ImportOptions(folder=folder, name="boxes", registry=tmp_path / "models", any_task=True)
    bundle = import_artifacts(options).bundle.folder
    verified = cli("models", "verify", bundle)
    assert verified.exit_code == 1
    assert "boxes:1 is a model for image-object-detection (family retinanet); this version runs" in verified.stderr
    assert "detection" in cli("models", "list", "--registry", tmp_path / "models").stdout
    truncate(bundle / "model.onnx")
    assert "cut off or changed" in cli("models", "verify", bundle).stderr
    refused = cli("models", "import", folder, "--name", "x", "--registry", tmp_path / "models")
    assert "the graph is of the family retinanet" in refused.stderr
