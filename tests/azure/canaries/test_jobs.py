"""Defects of the SDK around jobs that are worked around: a test here fails when its defect is gone."""

import json
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from azure.ai.ml import Input, automl
from azure.ai.ml.entities import ResourceConfiguration
from azure.ai.ml.exceptions import MlException
from azure.ai.ml.sweep import BanditPolicy
from azure.core.exceptions import ResourceNotFoundError

from edge.azureml.cloud import Cloud
from edge.azureml.identity import Identity
from edge.azureml.place import Workspace
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.orders import job, session_of
from tests.azure.standin import Cloud as StandIn
from training.azure.job_file import check_job
from training.azure.job_request import rehearse
from training.azure.jobs import order_of, planned
from training.azure.session import Session

TABLE = Input(type="mltable", path="azureml:table:1")


@pytest.fixture
def session() -> Session:
    return Session(Workspace(SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE), Identity(), Cloud())


def made(**how: Any) -> Any:
    return automl.image_classification(training_data=TABLE, target_column_name="label", name="a", **how)


def test_a_serverless_machine_is_sent_in_snake_case(session: Session) -> None:
    """So :func:`training.azure.job_request.make_job` gives it as the service spells it."""
    machine = ResourceConfiguration(instance_type="Standard_NC6s_v3", instance_count=2)
    resources = rehearse(session, made(resources=machine)).body["properties"]["resources"]
    assert resources["instance_type"] == "Standard_NC6s_v3"
    assert "instanceType" not in resources


def test_a_wrong_metric_is_a_bare_key_error() -> None:
    """So :mod:`training.azure.job_file` checks metrics."""
    with pytest.raises(KeyError):
        automl.image_object_detection(training_data=TABLE, target_column_name="label", primary_metric="accuracy")


def test_a_wrong_optimizer_is_a_bare_key_error() -> None:
    """So :mod:`training.hyperparameters` checks names."""
    with pytest.raises(KeyError):
        made().set_training_parameters(model_name="resnet18", optimizer="rmsprop")


def test_nonsense_is_sent_as_it_is(session: Session) -> None:
    """No type, range, limit or search space is looked at: :mod:`training.space_rules` does."""
    nonsense = made(validation_data_size=1.5)
    nonsense.set_training_parameters(model_name="no-such-model", number_of_epochs="three", learning_rate=-5)
    nonsense.set_limits(max_trials=1, max_concurrent_trials=9, timeout_minutes=-1)
    nonsense.set_sweep(sampling_algorithm="dice")
    details = rehearse(session, nonsense).body["properties"]["taskDetails"]
    assert details["modelSettings"] == {"modelName": "no-such-model", "numberOfEpochs": "three", "learningRate": -5}
    assert details["limitSettings"]["maxConcurrentTrials"] == 9
    assert details["sweepSettings"] == {"samplingAlgorithm": "dice"}
    assert details["validationDataSize"] == 1.5


def test_the_newest_of_nothing_is_not_said_to_be_absent(azure: StandIn, tmp_path: Path) -> None:
    """A version that is not there is: so :func:`training.azure.job_inputs.look_up` knows two errors."""
    with closing(session_of(azure, tmp_path)) as session:
        with pytest.raises(ResourceNotFoundError):
            session.client.data.get("gone", "1")
        with pytest.raises(MlException):
            session.client.data.get("gone", label="latest")


def test_a_policy_never_judges_by_default() -> None:
    """So our job files send an interval of 1."""
    assert BanditPolicy(slack_factor=0.1).evaluation_interval == 0


def test_a_detached_head_does_no_harm(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A KeyError of older versions, in CI's checkouts (azure-sdk-for-python #40948), that must not come back."""
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"], ["checkout", "-q", "--detach"]):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    order = order_of(check_job(job(), tmp_path / "job.toml"), tmp_path, "run_1")
    properties = planned(session, order).body["properties"]["properties"]
    assert "mlflow.source.git.commit" in properties
    assert "mlflow.source.git.branch" not in properties
    json.dumps(properties)
