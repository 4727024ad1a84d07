"""What goes over the wire for each task and each kind of job: the bodies that the stand-in got from the real SDK."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.azure.arm import WORKSPACE_PATH
from tests.azure.orders import CLUSTER, TRAINING, VALIDATION, furnish_jobs, job, session_of
from tests.azure.standin import Cloud
from training.azure.job_file import check_job
from training.azure.jobs import order_of, submit
from training.dataset.annotations import DETECTION, MULTICLASS, MULTILABEL, SEGMENTATION, TASKS

TASK_TYPES = {
    MULTICLASS: ("ImageClassification", "Accuracy"),
    MULTILABEL: ("ImageClassificationMultilabel", "IOU"),
    DETECTION: ("ImageObjectDetection", "MeanAveragePrecision"),
    SEGMENTATION: ("ImageInstanceSegmentation", "MeanAveragePrecision"),
}
MODELS = {
    MULTICLASS: ("resnet18", "vitb16r224"),
    MULTILABEL: ("mobilenetv2", "seresnext"),
    DETECTION: ("yolov5", "fasterrcnn_resnet50_fpn"),
    SEGMENTATION: ("maskrcnn_resnet18_fpn", "maskrcnn_resnet50_fpn"),
}
MANY = {"max_trials": 6, "max_concurrent_trials": 2, "timeout_minutes": 90}
LIMITS = {"maxTrials": 6, "maxConcurrentTrials": 2, "timeout": "PT1H30M"}


@pytest.fixture
def sent(azure: Cloud, tmp_path: Path) -> Any:
    """Submit a job and return the properties that were put, without what git says of this folder."""
    furnish_jobs(azure)

    def send(**changes: Any) -> dict[str, Any]:
        read = check_job(job(**changes), tmp_path / "job.toml", allow_no_onnx=True)
        with closing(session_of(azure, tmp_path)) as session:
            submit(session, order_of(read, tmp_path, "run_1"))
        (body,) = azure.wire.bodies("PUT", "/jobs/run_1$")
        properties: dict[str, Any] = body["properties"]
        assert len(properties["properties"].pop("automl_edge.job_sha256")) == 64
        own = {k: v for k, v in properties["properties"].items() if ".git." not in k and not k.startswith("mlflow.")}
        return {**properties, "properties": own}

    return send


def expected(task: Any, **details: Any) -> dict[str, Any]:
    """Return the properties of a job, with the details of its task."""
    kind, metric = TASK_TYPES[task]
    table = {"jobInputType": "mltable", "uri": f"{WORKSPACE_PATH}/data/{TRAINING}/versions/3"}
    limits = {"maxTrials": 1, "maxConcurrentTrials": 1}
    shared = {"logVerbosity": "Info", "targetColumnName": "label", "trainingData": table, "limitSettings": limits}
    return {
        "jobType": "AutoML",
        "computeId": f"{WORKSPACE_PATH}/computes/{CLUSTER}",
        "displayName": "run_1",
        "experimentName": "housings",
        "isArchived": False,
        "outputs": {},
        "properties": {},
        "tags": {},
        "taskDetails": {"taskType": kind, "primaryMetric": metric, **shared, **details},
    }


@pytest.mark.parametrize("task", TASKS)
def test_one_model(sent: Any, task: Any) -> None:
    """The model is named, and its hyperparameters are sent as they stand, switches as booleans."""
    model = {"model_name": MODELS[task][0], "number_of_epochs": 3, "learning_rate": 0.00001, "early_stopping": 0}
    body = sent(task=task, model=model)
    settings = {"modelName": MODELS[task][0], "numberOfEpochs": 3, "learningRate": 0.00001, "earlyStopping": False}
    assert body == expected(task, modelSettings=settings)


@pytest.mark.parametrize("task", TASKS)
def test_automode(sent: Any, task: Any) -> None:
    """Only limits: AutoML chooses."""
    assert sent(task=task, model=None, limits=MANY) == expected(task, limitSettings=LIMITS)


@pytest.mark.parametrize("sampling", ["random", "grid"])
@pytest.mark.parametrize("task", TASKS)
def test_conditional_spaces(sent: Any, task: Any, sampling: str) -> None:
    """A space for each model, and what is fixed for all of them."""
    first, second = MODELS[task]
    spaces = [
        {"model_name": first, "learning_rate": [0.001, 0.01]},
        {"model_name": [second], "optimizer": ["sgd", "adamw"], "training_batch_size": [4, 8]},
    ]
    body = sent(
        task=task, model={"number_of_epochs": 9}, limits=MANY, sweep={"sampling_algorithm": sampling, "space": spaces}
    )
    assert body == expected(
        task,
        limitSettings=LIMITS,
        modelSettings={"numberOfEpochs": 9},
        sweepSettings={"samplingAlgorithm": sampling},
        searchSpace=[
            {"modelName": f"choice('{first}')", "learningRate": "choice(0.001,0.01)"},
            {
                "modelName": f"choice('{second}')",
                "optimizer": "choice('sgd','adamw')",
                "trainingBatchSize": "choice(4,8)",
            },
        ],
    )


@pytest.mark.parametrize("task", TASKS)
def test_bayesian(sent: Any, task: Any) -> None:
    """One space, of the distributions that it takes."""
    space = {
        "model_name": list(MODELS[task]),
        "learning_rate": {"type": "uniform", "min_value": 0.0001, "max_value": 0.01},
        "number_of_epochs": {"type": "quniform", "min_value": 10, "max_value": 30, "q": 5},
    }
    body = sent(task=task, model=None, limits=MANY, sweep={"sampling_algorithm": "bayesian", "space": [space]})
    names = ",".join(f"'{name}'" for name in MODELS[task])
    assert body == expected(
        task,
        limitSettings=LIMITS,
        sweepSettings={"samplingAlgorithm": "bayesian"},
        searchSpace=[
            {
                "modelName": f"choice({names})",
                "learningRate": "uniform(0.0001,0.01)",
                "numberOfEpochs": "quniform(10,30,5)",
            }
        ],
    )


@pytest.mark.parametrize(
    ("policy", "body"),
    [
        (
            {"type": "bandit", "slack_factor": 0.2, "evaluation_interval": 2, "delay_evaluation": 6},
            {
                "policyType": "Bandit",
                "slackFactor": 0.2,
                "slackAmount": 0,
                "evaluationInterval": 2,
                "delayEvaluation": 6,
            },
        ),
        (
            {"type": "bandit", "slack_amount": 0.1},
            {
                "policyType": "Bandit",
                "slackFactor": 0,
                "slackAmount": 0.1,
                "evaluationInterval": 1,
                "delayEvaluation": 0,
            },
        ),
        (
            {"type": "median_stopping", "delay_evaluation": 5},
            {"policyType": "MedianStopping", "evaluationInterval": 1, "delayEvaluation": 5},
        ),
        (
            {"type": "truncation_selection", "truncation_percentage": 25, "evaluation_interval": 3},
            {
                "policyType": "TruncationSelection",
                "truncationPercentage": 25,
                "evaluationInterval": 3,
                "delayEvaluation": 0,
            },
        ),
    ],
)
def test_policies(sent: Any, policy: dict[str, Any], body: dict[str, Any]) -> None:
    """The interval is always sent: the SDK's own default of 0 would never judge."""
    sweep = {
        "sampling_algorithm": "random",
        "early_termination": policy,
        "space": [{"model_name": "resnet18", "momentum": [0.8, 0.9]}],
    }
    details = sent(model=None, limits=MANY, sweep=sweep)["taskDetails"]
    assert details["sweepSettings"] == {"samplingAlgorithm": "random", "earlyTermination": body}


