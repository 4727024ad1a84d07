"""The stand-in's AutoML jobs look to the real SDK as the contract says."""

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from edge.azureml.cloud import read_cloud
from edge.azureml.connection import Connection, connect
from edge.azureml.identity import Identity
from edge.azureml.place import Workspace
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.blobs import ARTIFACTS
from tests.azure.simulation import Trial, automl_job, job_path, running_job
from tests.azure.standin import Cloud


@pytest.fixture
def connection(azure: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    place = Workspace(SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE)
    file = azure.cloud_file(tmp_path_factory.mktemp("cloud"))
    with closing(connect(place, Identity("managed-identity"), read_cloud(str(file)), retries=0)) as opened:
        yield opened


def trials(count: int) -> list[Trial]:
    return [
        Trial(n, {"model_name": "resnet18", "learning_rate": n / 100}, {"accuracy": [0.1, 0.5 + n / 1000]})
        for n in range(count)
    ]


def test_the_sdk_lists_a_jobs_sweep_and_its_trials(azure: Cloud, connection: Connection) -> None:
    """Each trial has its hyperparameters in a tag."""
    name = automl_job(azure, "line", trials=trials(100), artifacts={})
    jobs = connection.client.jobs
    assert [job.name for job in jobs.list(parent_job_name=name)] == ["line_HD"]
    children = list(jobs.list(parent_job_name="line_HD", max_results=200))
    assert [job.name for job in children] == [f"line_HD_{n}" for n in range(100)]
    hyperparameters = json.loads(children[2].tags["hyperparameters"])
    assert hyperparameters == {"model": {"model_name": "resnet18", "learning_rate": 0.02}}


def test_the_best_trial_is_named_and_its_artifacts_lie_in_the_store(azure: Cloud, connection: Connection) -> None:
    """The parent's tag and the sweep's property name it."""
    name = automl_job(azure, "line", trials=trials(3))
    assert connection.client.jobs.get(name).tags["automl_best_child_run_id"] == "line_HD_2"
    assert connection.client.jobs.get("line_HD").properties == {"best_child_run_id": "line_HD_2", "score": "0.502"}
    files = azure.blobs.names("ExperimentRun/dcid.line_HD_2/", ARTIFACTS)
    assert "ExperimentRun/dcid.line_HD_2/train_artifacts/model.onnx" in files


def test_a_job_goes_on_when_it_is_told_to(azure: Cloud) -> None:
    """Queued, then its trials, epoch after epoch, then the end."""
    job = running_job(azure, "line", trials=trials(2), artifacts={})
    seen = []
    while job.advance():
        seen.append(len(azure.notes["runs"]))
    assert seen == [3, 3, 3, 4, 4, 4]
    assert azure.resources.get(job_path("line"))["properties"]["status"] == "Completed"
