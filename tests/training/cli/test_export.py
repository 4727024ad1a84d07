"""`automl-train export`, as it is typed."""

import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

onnx = pytest.importorskip("onnx")

from edge.bundle import open_bundle  # noqa: E402 - onnx may be absent
from tests.training.colour_bundles import colour_bundle, write_pictures  # noqa: E402 - as above
from training.cli import main  # noqa: E402 - as above


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a bundle, pictures it was trained on, and others."""
    folder = tmp_path_factory.mktemp("home")
    write_pictures(folder / "trained", 4, seed=0)
    judged = write_pictures(folder / "größer", 6, seed=1)
    colour_bundle(folder / "bundle", judged[::6])
    return folder


def export(home: Path, *words: str | Path, source: str = "bundle") -> Result:
    data = ["--calibrate", str(home / "trained"), "--judge", str(home / "größer")]
    return CliRunner().invoke(main, ["export", str(home / source), *map(str, words), *data])


def test_a_bundle_becomes_int8_in_a_registry(home: Path, tmp_path: Path) -> None:
    """It goes to DIR/NAME/VERSION; the table tells what was won and lost."""
    result = export(home, "--precision", "int8", "--registry", tmp_path)
    assert result.exit_code == 0, result.output
    assert str(open_bundle(tmp_path / "colours" / "1-int8")) == "colours:1-int8"
    assert "accuracy" in result.stdout
    assert "is proven and lies in" in result.stdout
    assert "18 pictures judge; it takes 200 to tell a loss of 0.005" in result.stderr


def test_json_for_programs(home: Path, tmp_path: Path) -> None:
    """Standard output is one JSON object; what is said goes elsewhere."""
    result = export(
        home, "--precision", "fp16", "--output", tmp_path / "made", "--name", "a", "--version", "2", "--json"
    )
    told = json.loads(result.stdout)
    assert (told["bundle"], told["precision"], told["proven"]) == ("a:2", "fp16", True)
    assert told["metrics"]["precision"]["after"] == 1.0


def test_what_is_asked_wrongly_is_told(home: Path, tmp_path: Path) -> None:
    """Exit code 2 for wrong usage, 1 for what cannot be done; one line each, and nothing written."""
    (tmp_path / "empty").mkdir()
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "something").write_text("")
    out = ("--output", tmp_path / "out")
    cases: list[tuple[tuple[str | Path, ...], str, int, str]] = [
        (out, "bundle", 2, "is a bundle already"),
        ((*out, "--registry", tmp_path, "--precision", "fp16"), "bundle", 2, "give one"),
        ((*out, "--precision", "int4"), "bundle", 2, "int4"),
        ((*out, "--precision", "fp16", "--version", "1/2"), "bundle", 2, "version '1/2'"),
        (("--output", taken, "--precision", "fp16"), "bundle", 1, "not empty"),
        (("--output", "/proc/x", "--precision", "fp16"), "bundle", 1, "cannot be put there"),
        (("--output", ".", "--precision", "fp16"), "bundle", 1, "give one that ends in a name"),
        ((*out, "--precision", "fp16"), "trained", 1, "holds neither a fit (run.json) nor a bundle (manifest.json)"),
    ]
    for words, source, code, message in cases:
        result = export(home, *words, source=source)
        assert (result.exit_code, message in result.output) == (code, True), result.output
    assert not (tmp_path / "out").exists()


def test_a_bundle_that_is_damaged_is_no_source(home: Path, tmp_path: Path) -> None:
    """Its files are held against the manifest first."""
    shutil.copytree(home / "bundle", tmp_path / "bundle")
    (tmp_path / "bundle" / "model.onnx").write_bytes(b"cut off")
    result = export(tmp_path, "--precision", "int8", "--output", tmp_path / "out")
    assert result.exit_code != 0


def test_a_folder_that_cannot_be_written_is_told_at_once(home: Path, tmp_path: Path) -> None:
    """Nothing is measured for a bundle that has no place."""
    if os.getuid() == 0:
        pytest.skip("root may write anywhere")
    (tmp_path / "locked").mkdir(mode=0o500)
    result = export(home, "--precision", "fp16", "--output", tmp_path / "locked" / "made")
    assert result.exit_code == 1
    assert "cannot be put there (Permission denied)" in result.output


def test_a_fit_becomes_a_bundle_and_its_int8(tmp_path: Path) -> None:
    """Name and version follow from the fit's folder; held-out pictures judge, those trained on calibrate."""
    pytest.importorskip("torch")
    from tests.training.local.tiny import write_grey, write_learnt_run  # noqa: PLC0415 - torch may be absent

    folder = tmp_path / "runs" / "steel" / "3"
    write_learnt_run(folder, write_grey(tmp_path / "data"))
    fp16 = ["--precision", "fp16", "--judge", str(tmp_path / "data")]
    for words in ([], fp16, ["--precision", "int8", "--calibration-pictures", "4"]):
        result = CliRunner().invoke(main, ["export", str(folder), *words, "--registry", str(tmp_path)])
        assert result.exit_code == 0, result.output
        assert ("18 of 24 pictures to judge by were trained on" in result.stderr) == (words == fp16)
    plain, smaller = (open_bundle(tmp_path / "steel" / version).manifest for version in ("3", "3-int8"))
    assert plain.metrics["held_out"]["pictures"] == 6
    assert {label for golden in smaller.golden for label in golden.expected.labels} == {"Bright", "Dark"}
    assert (smaller.metrics["precision"]["before"], smaller.metrics["precision"]["after"]) == (1.0, 1.0)
    assert smaller.provenance["conversion"]["calibration"]["pictures"] == 4
    assert smaller.provenance["command"].startswith("automl-train fit DATA --name steel --version 3")
