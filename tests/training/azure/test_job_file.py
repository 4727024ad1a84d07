"""Job files: what is taken, and that all problems are told at once, each with its key."""

from pathlib import Path
from typing import Any

import pytest

from tests.azure.orders import job, write_job
from training.azure.job_file import JobFile, read_job_file
from training.errors import UsageError

RANDOM = {"sampling_algorithm": "random", "space": [{"model_name": "resnet18", "learning_rate": [0.1, 0.01]}]}
MANY = {"max_trials": 4}


def problems(folder: Path, content: dict[str, Any], **how: Any) -> list[str]:
    """Return what is wrong with a job file, a text a problem; none where nothing is."""
    try:
        read_job_file(write_job(folder, content), **how)
    except UsageError as error:
        first, *rest = str(error).splitlines()
        assert first.startswith(str(folder))
        assert (f"{len(rest)} problems:" in first) or (len(rest) == 1 and "a problem:" in first)
        return [line.strip() for line in rest]
    return []


def test_the_least_job(tmp_path: Path) -> None:
    """Task, data, where to run, and a model are enough."""
    read = read_job_file(write_job(tmp_path, job(experiment=None)))
    assert (read.target_column, read.metric, read.experiment) == ("label", "accuracy", "automl-edge")
    assert read.limits.max_trials == 1


@pytest.mark.parametrize(
    ("task", "metric", "model"),
    [
        ("image-classification", "accuracy", "resnet18"),
        ("image-classification-multilabel", "iou", "vitb16r224"),
        ("image-object-detection", "mean_average_precision", "yolov5"),
        ("image-instance-segmentation", "mean_average_precision", "maskrcnn_resnet50_fpn"),
    ],
)
def test_each_task_has_one_metric(tmp_path: Path, task: str, metric: str, model: str) -> None:
    """It is the default, may be said, and another one is refused: the SDK's list is longer than the service's."""
    content = job(task=task, model={"model_name": model})
    assert read_job_file(write_job(tmp_path, content)).metric == metric
    assert problems(tmp_path, {**content, "primary_metric": metric}) == []
    assert problems(tmp_path, {**content, "primary_metric": "AUC_weighted"}) == [
        f"primary_metric: for {task} the service takes only {metric}, got 'AUC_weighted'"
    ]


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    """All keys together."""
    content = job(
        compute=None,
        serverless={"instance_type": "Standard_NC6s_v3", "instance_count": 2},
        name="run_1",
        display_name="Housings",
        description="all cameras",
        tags={"line": "4"},
        validation_data="azureml:valid@latest",
        target_column="class",
        identity={"type": "managed", "client_id": "abc"},
        environment_variables={"A": "b"},
        node_count_per_trial=2,
        primary_metric="accuracy",
        limits={"max_trials": 8, "max_concurrent_trials": 4, "timeout_minutes": 90},
        model={"number_of_epochs": 5},
        sweep={**RANDOM, "early_termination": {"type": "median_stopping", "delay_evaluation": 3}},
    )
    read = read_job_file(write_job(tmp_path, content))
    assert set(content) <= set(JobFile.model_fields)
    assert read.serverless is not None
    assert read.serverless.instance_count == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": None}, ["task: is required"]),
        ({"task": "image_classification"}, ["task: must be 'image-classification', 'image-classification-multilabel'"]),
        ({"training_data": None}, ["training_data: is required"]),
        ({"training_data": "azureml:x"}, ["training_data: write it as azureml:NAME:VERSION or azureml:NAME@latest"]),
        ({"training_data": "azureml:x@newest"}, ["training_data: write it as azureml:NAME:VERSION"]),
        ({"validation_data": "there"}, ["validation_data: there is no "]),
        ({"validation_data_size": 1.5}, ["validation_data_size: must be less than 1, got 1.5"]),
        (
            {"validation_data": "azureml:x:1", "validation_data_size": 0.2},
            ["validation_data_size: is for splitting the training data, but validation_data is given"],
        ),
        ({"compute": None}, ["compute: give either compute, the name of a cluster, or [serverless]"]),
        ({"serverless": {"instance_type": "Standard_NC6s_v3"}}, ["compute: give either compute"]),
        (
            {"serverless": {"instance_type": "Standard_DS3_v2"}, "compute": None},
            ["serverless.instance_type: has no GPU; take a size of the families Standard_NC or"],
        ),
        ({"serverless": {}, "compute": None}, ["serverless.instance_type: is required"]),
        ({"experimnt": "x"}, ["experimnt: no such key; did you mean experiment?"]),
        ({"max_trials": 3}, ["max_trials: no such key here; it belongs into [limits]"]),
        ({"limits": {"max_trial": 3}}, ["limits.max_trial: no such key; did you mean max_trials?"]),
        ({"limits": {"max_trials": 1001}, "model": None}, ["limits.max_trials: must be less than or equal to 1000"]),
        ({"limits": {"timeout_minutes": "long"}}, ["limits.timeout_minutes: must be a whole number, got 'long'"]),
        ({"limits": {"max_concurrent_trials": 2}}, ["limits: max_concurrent_trials must be at most max_trials (1)"]),
        ({"name": "a b"}, ["name: must have letters, digits, '_' and '-' only, at most 200"]),
        ({"training_data": "é" * 200}, ["training_data: there is no "]),
        ({"training_data": "azureml:täfelchen:1"}, ["training_data: write it as azureml:NAME:VERSION"]),
        ({"sweep": "grid"}, ["sweep: must be a table, got 'grid'"]),
        ({"tags": {"line": 4}}, ["tags.line: must be a string, got 4"]),
        ({"identity": {"type": "robot"}}, ["identity.type: must be 'managed' or 'user', got 'robot'"]),
        ({"identity": {"type": "user", "client_id": "x"}}, ["identity.client_id: is for managed identities"]),
        ({"node_count_per_trial": 0}, ["node_count_per_trial: must be greater than or equal to 1, got 0"]),
        ({"model": "resnet18"}, ["model: must be a table, got 'resnet18'", "model: name a model"]),
    ],
)
def test_what_is_wrong_is_told_with_its_key(tmp_path: Path, changes: dict[str, Any], said: list[str]) -> None:
    """And what to write instead."""
    found = problems(tmp_path, job(**changes))
    assert len(found) == len(said), found
    assert all(text.startswith(expected) for text, expected in zip(found, said, strict=True)), found


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"type": "bandit", "slack_factor": 0.2, "evaluation_interval": 2}, None),
        ({"type": "bandit", "slack_amount": 1}, None),
        ({"type": "median_stopping"}, None),
        ({"type": "truncation_selection", "truncation_percentage": 20, "delay_evaluation": 5}, None),
        ({"type": "bandit"}, "give either slack_factor or slack_amount"),
        ({"type": "bandit", "slack_factor": 0.2, "slack_amount": 0.1}, "give either slack_factor or slack_amount"),
        ({"type": "bandit", "slack_factor": 0}, "slack_factor: must be greater than 0"),
        ({"type": "bandit", "slack_facto": 1, "slack_amount": 1}, "did you mean slack_factor?"),
        ({"type": "median_stopping", "slack_factor": 0.1}, "slack_factor: no such key here; it belongs into [bandit]"),
        ({"type": "truncation_selection"}, "truncation_percentage: is required"),
        ({"type": "truncation_selection", "truncation_percentage": 100}, "must be less than or equal to 99"),
        ({"type": "median"}, "median"),
        (
            {"type": "median_stopping", "evaluation_interval": 0},
            "evaluation_interval: must be greater than or equal to 1",
        ),
    ],
)
def test_early_termination(tmp_path: Path, policy: dict[str, Any], said: str | None) -> None:
    """Each policy has its own keys; a bandit needs a slack, a truncation a percentage."""
    found = problems(tmp_path, job(model=None, limits=MANY, sweep={**RANDOM, "early_termination": policy}))
    assert (found == []) if said is None else (len(found) == 1 and said in found[0]), found


