"""`automl-train fit` as it is typed: what it prints, how it goes on, and what it refuses."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("torch")
pytest.importorskip("onnx")

from tests.training.local.tiny import TINY, draw
from training.cli import main
from training.cli.progress import figures_of
from training.local.trainer import Step

SETTINGS = [word for name, value in TINY.items() for word in ("--set", f"{name}={value}")]


def words(data: Path, folder: Path, *more: object) -> list[str]:
    return [
        str(word)
        for word in ("fit", data, "--output", folder, "--threads", 1, "--pretrained", "none", *SETTINGS, *more)
    ]


def fit(data: Path, folder: Path, *more: object) -> Result:
    return CliRunner().invoke(main, words(data, folder, *more))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    draw(folder)
    return folder


def test_a_fit_ends_with_a_bundle_and_a_summary(data: Path, tmp_path: Path) -> None:
    """One line an epoch on standard error; at the end the best epoch, where from, on what, and where it lies."""
    folder = tmp_path / "tiny"
    result = fit(data, folder, "--set", "number_of_epochs=2", "--name", "tiny")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == f"tiny:1 is proven and lies in {folder}"
    assert lines[1].startswith("best epoch  ")
    assert lines[2:4] == ["epochs      2 of 2", "network     mobilenetv2, from scratch"]
    assert lines[4] == "pictures    18 trained on, 6 held out, 6 classes"
    assert lines[5].startswith("trained on  CPU (1 thread), 8 pictures at a time, in ")
    assert lines[6] == f"the fit     {folder}.run"
    assert all(f"epoch {epoch}/2  loss " in result.stderr for epoch in (1, 2))
    again = fit(data, tmp_path / "other", "--run", f"{folder}.run", "--set", "number_of_epochs=2", "--json")
    told = json.loads(again.stdout)
    assert (told["how"], told["epochs"], told["device"], told["batch_size"]) == ("ended", 2, "CPU", 8)
    assert (told["bundle"], sorted(told["validation"])) == (str(tmp_path / "other"), ["accuracy", "log_loss"])


def test_a_fit_interrupted_by_hand_says_how_to_go_on(data: Path, tmp_path: Path) -> None:
    """Ctrl-C: exit code 130 and one line; the same command then goes on."""
    command = words(data, tmp_path / "tiny", "--set", "number_of_epochs=40")
    program = [sys.executable, "-m", "training.cli", *command]
    process = subprocess.Popen(program, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    checkpoint = tmp_path / "tiny.run" / "checkpoint.pt"
    while not checkpoint.exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert errors.splitlines()[-1] == (
        f"error: interrupted; the fit lies in {tmp_path / 'tiny.run'}: the same command goes on from there"
    )
    assert "Traceback" not in errors
    other = fit(data, tmp_path / "tiny", "--set", "number_of_epochs=41")
    assert other.exit_code == 1
    assert "number_of_epochs=40, not 41; give the same command to go on" in other.output


@pytest.mark.parametrize(
    ("more", "exit_code", "message"),
    [
        (("--validation", "{data}", "--validation-data-size", "0.3"), 2, "two ways to hold pictures out; give one"),
        (("--device", "gpu"), 2, "no GPU: torch sees none"),
        (("--preset", "magic"), 2, "'magic' is not one of 'automl', 'scratch'"),
        (("--task", "image-object-detection"), 2, "image-object-detection needs a labels' file"),
        (("--model", "seresnext"), 2, "seresnext cannot be trained on this machine"),
        (("--set", "layers_to_freeze=99"), 2, "mobilenetv2 has 19 layers to freeze"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_trained(
    more: tuple[str, ...], exit_code: int, message: str, data: Path, tmp_path: Path
) -> None:
    """In one line, with the remedy; no bundle is begun."""
    result = fit(data, tmp_path / "tiny", *(word.format(data=data) for word in more))
    assert (result.exit_code, message in result.output.splitlines()[-1]) == (exit_code, True), result.output
    assert not (tmp_path / "tiny").exists()


def test_an_empty_folder_and_a_broken_picture_are_named(tmp_path: Path) -> None:
    """The collection, or the one picture in it."""
    (tmp_path / "empty").mkdir()
    assert "no labelled pictures; expected one folder a class" in fit(tmp_path / "empty", tmp_path / "x").output
    for name in ("a", "b"):
        (tmp_path / "broken" / name).mkdir(parents=True)
        for number in range(2):
            (tmp_path / "broken" / name / f"{number}.png").write_bytes(b"no picture, " + bytes([number]))
    told = fit(tmp_path / "broken", tmp_path / "x").output.splitlines()[-1]
    assert "1.png: the 13 bytes do not begin like a picture" in told


STEP = Step(7, 56, 3, 37, 0.51234, 0.9231)


def test_figures_fit_into_eighty_columns() -> None:
    """There the held-out figure that counts stays to the last; a wide terminal shows all."""
    judged = {"accuracy": 0.9667, "log_loss": 0.10123}
    assert figures_of(STEP, judged, short=True) == "7/56  loss 0.512  held out 0.967"
    assert figures_of(STEP, judged, short=False) == (
        "epoch 7/56  loss 0.512  training 0.923  held out: accuracy 0.967  log_loss 0.101"
    )
    assert figures_of(STEP, {}, short=True) == "7/56  loss 0.512"
