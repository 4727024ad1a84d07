"""`automl-train azure cancel` as it is typed."""

import json
from pathlib import Path

import pytest

from tests.azure.commands import run
from tests.azure.orders import furnish_jobs, job, write_job
from tests.azure.standin import Cloud


@pytest.fixture
def running(azure: Cloud, tmp_path: Path) -> str:
    furnish_jobs(azure)
    assert run(azure, tmp_path, "submit", write_job(tmp_path, job(name="run_1"))).exit_code == 0
    return "run_1"


def test_a_job_is_canceled(azure: Cloud, tmp_path: Path, running: str) -> None:
    """The end is asked for, and not waited for."""
    result = run(azure, tmp_path, "cancel", running)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "run_1: asked to cancel; automl-train azure watch run_1 shows its end\n"
    assert azure.wire.count("POST", "/jobs/run_1/cancel") == 1


def test_its_end_is_waited_for(azure: Cloud, tmp_path: Path, running: str) -> None:
    """If it is wished."""
    assert run(azure, tmp_path, "cancel", running, "--wait").stdout == "run_1: Canceled\n"


def test_a_job_that_has_ended_is_left_as_it_is(azure: Cloud, tmp_path: Path, running: str) -> None:
    """So it is told, to people and programs."""
    run(azure, tmp_path, "cancel", running)
    assert run(azure, tmp_path, "cancel", running).stdout == "run_1 has ended already: Canceled\n"
    told = json.loads(run(azure, tmp_path, "cancel", running, "--json").stdout)
    assert told == {"name": "run_1", "status": "Canceled", "cancel_requested": False}


@pytest.mark.parametrize(("status", "words"), [(403, "canceling the job run_1"), (409, "canceling the job run_1")])
def test_a_refusal_is_one_line(azure: Cloud, tmp_path: Path, running: str, status: int, words: str) -> None:
    """With exit code 1."""
    azure.wire.break_(r"POST .*/cancel", status)
    result = run(azure, tmp_path, "cancel", running)
    assert result.exit_code == 1
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_job_that_is_not_there(azure: Cloud, tmp_path: Path) -> None:
    """It is named, and the workspace."""
    result = run(azure, tmp_path, "cancel", "gone")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: there is no job gone [workspace vision")