def test_all_problems_at_once(tmp_path: Path) -> None:
    """Problems of form, of hyperparameters and of search spaces are told together."""
    found = problems(
        tmp_path,
        job(
            experimnt="x",
            compute=None,
            model={"number_of_epochs": "three", "learning_rat": 0.1},
            limits={"max_trials": 3, "timeout_minutes": -1},
            sweep={
                "sampling_algorithm": "grid",
                "space": [{"model_name": "resnet81", "momentum": {"type": "uniform"}}],
            },
        ),
    )
    keys = [text.partition(": ")[0] for text in found]
    assert keys == [
        "limits.timeout_minutes",
        "experimnt",
        "compute",
        "model.number_of_epochs",
        "model.learning_rat",
        "sweep.space.model_name",
        "sweep.space.momentum",
        "sweep.space.momentum",
    ]


def test_the_name_of_the_command_takes_the_place_of_the_file_s(tmp_path: Path) -> None:
    """And is checked alike."""
    file = write_job(tmp_path, job(name="one"))
    assert read_job_file(file, name="two").name == "two"
    with pytest.raises(UsageError, match="name: "):
        read_job_file(file, name="two words")


def test_a_pipeline_fills_in_the_data(tmp_path: Path) -> None:
    """Only who asks for it gets a job without training data."""
    file = write_job(tmp_path, job(training_data=None))
    assert read_job_file(file, without_data=True).training_data is None
    with pytest.raises(UsageError, match="training_data: is required"):
        read_job_file(file)


@pytest.mark.parametrize("content", [b"task = ", b"\xff\xfe"])
def test_what_is_no_toml(tmp_path: Path, content: bytes) -> None:
    """The file is named."""
    file = tmp_path / "job.toml"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=r"job\.toml: cannot be read as a job file"):
        read_job_file(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """So too."""
    with pytest.raises(UsageError, match="cannot be read as a job file"):
        read_job_file(tmp_path / "job.toml")


def test_what_is_long_is_not_repeated(tmp_path: Path) -> None:
    """The message is for a person."""
    (told,) = problems(tmp_path, job(name="x" * 10_000))
    assert len(told) < 200
