"""`automl-train data check` and `upload` as they are typed: tables for people, JSON for programs, exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.standin import Cloud
from tests.training.dataset.samples import picture_bytes
from training.cli import main


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], env={"COLUMNS": "80"})


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twenty pictures of two classes."""
    folder = tmp_path / "pictures"
    for number in range(20):
        path = folder / ("can", "milk bottle")[number // 10] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture_bytes(number, height=40))
    return folder


@pytest.fixture
def place(azure: Cloud, tmp_path: Path) -> list[str]:
    """The options that lead to the workspace."""
    words = ["--cloud", str(azure.cloud_file(tmp_path)), "--credential", "managed-identity"]
    words += ["--subscription", SUBSCRIPTION, "--resource-group", RESOURCE_GROUP, "--workspace", WORKSPACE]
    return words


def test_check_shows_what_would_be_trained_on(pictures: Path) -> None:
    """Task, format and the pictures of each class in each part; nothing on standard error without a terminal."""
    result = run("data", "check", pictures, "--test-share", "0.1")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [" ".join(line.split()) for line in result.stdout.splitlines()] == [
        "20 pictures, image-classification, read as folders",
        "class train validation test",
        "can 7 2 1",
        "milk bottle 7 2 1",
        "pictures 14 4 2",
        "wrong labels were not looked for: fewer than 60 pictures in classes of 10 and more",
    ]


def test_check_ends_with_1_where_there_are_problems(pictures: Path) -> None:
    """The table names the file, the last line the kinds; warnings stop nothing unless they shall."""
    (pictures / "can/0.png").write_bytes(picture_bytes(0)[:200])
    result = run("data", "check", pictures)
    assert result.exit_code == 1
    assert "can/0.png" in result.stdout
    assert result.stderr == "error: 1 of these must be put right: damaged\n"
    (pictures / "can/0.png").unlink()
    assert run("data", "check", pictures).exit_code == 0
    strict = run("data", "check", pictures, "--strict")
    assert (strict.exit_code, strict.stderr) == (1, "error: 1 of these must be put right: small-class\n")


def test_check_prints_json(pictures: Path) -> None:
    """All that the tables show, problems or not."""
    (pictures / "can/copy.png").write_bytes(picture_bytes(15, height=40))
    result = run("data", "check", pictures, "--json", "--seed", "3")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert (told["task"], told["format"], told["pictures"]) == ("image-classification", "folders", 21)
    assert told["classes"]["can"] == {"train": 9, "validation": 2, "test": 0}
    (finding,) = told["findings"]
    assert (finding["level"], finding["kind"], finding["count"]) == ("problem", "contradiction", 1)


@pytest.mark.parametrize(
    ("words", "exit_code", "message"),
    [
        (("{tmp}/nowhere",), 2, "does not exist"),
        (("{tmp}/empty",), 1, "no labelled pictures; expected one folder a class"),
        (("{pictures}", "--validation-share", "0.6", "--test-share", "0.4"), 2, "nothing to train on"),
        (("{pictures}", "--validation-share", "1"), 2, "not in the range"),
        (("{pictures}", "--validation-share", "nan"), 2, "nothing to train on"),
        (("{pictures}", "--task", "image-object-detection"), 2, "needs a labels' file"),
        (("{pictures}", "--format", "coco"), 1, "name it with --labels"),
    ],
)
def test_wrong_requests_end_in_one_clear_line(
    pictures: Path, tmp_path: Path, words: tuple[str, ...], exit_code: int, message: str
) -> None:
    """Usage errors exit 2, collections that cannot be read 1."""
    (tmp_path / "empty").mkdir()
    result = run("data", "check", *(word.format(tmp=tmp_path, pictures=pictures) for word in words))
    assert result.exit_code == exit_code
    assert message in result.stderr.strip().splitlines()[-1]


def test_upload_prints_the_lines_for_a_job(pictures: Path, place: list[str]) -> None:
    """Names, versions, and whether they were there; standard error stays empty."""
    result = run("data", "upload", pictures, "--name", "cli-lines", *place)
    assert (result.exit_code, result.stderr) == (0, "")
    shown = [" ".join(line.split()) for line in result.stdout.splitlines()[5:]]
    assert shown == [
        "data asset type pictures",
        "cli-lines:1 uri_folder 20 new",
        "cli-lines-train:1 mltable 16 new",
        "cli-lines-validation:1 mltable 4 new",
        f"20 files sent ({_kilobytes(pictures)} kB), 0 were there",
        'training_data = "azureml:cli-lines-train:1"',
        'validation_data = "azureml:cli-lines-validation:1"',
    ]
    again = run("data", "upload", pictures, "--name", "cli-lines", *place)
    assert again.stdout.count("already there") == 3
    assert "0 files sent (0.0 kB), 20 were there" in again.stdout


def _kilobytes(folder: Path) -> str:
    return f"{sum(path.stat().st_size for path in folder.rglob('*.png')) / 1e3:.1f}"


def test_upload_prints_json(pictures: Path, place: list[str]) -> None:
    """References to paste, paths, what was sent."""
    result = run("data", "upload", pictures, "--name", "cli-json", "--validation-share", "0", "--json", *place)
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert set(told["assets"]) == {"pictures", "train"}
    assert told["assets"]["train"] == {
        "name": "cli-json-train",
        "version": "1",
        "type": "mltable",
        "path": told["assets"]["train"]["path"],
        "reference": "azureml:cli-json-train:1",
        "pictures": 20,
        "reused": False,
    }
    assert (told["sent"]["files"], told["sent"]["kept"]) == (20, 0)


def test_upload_sends_nothing_of_a_bad_collection(azure: Cloud, pictures: Path, place: list[str]) -> None:
    """What is wrong is shown as by check."""
    (pictures / "can/0.png").write_bytes(b"")
    result = run("data", "upload", pictures, "--name", "cli-bad", *place)
    assert result.exit_code == 1
    assert "damaged" in result.stdout
    assert result.stderr.endswith("damaged; nothing was sent\n")
    assert azure.wire.exchanges == ()


def test_checking_loads_neither_the_sdk_nor_torch(pictures: Path) -> None:
    """Checking starts at once, and works without the extras."""
    code = (
        "import sys; from training.cli import main\n"
        f"main(['data', 'check', {str(pictures)!r}], standalone_mode=False)\n"
        "sys.exit(bool({'torch', 'onnx', 'onnxruntime', 'azure.ai.ml', 'azure.identity'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
