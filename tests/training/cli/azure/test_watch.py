"""`automl-train azure watch` as it is typed."""

import json
import signal
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.commands import COMMAND
from tests.azure.simulation import Trial, automl_job, running_job
from tests.azure.standin import Cloud
from training.cli import main

TRIALS = [Trial(0, {"model_name": "resnet18"}, {"accuracy": 0.8}), Trial(1, {}, {}, "Failed", "no memory")]


@pytest.fixture
def where(azure: Cloud, tmp_path: Path) -> list[str]:
    """The way to the workspace."""
    place = ["--subscription", SUBSCRIPTION, "--resource-group", RESOURCE_GROUP, "--workspace", WORKSPACE]
    return [*place, "--credential", "managed-identity", "--cloud", str(azure.cloud_file(tmp_path))]


def watch(where: list[str], *words: str) -> Result:
    return CliRunner().invoke(main, ["azure", "watch", *words, *where])


def test_a_finished_job_is_told_at_once(azure: Cloud, where: list[str]) -> None:
    """Its trials, how it ended, what comes next."""
    automl_job(azure, "line", trials=TRIALS, artifacts={})
    result = watch(where, "line")
    assert result.exit_code == 0, result.output
    told = [line[10:] if line[2:3] == ":" else line for line in result.stdout.splitlines()]
    assert told[0].startswith("trial 0: completed, accuracy 0.8000, after ")
    assert told[1].startswith("trial 1: failed, after ")
    assert told[1].endswith(": no memory")
    assert told[2:] == [
        "job line: Completed, 2 of 2 trials done (1 failed)",
        "best: trial 0, accuracy 0.8000",
        "next: automl-train azure fetch line --model NAME makes a bundle of it",
    ]


@pytest.mark.parametrize(("status", "code"), [("Failed", 1), ("Canceled", 3)])
def test_the_exit_code_tells_how_it_ended(azure: Cloud, where: list[str], status: str, code: int) -> None:
    """With Azure's words where it failed."""
    automl_job(azure, "line", trials=[], status=status, error="no quota" if code == 1 else None, artifacts={})
    result = watch(where, "line")
    assert result.exit_code == code
    assert result.stdout.splitlines()[-1] == f"job line: {status}{': no quota' if code == 1 else ''}"


def test_the_time_to_watch_may_end(azure: Cloud, where: list[str]) -> None:
    """The job goes on; the exit code says so."""
    running_job(azure, "line", trials=TRIALS, artifacts={})
    result = watch(where, "line", "--timeout", "0.2s", "--every", "0.1s")
    assert result.exit_code == 4
    assert "the time to watch is over; the job goes on: automl-train azure watch line follows it" in result.stderr


def test_json_lines(azure: Cloud, where: list[str]) -> None:
    """Nothing else is printed."""
    automl_job(azure, "line", trials=TRIALS, artifacts={})
    result = watch(where, "line", "--json")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["event"] for event in events] == ["trial", "trial", "job"]
    assert events[-1]["exit_code"] == result.exit_code == 0
    assert events[-1]["best"] == "line_HD_0"


def test_an_unknown_job_is_one_line(azure: Cloud, where: list[str]) -> None:  # noqa: ARG001 - the cloud must be there
    """It ends at once."""
    result = watch(where, "nobody")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: asking for the job nobody: ")
    assert len(result.stderr.splitlines()) == 1


def test_an_interrupt_leaves_the_job_running(azure: Cloud, where: list[str]) -> None:
    """It says how to follow it again, and how to end it."""
    job = running_job(azure, "line", trials=TRIALS, artifacts={})
    job.advance()
    command = [*COMMAND, "azure", "watch", "line", "--every", "60s", *where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "trial 0: running" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said.strip() == (
        "no longer watched; the job goes on: automl-train azure watch line follows it again, "
        "automl-train azure cancel line ends it"
    )
    assert not job.ended
    assert azure.wire.count("POST", "cancel") == 0
