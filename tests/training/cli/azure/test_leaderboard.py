"""`automl-train azure leaderboard` as it is typed."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.simulation import Trial, automl_job, running_job
from tests.azure.standin import Cloud
from training.cli import main

TRIALS = [
    Trial(n, {"model_name": "resnet18", "learning_rate": n / 1000}, {"accuracy": n / 200, "log_loss": 1 - n / 200})
    for n in range(100)
]


@pytest.fixture
def where(azure: Cloud, tmp_path: Path) -> list[str]:
    """The way to the workspace."""
    place = ["--subscription", SUBSCRIPTION, "--resource-group", RESOURCE_GROUP, "--workspace", WORKSPACE]
    return [*place, "--credential", "managed-identity", "--cloud", str(azure.cloud_file(tmp_path))]


def leaderboard(where: list[str], *words: object) -> Result:
    return CliRunner().invoke(main, ["azure", "leaderboard", "line", *map(str, words), *where])


def test_the_best_of_a_hundred(azure: Cloud, where: list[str]) -> None:
    """A table of no more than 80 columns."""
    automl_job(azure, "line", trials=TRIALS, artifacts={})
    result = leaderboard(where, "--top", 3)
    assert result.exit_code == 0, result.output
    assert [line.split() for line in result.stdout.splitlines()[4:7]] == [
        ["1.", "99", "*", "0.4950", "resnet18", "0.099", "0.5050"],
        ["2.", "98", "0.4900", "resnet18", "0.098", "0.5100"],
        ["3.", "97", "0.4850", "resnet18", "0.097", "0.5150"],
    ]
    assert "97 more trials" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_files_for_other_programs_and_people(azure: Cloud, where: list[str], tmp_path: Path) -> None:
    """A CSV of the rows, a picture of all trials."""
    automl_job(azure, "line", trials=TRIALS, artifacts={})
    table, picture = tmp_path / "trials.csv", tmp_path / "trials.png"
    result = leaderboard(where, "--top", 5, "--csv", table, "--plot", picture)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-2:] == [f"written: {table}", f"written: {picture}"]
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == [f"line_HD_{n}" for n in (99, 98, 97, 96, 95)]
    with Image.open(picture) as drawn:
        assert drawn.format == "PNG"


def test_a_single_trial(azure: Cloud, where: list[str], tmp_path: Path) -> None:
    """All its hyperparameters; its picture has its metrics as bars."""
    automl_job(azure, "line", trials=[TRIALS[50]], artifacts={})
    picture = tmp_path / "trial.svg"
    result = leaderboard(where, "--plot", picture)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[4].split() == ["1.", "50", "*", "0.2500", "resnet18", "0.05", "0.7500"]
    assert "<!-- line: trial 50 -->" in picture.read_text()


def test_json_for_programs(azure: Cloud, where: list[str]) -> None:
    """By another metric, whose direction turns; the order of the metric's name is told."""
    automl_job(azure, "line", trials=TRIALS[:3], artifacts={})
    result = leaderboard(where, "--metric", "log_loss", "--json")
    told = json.loads(result.stdout)
    assert (told["metric"], told["smaller_is_better"], told["best"]) == ("log_loss", True, "line_HD_2")
    assert [row["trial"] for row in told["trials"]] == ["line_HD_2", "line_HD_1", "line_HD_0"]
    assert told["trials"][0]["hyperparameters"] == {"model_name": "resnet18", "learning_rate": 0.002}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--metric", "f1"], 2, "error: job line: no trial has the metric f1; there is accuracy, log_loss"),
        (["--plot", "line.gif"], 2, "error: --plot line.gif: must end with .png, .svg, .pdf"),
        (
            ["--plot", "no/such/folder.png"],
            1,
            "error: no/such/folder.png: cannot be written (No such file or directory)",
        ),
        (
            ["--csv", "no/such/folder.csv"],
            1,
            "error: no/such/folder.csv: cannot be written (No such file or directory)",
        ),
    ],
)
def test_what_cannot_be_is_one_line(azure: Cloud, where: list[str], words: list[str], code: int, said: str) -> None:
    """With what there is instead."""
    automl_job(azure, "line", trials=TRIALS[:2], artifacts={})
    result = leaderboard(where, *words)
    assert (result.exit_code, result.stderr.strip()) == (code, said)


def test_a_job_whose_trials_have_not_begun(azure: Cloud, where: list[str]) -> None:
    """It says how the job stands."""
    running_job(azure, "line", trials=TRIALS, artifacts={})
    result = leaderboard(where)
    assert (result.exit_code, result.stderr.strip()) == (1, "error: job line: has no trials yet; it is Queued")


def test_nothing_logged_is_nothing_to_draw(azure: Cloud, where: list[str], tmp_path: Path) -> None:
    """The table is there, the picture is not."""
    running_job(azure, "line", trials=TRIALS, artifacts={}).advance()
    result = leaderboard(where, "--plot", tmp_path / "trials.png")
    assert (result.exit_code, result.stderr.strip()) == (
        1,
        "error: job line: no trial has logged accuracy; there is nothing to draw",
    )
