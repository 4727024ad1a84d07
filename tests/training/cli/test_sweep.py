"""`automl-train sweep`, with real trials, killed in the middle and gone on with."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("torch")
pytest.importorskip("optuna")

from edge.bundle import open_bundle
from training.cli import main
from training.cli.trying import line
from training.dataset.drawn import write_drawn
from training.local.run import read_epochs
from training.local.sweep.search import Began, Over, Progress

SPACE = """
task = "image-classification"
name = "tiny"
training_data = "data"
validation_data_size = 0.34
[limits]
max_trials = 2
[model]
number_of_epochs = 2
model_name = "mobilenetv2"
training_batch_size = 8
training_crop_size = 32
validation_resize_size = 32
validation_crop_size = 32
optimizer = "adamw"
[fit]
threads = 1
[sweep]
sampling_algorithm = "random"
[[sweep.space]]
learning_rate = { type = "loguniform", min_value = -7, max_value = -5 }
"""
WAIT_S = 60.0


def words(folder: Path) -> list[str]:
    return [
        "sweep",
        str(folder / "space.toml"),
        "--output",
        str(folder / "out"),
        "--bundle",
        str(folder / "bundle"),
    ]


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a sweep that was killed after the first epoch of its first trial."""
    folder = tmp_path_factory.mktemp("sweep")
    list(write_drawn(folder / "data", count=18, seed=0, size=32))
    (folder / "space.toml").write_text(SPACE)
    with subprocess.Popen([sys.executable, "-m", "training.cli", *words(folder)], stderr=subprocess.DEVNULL) as killed:
        until = time.monotonic() + WAIT_S
        while not (folder / "out/trials/0000/metrics.jsonl").exists() and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(killed.pid, signal.SIGKILL)
    return folder


@pytest.fixture(scope="module")
def swept(begun: Path) -> tuple[Path, Result]:
    """Return the folder and what the same command said then."""
    return begun, run(*words(begun))


def test_a_sweep_that_was_killed_goes_on(swept: tuple[Path, Result]) -> None:
    """Its first trial from where it was; the end is a table and a proven bundle."""
    folder, result = swept
    assert result.exit_code == 0, result.output
    assert "trial 0: goes on: learning_rate=" in result.stderr
    assert "trial 1: begins: learning_rate=" in result.stderr
    assert "sweep tiny: completed, 2 of 2 trials done" in result.stdout
    assert "the bundle of the best trial is proven and lies in" in result.stdout
    assert [epoch.epoch for epoch in read_epochs(folder / "out/trials/0000")] == [1, 2]


def test_the_bundle_says_what_it_was_the_best_of(swept: tuple[Path, Result]) -> None:
    """Name of the sweep, how many trials, which one."""
    folder, _ = swept
    told = open_bundle(folder / "bundle").manifest.provenance["sweep"]
    assert (told["name"], told["trials"], told["primary_metric"]) == ("tiny", 2, "accuracy")
    assert told["trial"] in (0, 1)


def test_the_same_command_once_more_trains_nothing(swept: tuple[Path, Result]) -> None:
    """It shows what there is."""
    folder, first = swept
    again = run(*words(folder))
    assert again.exit_code == 0, again.output
    assert again.stderr == ""
    assert again.stdout == first.stdout


def test_a_sweep_can_be_looked_at(swept: tuple[Path, Result], tmp_path: Path) -> None:
    """As a table, CSV, a picture and JSON."""
    folder, _ = swept
    shown = run(
        "sweep", "--show", str(folder / "out"), "--csv", str(tmp_path / "a.csv"), "--plot", str(tmp_path / "a.png")
    )
    assert shown.exit_code == 0, shown.output
    assert (tmp_path / "a.csv").read_text().startswith("rank,trial,state,best,started,ended,seconds,accuracy,log_loss")
    assert (tmp_path / "a.png").stat().st_size > 10_000
    told = json.loads(run("sweep", "--show", str(folder / "out"), "--json").stdout)
    assert (told["sweep"], told["state"], len(told["trials"])) == ("tiny", "completed", 2)


def test_another_space_does_not_go_into_the_folder(swept: tuple[Path, Result], tmp_path: Path) -> None:
    """With the remedy."""
    folder, _ = swept
    changed = folder / "changed.toml"
    changed.write_text(SPACE.replace("-7", "-8"))
    refused = run("sweep", str(changed), "--output", str(folder / "out"), "--bundle", str(tmp_path / "b"))
    assert refused.exit_code == 2
    assert "holds a sweep of another space" in refused.stderr
    assert "Give another --output" in refused.stderr


def test_more_trials_may_be_asked_for(swept: tuple[Path, Result]) -> None:
    """Limits may change; but what was found earlier is not overwritten."""
    folder, _ = swept
    more = folder / "more.toml"
    more.write_text(SPACE.replace("max_trials = 2", "max_trials = 3"))
    refused = run("sweep", str(more), "--output", str(folder / "out"), "--bundle", str(folder / "bundle"))
    assert refused.exit_code == 1
    assert "give another --version or --bundle" in refused.stderr


def test_typos_are_told_before_anything_runs(tmp_path: Path) -> None:
    """All at once, with exit code 2; nothing is written."""
    (tmp_path / "space.toml").write_text(SPACE.replace("max_trials", "max_trails").replace("adamw", "adamv"))
    refused = run(*words(tmp_path))
    assert refused.exit_code == 2
    assert "limits.max_trails: no such key; did you mean max_trials?" in refused.stderr
    assert "model.optimizer: must be one of sgd, adam, adamw" in refused.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--show", "."], "holds no sweep"),
        (["."], "add --show"),
        (["pyproject.toml", "--plot", "a.gif"], "must end with"),
    ],
)
def test_wrong_use_says_what_is_right(given: list[str], said: str) -> None:
    """A folder without a sweep, a folder in place of a file, a picture of a kind that there is not."""
    refused = run("sweep", *given)
    assert refused.exit_code in (1, 2)
    assert said in refused.stderr


def test_what_happens_is_a_line_each() -> None:
    """Where there is no terminal."""
    assert line(Began(1, {"learning_rate": 0.0123456, "optimizer": "sgd"}, 5, again=False)) == (
        "trial 1: begins: learning_rate=0.01235, optimizer=sgd"
    )
    assert line(Progress(1, 2, 0.98765)) == "trial 1: epoch 2: 0.9877"
    assert line(Over(1, "terminated", 0.5)) == "trial 1: terminated, best 0.5000"
    assert line(Over(1, "failed", reason="the loss became nan")) == "trial 1: failed: the loss became nan"