def test_distributions(sent: Any) -> None:
    """Each of the ten as the service reads them; small numbers without an exponent."""
    space = {
        "model_name": ["yolov5"],
        "multi_scale": [True, 0],
        "model_size": ["small", "extra_large"],
        "tile_grid_size": "3x2",
        "momentum": {"type": "uniform", "min_value": 0.8, "max_value": 0.99},
        "learning_rate": {"type": "loguniform", "min_value": -9.2, "max_value": -4.6},
        "image_size": {"type": "quniform", "min_value": 320, "max_value": 960, "q": 32},
        "training_batch_size": {"type": "qloguniform", "min_value": 0, "max_value": 3, "q": 1},
        "box_score_threshold": {"type": "normal", "mu": 0.3, "sigma": 0.05},
        "weight_decay": {"type": "lognormal", "mu": -9, "sigma": 1},
        "number_of_epochs": {"type": "qnormal", "mu": 30, "sigma": 5, "q": 1},
        "warmup_cosine_lr_warmup_epochs": {"type": "qlognormal", "mu": 1.5, "sigma": 0.2, "q": 1},
        "number_of_workers": {"type": "randint", "upper": 9},
        "nms_iou_threshold": [0.00001, 0.5],
    }
    sweep = {"sampling_algorithm": "random", "space": [space]}
    details = sent(task=DETECTION, model=None, limits=MANY, sweep=sweep)["taskDetails"]
    assert details["searchSpace"] == [
        {
            "modelName": "choice('yolov5')",
            "multiScale": "choice(True,False)",
            "modelSize": "choice('small','extra_large')",
            "tileGridSize": "choice('3x2')",
            "momentum": "uniform(0.8,0.99)",
            "learningRate": "loguniform(-9.2,-4.6)",
            "imageSize": "quniform(320,960,32)",
            "trainingBatchSize": "qloguniform(0,3,1)",
            "boxScoreThreshold": "normal(0.3,0.05)",
            "weightDecay": "lognormal(-9,1)",
            "numberOfEpochs": "qnormal(30,5,1)",
            "warmupCosineLRWarmupEpochs": "qlognormal(1.5,0.2,1)",
            "numberOfWorkers": "randint(9)",
            "nmsIouThreshold": "choice(0.00001,0.5)",
        }
    ]


