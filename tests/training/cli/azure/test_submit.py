"""`automl-train azure submit` as it is typed: what a person reads, what a program gets, what is refused."""

import json
import subprocess
import sys
from pathlib import Path

from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.commands import run
from tests.azure.orders import TRAINING, VALIDATION, furnish_jobs, job, write_job
from tests.azure.simulation import finish
from tests.azure.standin import Cloud

SWEEP = {
    "sampling_algorithm": "random",
    "space": [{"model_name": ["resnet18", "resnet50"], "learning_rate": [0.001, 0.01]}],
}


def test_a_job_is_submitted(azure: Cloud, tmp_path: Path) -> None:
    """A person reads what runs where, and how to follow it."""
    furnish_jobs(azure)
    file = write_job(tmp_path, job(model=None, limits={"max_trials": 8}, sweep=SWEEP))
    result = run(azure, tmp_path, "submit", file, "--name", "run_1")
    assert result.exit_code == 0, result.output
    *rows, last = result.stdout.splitlines()
    assert dict(row.split(maxsplit=1) for row in rows if not row.startswith("studio")) == {
        "job": "run_1 (NotStarted)",
        "task": "image-classification, best by accuracy",
        "trials": "8, a random sweep",
        "data": f"{TRAINING}:3",
        "compute": "gpucluster",
    }
    assert rows[-1].startswith("studio    https://ml.azure.com/runs/run_1?")
    assert last == "follow it: automl-train azure watch run_1"
    assert result.stderr == ""


def test_a_program_gets_json(azure: Cloud, tmp_path: Path) -> None:
    """The name, to go on with."""
    furnish_jobs(azure)
    file = write_job(tmp_path, job(validation_data=f"azureml:{VALIDATION}@latest"))
    told = json.loads(run(azure, tmp_path, "submit", file, "--json").stdout)
    assert told["name"].startswith("housings-")
    assert told["status"] == "NotStarted"
    assert (told["training_data"], told["validation_data"]) == (f"{TRAINING}:3", f"{VALIDATION}:1")
    assert told["studio_url"].startswith("https://ml.azure.com/runs/")


def test_a_job_is_followed(azure: Cloud, tmp_path: Path) -> None:
    """As `azure watch` does, whose exit code it takes."""
    furnish_jobs(azure)
    azure.notes["on_submit"] = lambda name: finish(azure, name, status="Failed", artifacts={}, error="out of memory")
    result = run(azure, tmp_path, "submit", write_job(tmp_path, job(name="run_1")), "--watch")
    assert result.exit_code == 1
    assert "follow it" not in result.stdout
    assert "out of memory" in result.stdout


def test_a_job_is_followed_by_a_program(azure: Cloud, tmp_path: Path) -> None:
    """Each line is JSON, the first one the job that was submitted."""
    furnish_jobs(azure)
    azure.notes["on_submit"] = lambda name: finish(azure, name, artifacts={})
    result = run(azure, tmp_path, "submit", write_job(tmp_path, job(name="run_1")), "--watch", "--json")
    first, *others = [json.loads(line) for line in result.stdout.splitlines()]
    assert (result.exit_code, first["name"], others[-1]["exit_code"]) == (0, "run_1", 0)


def test_a_name_given_twice_is_refused(azure: Cloud, tmp_path: Path) -> None:
    """With what to do."""
    furnish_jobs(azure)
    file = write_job(tmp_path, job(name="run_1"))
    assert run(azure, tmp_path, "submit", file).exit_code == 0
    result = run(azure, tmp_path, "submit", file)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: there is a job run_1 already")


def test_every_problem_has_a_line_of_its_own(azure: Cloud, tmp_path: Path) -> None:
    """Nothing is asked of Azure before the file is right."""
    file = write_job(tmp_path, job(compute=None, model={"model_name": "resnet18", "momentu": 1}))
    result = run(azure, tmp_path, "submit", file)
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        f"error: {file} has 2 problems:",
        "  compute: give either compute, the name of a cluster, or [serverless] with an instance_type",
        "  model.momentu: no such hyperparameter; did you mean momentum?",
    ]
    assert azure.wire.exchanges == ()


def test_models_without_onnx_are_a_wish(azure: Cloud, tmp_path: Path) -> None:
    """By an option of the command."""
    furnish_jobs(azure)
    file = write_job(tmp_path, job(model={"model_name": "google/vit-base-patch16-224"}))
    result = run(azure, tmp_path, "submit", file)
    assert result.exit_code == 2
    assert "gives no ONNX" in result.stderr
    assert run(azure, tmp_path, "submit", file, "--allow-no-onnx").exit_code == 0


def test_a_dry_run_sends_nothing(azure: Cloud, tmp_path: Path) -> None:
    """It prints the request as JSON, and on the side what is settled only later."""
    file = write_job(tmp_path, job(training_data=f"azureml:{TRAINING}@latest"))
    result = run(azure, tmp_path, "submit", file, "--dry-run")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["method"] == "PUT"
    assert told["body"]["properties"]["taskDetails"]["modelSettings"] == {"modelName": "resnet18"}
    assert result.stderr.splitlines() == [
        f"note: {TRAINING}@latest: the version is looked up when the job is submitted",
        "note: the job is named when it is submitted; give --name or name to fix it now",
    ]
    assert azure.wire.exchanges == ()


def test_a_dry_run_needs_no_network(tmp_path: Path) -> None:
    """Nor an identity: sockets are forbidden."""
    file = write_job(tmp_path, job(name="run_1"))
    code = (
        "import socket\n"
        "def refuse(*_): raise AssertionError('the network was used')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from training.cli import main\n"
        f"main(['azure', 'submit', {str(file)!r}, '--dry-run', '--subscription', {SUBSCRIPTION!r}, "
        f"'--resource-group', {RESOURCE_GROUP!r}, '--workspace', {WORKSPACE!r}])"
    )
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["url"].startswith("https://management.azure.com/subscriptions/")
