"""``automl-edge predict``: pictures to rows."""

import csv
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.edge.cli.conftest import Cli
from tests.fakes import LABELS, make_bundle, truncate


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "edge.cli", "predict", *map(str, arguments)]


def csv_rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_every_picture_gets_a_row(cli: Cli, registry: Path, pictures: Path, tmp_path: Path) -> None:
    """The latest model answers; rows are in order; the columns are path, label, score, one a class, error."""
    output = tmp_path / "results.csv"
    result = cli("predict", pictures, "--registry", registry, "--output", output)
    assert (result.exit_code, result.stdout) == (0, "")
    rows = csv_rows(output)
    assert list(rows[0]) == ["path", "label", "score", *LABELS, "error"]
    assert [(row["path"].removeprefix(f"{pictures}/"), row["label"]) for row in rows] == [
        ("blue.png", "blue"),
        ("bright.png", "bright"),
        ("dark.png", "dark"),
        ("deep/red.JPG", "red"),
        ("red.png", "red"),
    ]


def test_summary_tells_what_was_done(cli: Cli, registry: Path, pictures: Path, tmp_path: Path) -> None:
    """Model, provider, number of pictures, counts per label and the file are told on standard error."""
    output = tmp_path / "results.jsonl"
    summary = cli("predict", pictures, "--registry", registry, "--output", output).stderr
    assert "colours:2 on CPUExecutionProvider" in summary
    assert "pictures  5 in" in summary
    assert "blue 1, bright 1, dark 1, red 2" in summary
    assert f"written   {output}" in summary


def test_bad_pictures_are_named_in_their_own_rows(cli: Cli, registry: Path, pictures: Path, tmp_path: Path) -> None:
    """All rows are written, the bad one with its error, and the exit code is 1."""
    (pictures / "blue.png").write_bytes(b"no picture")
    output = tmp_path / "results.jsonl"
    result = cli("predict", pictures, "--registry", registry, "--output", output)
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert result.exit_code == 1
    assert (rows[0]["path"], rows[0]["error"]["kind"]) == (f"{pictures}/blue.png", "ImageDecodeError")
    assert [row["label"] for row in rows[1:]] == ["bright", "dark", "red", "red"]
    assert f"failed    1\n          {pictures}/blue.png: " in result.stderr


def test_without_output_columns_are_printed(cli: Cli, registry: Path, pictures: Path) -> None:
    """Score, label and path, one line a picture; the summary stays out of it."""
    result = cli("predict", pictures / "red.png", pictures / "notes.txt", "--registry", registry)
    head, red, notes = result.stdout.splitlines()
    assert head.split() == ["score", "label", "path"]
    assert red.split()[1:] == ["red", str(pictures / "red.png")]
    assert notes.split()[:3] == ["-", "error", f"{pictures / 'notes.txt'}:"]