def test_a_detector_s_own_hyperparameters(sent: Any) -> None:
    """Names of enums become the service's."""
    model = {
        "model_name": "yolov5",
        "model_size": "extra_large",
        "validation_metric_type": "coco_voc",
        "tile_grid_size": "3x2",
        "tile_overlap_ratio": 0.2,
        "log_validation_loss": "disable",
        "advanced_settings": '{"apply_mosaic_for_yolo": false}',
        "checkpoint_run_id": "calm_duck_HD_3",
        "optimizer": "adamw",
        "ams_gradient": 1,
        "learning_rate_scheduler": "step",
    }
    assert sent(task=DETECTION, model=model)["taskDetails"]["modelSettings"] == {
        "modelName": "yolov5",
        "modelSize": "ExtraLarge",
        "validationMetricType": "CocoVoc",
        "tileGridSize": "3x2",
        "tileOverlapRatio": 0.2,
        "logValidationLoss": "Disable",
        "advancedSettings": '{"apply_mosaic_for_yolo": false}',
        "checkpointRunId": "calm_duck_HD_3",
        "optimizer": "Adamw",
        "amsGradient": True,
        "learningRateScheduler": "Step",
    }


def test_the_rest_of_a_job(sent: Any) -> None:
    """Tags, texts, environment, validation data, nodes for each trial, and a managed identity."""
    body = sent(
        display_name="Housings",
        description="all cameras",
        tags={"line": "4"},
        environment_variables={"A": "b"},
        validation_data=f"azureml:{VALIDATION}@latest",
        target_column="class",
        node_count_per_trial=2,
        identity={"type": "managed", "client_id": "abc"},
    )
    assert body["taskDetails"].pop("validationData") == {
        "jobInputType": "mltable",
        "uri": f"{WORKSPACE_PATH}/data/{VALIDATION}/versions/1",
    }
    assert body == {
        **expected(MULTICLASS, targetColumnName="class", modelSettings={"modelName": "resnet18"}),
        "displayName": "Housings",
        "description": "all cameras",
        "tags": {"line": "4"},
        "environmentVariables": {"A": "b"},
        "properties": {"node_count_per_trial": "2"},
        "identity": {"identityType": "Managed", "clientId": "abc"},
    }


@pytest.mark.parametrize(("kind", "body"), [("managed", "Managed"), ("user", "UserIdentity")])
def test_identities(sent: Any, kind: str, body: str) -> None:
    """The cluster's identity, or that of who submits."""
    assert sent(identity={"type": kind})["identity"] == {"identityType": body}


def test_serverless(sent: Any) -> None:
    """A machine's size and count, in the service's spelling, and no compute."""
    body = sent(compute=None, serverless={"instance_type": "Standard_NC6s_v3", "instance_count": 2})
    assert body["resources"] == {"instanceType": "Standard_NC6s_v3", "instanceCount": 2}
    assert "computeId" not in body


def test_a_share_for_validation(sent: Any) -> None:
    """Where no validation data is given."""
    assert sent(validation_data_size=0.15)["taskDetails"]["validationDataSize"] == 0.15


def test_a_model_without_onnx(sent: Any) -> None:
    """By its own name, if it is wished."""
    body = sent(model={"model_name": "microsoft/beit-base-patch16-224-pt22k-ft22k"})
    assert body["taskDetails"]["modelSettings"] == {"modelName": "microsoft/beit-base-patch16-224-pt22k-ft22k"}
