"""`automl-train evaluate`: a bundle judged as the edge runs it, with everything that may be wrong in what is asked."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")
pytest.importorskip("onnx")
pytest.importorskip("scipy")
pytest.importorskip("sklearn")

from edge.bundle import MULTILABEL, open_bundle
from tests.fakes import COLOURS, GraphOptions, encoded, make_bundle, picture
from training.cli import main
from training.cli.evaluate import evaluate

A_CLASS = 12


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], env={"COLUMNS": "80"})


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that tells colours."""
    return make_bundle(tmp_path_factory.mktemp("bundle") / "1")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of its colours, more or less: it gets a few of them wrong, and is not sure of others."""
    folder, drawn = tmp_path_factory.mktemp("data"), np.random.default_rng(3)
    for name, colour in COLOURS.items():
        (folder / name).mkdir()
        for number in range(A_CLASS):
            red, green, blue = (int(value) for value in np.clip(np.array(colour) + drawn.normal(0, 40, 3), 0, 255))
            (folder / name / f"{number}.png").write_bytes(encoded(picture((red, green, blue))))
    return folder


@pytest.fixture(scope="module")
def figures(bundle: Path, data: Path) -> dict[str, Any]:
    """What --json prints."""
    result = run("evaluate", bundle, data, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_json_counts_and_measures(figures: dict[str, Any]) -> None:
    """The counts agree with each other and with the metrics; the rest is there by its name."""
    confusion = np.array(figures["confusion"])
    assert figures["pictures"] == confusion.sum() == A_CLASS * len(COLOURS)
    assert figures["mistakes"] == confusion.sum() - np.trace(confusion) == sum(figures["mistakes_by_class"].values())
    assert figures["accuracy"] == figures["metrics"]["accuracy"] == pytest.approx(1 - figures["mistakes"] / 48)
    assert [one["label"] for one in figures["classes"]] == figures["labels"] == list(COLOURS)
    assert 0 < figures["mistakes"] == sum(not one["right"] for one in figures["worst"])
    assert figures["threshold"]["kind"] == "look"
    assert figures["judged"]["bundle"] == "colours:1"
    assert figures["judged"]["provider"] == "CPUExecutionProvider"
    assert figures["latency"]["p50_ms"] <= figures["latency"]["p90_ms"]


def test_for_a_person(bundle: Path, data: Path) -> None:
    """Tables that fit 80 columns, and what they mean in words."""
    result = run("evaluate", bundle, data, "--good", "bright", "--escape-cost", "100", "--good-share", "0.9")
    assert "norm_macro_recall" in result.stdout
    assert "true class" in result.stdout
    assert "Pass a part where p(bright) >" in result.stdout
    tables = result.stdout[: result.stdout.index("colours:1:")]
    assert max(map(len, tables.splitlines())) <= 80


def test_files_are_written(bundle: Path, data: Path, tmp_path: Path) -> None:
    """The page, the JSON and a calibrated bundle; others judged beside it."""
    other = make_bundle(tmp_path / "2", version="2", graph=GraphOptions(slowness=1))
    page, table = tmp_path / "r.html", tmp_path / "r.json"
    result = run("evaluate", bundle, data, "--against", other, "--report", page, "--output", table)
    assert result.exit_code == 0, result.output
    assert "colours:2" in result.stdout
    figures = json.loads(table.read_text())
    assert [one["bundle"] for one in figures["compared"]] == ["colours:1", "colours:2"]
    assert figures["compared"][1]["paired"] == {
        "pictures": 48,
        "better": 0,
        "worse": 0,
        "difference": 0,
        "chance": 1,
    }
    assert any(one["front"] for one in figures["compared"])
    assert "data:image/jpeg" in page.read_text()


def test_calibrated(bundle: Path, data: Path, figures: dict[str, Any], tmp_path: Path) -> None:
    """A temperature that helps is written into a bundle of the given version; one that does not is refused."""
    found = figures["calibration"]
    helps = found["after"] is not None and found["after"]["log_loss"] < found["before"]["log_loss"]
    result = run("evaluate", bundle, data, "--calibrated", tmp_path / "c", "--version", "1c")
    assert result.exit_code == (0 if helps else 1)
    assert (tmp_path / "c").exists() == helps
    if helps:
        made = open_bundle(tmp_path / "c")
        assert made.manifest.version == "1c"
        assert made.manifest.provenance["calibration"]["data_sha256"] == figures["judged"]["data_sha256"]
    else:
        assert "is not calibrated" in result.stderr


def test_multilabel(tmp_path: Path) -> None:
    """A CSV of several labels a picture is judged by a multi-label bundle at its threshold, and by F1."""
    bundle = make_bundle(tmp_path / "1", task=MULTILABEL)
    pictures = tmp_path / "data"
    pictures.mkdir()
    for name, colour in COLOURS.items():
        (pictures / f"{name}.png").write_bytes(encoded(picture(colour)))
    rows = ["image,label", "blue.png,blue", 'bright.png,"bright,blue"', "dark.png,dark", "red.png,red"]
    (pictures / "labels.csv").write_text("\n".join(rows) + "\n")
    result = run("evaluate", bundle, pictures, "--json")
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert (figures["pictures"], figures["mistakes"]) == (4, 1)
    assert figures["mistakes_by_class"] == {"blue": 1, "bright": 0, "dark": 0, "red": 0}
    assert figures["metrics"]["iou"] == pytest.approx((3 + 0.5) / 4)
    assert figures["confusion"][0] == [[2, 0], [1, 1]]
    assert figures["threshold"]["best"]["f1_score_micro"] >= figures["threshold"]["today"]["f1_score_micro"]
    assert "iou" in run("evaluate", bundle, pictures).stdout
    made = tmp_path / "2"
    result = run("evaluate", bundle, pictures, "--calibrated", made, "--version", "2", "--best-threshold")
    assert result.exit_code == 0, result.output
    assert open_bundle(made).manifest.provenance["calibration"]["threshold"] == figures["threshold"]["threshold"]
    assert json.loads(run("evaluate", made, pictures, "--json").stdout)["metrics"]["f1_score_micro"] == pytest.approx(
        figures["threshold"]["best"]["f1_score_micro"]
    )


def test_a_fixed_batch_is_filled_up(data: Path, figures: dict[str, Any], tmp_path: Path) -> None:
    """A graph that takes five pictures at once gives the same answers as one that takes any number."""
    bundle = make_bundle(tmp_path / "5", graph=GraphOptions(batch=5))
    result = run("evaluate", bundle, data, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["confusion"] == figures["confusion"]


def test_unreadable_and_unknown(bundle: Path, tmp_path: Path) -> None:
    """Both are named and refused, unless they are to be left out: then they are told of."""
    for name in ("blue", "violet"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(encoded(picture((51, 51, 153))))
    (tmp_path / "blue" / "broken.png").write_bytes(b"no picture")
    refused = run("evaluate", bundle, tmp_path)
    assert refused.exit_code == 1
    assert "class 'violet', which colours:1 does not know" in refused.stderr
    refused = run("evaluate", bundle, tmp_path, "--skip-unknown")
    assert refused.exit_code == 1
    assert "broken.png" in refused.stderr
    told = run("evaluate", bundle, tmp_path, "--skip-unknown", "--skip-unreadable", "--json")
    figures = json.loads(told.stdout)
    assert figures["pictures"] == 1
    assert {Path(one["picture"]).name: one["labels"] for one in figures["left_out"]} == {
        "1.png": ["violet"],
        "broken.png": ["blue"],
    }
    (tmp_path / "blue" / "1.png").unlink()
    nothing = run("evaluate", bundle, tmp_path, "--skip-unknown", "--skip-unreadable")
    assert nothing.exit_code == 1
    assert "no picture is left to judge" in nothing.stderr


def test_several_labels_for_a_multiclass_bundle(bundle: Path, tmp_path: Path) -> None:
    """A picture with two labels has no one right answer, and is named."""
    (tmp_path / "x.png").write_bytes(encoded(picture(COLOURS["red"])))
    line = {"image_url": "x.png", "label": ["red", "blue"]}
    (tmp_path / "labels.jsonl").write_text(json.dumps(line) + "\n")
    result = run("evaluate", bundle, tmp_path)
    assert result.exit_code == 1
    assert "x.png: has 2 labels, but colours:1 gives a picture one" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--task", MULTILABEL), "the bundle is for image-classification"),
        (("--good", "fine"), "no such class; it has blue"),
        (("--good", "blue", "--wrong-cost", "1"), "only without --good"),
        (("--escape-cost", "1"), "needs --good CLASS"),
        (("--good-share", "0.5"), "needs --good CLASS"),
        (("--wrong-cost", "0", "--look-cost", "0"), "above 0"),
        (("--wrong-cost", "nan"), "at least 0"),
        (("--calibrated", "{tmp}/c"), "belong together"),
        (("--calibrated", "{tmp}/c", "--version", "a b"), "version 'a b'"),
        (("--calibrated", "{tmp}/c", "--version", "2", "--best-threshold"), "multi-label bundle"),
        (("--report", "{tmp}/r.pdf"), "must end with .html"),
        (("--report", "{tmp}/missing/r.html"), "there is no folder"),
        (("--output", "{tmp}/r.txt"), "must end with .json"),
        (("--against", "{multilabel}"), "multilabel, but it is to be judged for image-classification"),
    ],
)
def test_wrong_requests_cost_no_work(
    words: tuple[str, ...], message: str, bundle: Path, data: Path, tmp_path: Path
) -> None:
    """What cannot be is refused before any picture is judged, with exit code 2 and one line."""
    other = make_bundle(tmp_path / "multilabel", task=MULTILABEL)
    result = run("evaluate", bundle, data, *(word.format(tmp=tmp_path, multilabel=other) for word in words))
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["multilabel"]


def test_labels_are_not_overwritten(bundle: Path, tmp_path: Path) -> None:
    """COCO's labels are JSON, too."""
    labels = tmp_path / "coco.json"
    labels.write_text("{}")
    result = run("evaluate", bundle, labels, "--output", labels)
    assert (result.exit_code, "would be overwritten" in result.stderr, labels.read_text()) == (2, True, "{}")


def test_a_place_that_cannot_be_written(bundle: Path, data: Path, tmp_path: Path) -> None:
    """The figures are shown all the same, and what failed is one line."""
    result = run("evaluate", bundle, data, "--output", tmp_path / f"{'long' * 80}.json")
    assert result.exit_code == 1
    assert "accuracy" in result.stdout
    assert "cannot be written (File name too long)" in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_standard_output_on_a_full_disk(bundle: Path, data: Path) -> None:
    """One line says so, in place of a traceback."""
    words = [sys.executable, "-m", "training.cli", "evaluate", str(bundle), str(data)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(words, check=False, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: the disk is full (where standard output goes): free space, or write elsewhere\n"


def test_every_option_is_described() -> None:
    """The page of reference names all options of the command."""
    page = (Path(__file__).parents[3] / "docs/reference/evaluation.md").read_text(encoding="utf-8")
    names = {name for option in evaluate.params for name in option.opts if name.startswith("--")}
    assert {name for name in names if name not in page} == set()