def test_json_lines_go_to_standard_output(cli: Cli, registry: Path, pictures: Path) -> None:
    """--json prints what a .jsonl file would hold."""
    result = cli("predict", pictures / "red.png", "--registry", registry, "--json")
    (row,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert (row["path"], row["label"], row["labels"]) == (str(pictures / "red.png"), "red", list(LABELS))


def test_a_model_can_be_pinned(cli: Cli, registry: Path, pictures: Path) -> None:
    """NAME takes the newest of that name, NAME:VERSION that one."""
    make_bundle(registry / "multi/1", name="multi", task="image-classification-multilabel", golden=False)
    for wanted, taken in (("colours:1", "colours:1"), ("colours", "colours:2"), ("multi:latest", "multi:1")):
        result = cli("predict", pictures / "red.png", "--registry", registry, "--model", wanted)
        assert f"model     {taken}" in result.stderr
    assert "unproven" in result.stderr


def test_multilabel_rows_name_the_selected_labels(cli: Cli, registry: Path, pictures: Path, tmp_path: Path) -> None:
    """A multi-label model's rows have one column more."""
    make_bundle(registry / "multi/1", name="multi", task="image-classification-multilabel")
    output = tmp_path / "results.csv"
    assert (
        cli("predict", pictures / "red.png", "--registry", registry, "--model", "multi", "--output", output).exit_code
        == 0
    )
    (row,) = csv_rows(output)
    assert row["selected"] == "red"


def test_a_broken_newest_version_is_told(cli: Cli, registry: Path, pictures: Path) -> None:
    """What is passed over is said aloud; asked for by name it is an error."""
    truncate(registry / "colours/2/model.onnx")
    result = cli("predict", pictures / "red.png", "--registry", registry)
    assert "warning: colours/2 is passed over: " in result.stderr
    assert "model     colours:1" in result.stderr
    pinned = cli("predict", pictures / "red.png", "--registry", registry, "--model", "colours:2")
    assert (pinned.exit_code, pinned.stdout) == (1, "")
    assert "model.onnx" in pinned.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "text"),
    [
        (["parts", "--output", "rows.xml"], 2, "must end with .csv or .jsonl"),
        (["parts", "--output", "nowhere/rows.csv"], 2, "there is no folder nowhere"),
        (["parts", "--output", "rows.csv", "--json"], 2, "give one of them"),
        (["parts/nothing.png"], 2, "'parts/nothing.png' does not exist"),
        (["parts", "--model", "a/b"], 2, "is not NAME or NAME:VERSION"),
        (["parts", "--model", "colours:9"], 1, "there are colours:2, colours:1"),
        (["parts", "--model", "colors"], 1, "there are colours"),
        (["parts", "--registry", "nowhere"], 1, "cannot read the registry nowhere"),
        (["models", "--no-recursive"], 1, "no pictures in models"),
        (["parts", "--device", "require-gpu"], 1, "require-gpu"),
    ],
)
@pytest.mark.usefixtures("registry", "pictures")
def test_mistakes_are_told_before_any_work(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], exit_code: int, text: str
) -> None:
    """The message names the thing and the remedy; nothing is written."""
    monkeypatch.chdir(tmp_path)
    result = cli("predict", *arguments)
    assert result.exit_code == exit_code
    assert text in result.stderr
    assert not list(tmp_path.glob("rows*"))


def many(folder: Path, source: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:05}.png").symlink_to(source)
    return folder


def test_ctrl_c_leaves_what_was_done(registry: Path, pictures: Path, tmp_path: Path) -> None:
    """Interrupted, the rows so far are whole and stay in the partial file; the exit code is 130."""
    folder = many(tmp_path / "many", pictures / "red.png", 20000)
    partial = tmp_path / "rows.csv.partial"
    # whoever runs the tests in the background of a shell has them ignore the signal, and what they start inherits that
    listening = ["env", "--default-signal=INT"]
    arguments = [*listening, *command(folder, "--registry", registry, "--output", tmp_path / "rows.csv")]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 30
        while not (partial.exists() and partial.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert stderr.endswith("error: interrupted\n")
    assert f"written   {partial}" in stderr
    rows = csv_rows(partial)
    assert 0 < len(rows) < 20000
    assert all(row["label"] == "red" and row["error"] == "" for row in rows)


def test_a_reader_that_leaves_early_is_no_error_to_tell(registry: Path, pictures: Path, tmp_path: Path) -> None:
    """`… | head -1` gets its line; nothing is said about the broken pipe."""
    folder = many(tmp_path / "many", pictures / "red.png", 3000)
    arguments = command(folder, "--registry", registry, "--json")
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = json.loads(process.stdout.readline())
        process.stdout.close()
        stderr = process.stderr.read()
    assert first["label"] == "red"
    assert "Traceback" not in stderr
    assert "error" not in stderr.lower()


def test_progress_is_shown_on_a_terminal_only(registry: Path, pictures: Path, tmp_path: Path) -> None:
    """Standard error gets a bar where it is a terminal, and plain lines where it is not."""
    arguments = command(pictures, "--registry", registry, "--output", tmp_path / "rows.csv")
    main, terminal = pty.openpty()
    subprocess.run(arguments, stderr=terminal, check=True)
    os.close(terminal)
    shown = os.read(main, 100_000).decode()
    os.close(main)
    plain = subprocess.run(arguments, stderr=subprocess.PIPE, check=True, text=True).stderr
    assert "predicting" in shown
    assert "predicting" not in plain
    assert "\x1b" not in plain
