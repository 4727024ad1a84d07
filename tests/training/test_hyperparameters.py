"""AutoML's hyperparameters against the SDK's own list, and their ranges."""

import inspect
from typing import Any

import pytest
from azure.ai.ml import Input, automl
from azure.ai.ml.entities._job.automl.image import image_classification_search_space as classification
from azure.ai.ml.entities._job.automl.image import image_object_detection_search_space as detection

from training.azure.job_request import FACTORIES
from training.dataset.annotations import DETECTION, MULTICLASS, MULTILABEL, SEGMENTATION, TASKS
from training.hyperparameters import PARAMETERS, as_sent, known, parameter
from training.image_models import network
from training.space_rules import MODEL_NAME


def sdk_names(task: str) -> set[str]:
    job = getattr(automl, FACTORIES[task])(
        training_data=Input(type="mltable", path="azureml:a:1"), target_column_name="l"
    )
    return set(inspect.signature(job.set_training_parameters).parameters)


@pytest.mark.parametrize("task", TASKS)
def test_the_names_are_those_that_the_sdk_takes(task: Any) -> None:
    """A name that the SDK has and we do not, or the other way round, shows here; what does not count is left out."""
    ours = {found.name for found in known(task)}
    idle = {
        SEGMENTATION: {
            "image_size",
            "model_size",
            "multi_scale",
            "tile_grid_size",
            "tile_overlap_ratio",
            "tile_predictions_nms_threshold",
        }
    }
    assert sdk_names(task) == ours | {MODEL_NAME} | idle.get(task, set())


@pytest.mark.parametrize(
    ("task", "space"),
    [
        (MULTICLASS, classification.ImageClassificationSearchSpace),
        (DETECTION, detection.ImageObjectDetectionSearchSpace),
    ],
)
def test_what_can_be_swept_is_what_the_sdk_lets(task: Any, space: type) -> None:
    """Of the others the SDK would say that they are not supported, without naming them."""
    swept = {found.name for found in known(task) if found.swept}
    assert swept | {MODEL_NAME} == set(vars(space()))


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("number_of_epochs", [1, 100], [0, -5, "three", 2.5, True, float("inf")]),
        ("learning_rate", [1e-5, 1, 0.5], [0, -0.1, 1.5, "0.1", float("nan"), True]),
        ("early_stopping", [True, False, 0, 1], [2, "yes", 0.5]),
        ("optimizer", ["sgd", "adam", "adamw"], ["SGD", "rmsprop", 1]),
        ("learning_rate_scheduler", ["step", "warmup_cosine"], ["cosine"]),
        ("beta1", [0, 0.9, 1], [1.1, -1]),
        ("number_of_workers", [0, 8], [-1]),
        ("random_seed", [0, 42], [-1]),
        ("weighted_loss", [0, 1, 2], [3, 0.5]),
        ("validation_iou_threshold", [0.1, 1], [0.05]),
        ("tile_overlap_ratio", [0, 0.5], [1]),
        ("tile_grid_size", ["3x2", "10x10"], ["3", "3x", "0x2", "3 x 2", 3]),
        ("model_size", ["small", "extra_large"], ["xlarge", "huge"]),
        ("advanced_settings", ['{"apply_mosaic_for_yolo": false}'], ["{", "[1]", "true"]),
        ("checkpoint_run_id", ["calm_duck_1_HD_3"], ["", "a b"]),
        ("log_validation_loss", ["enable", "disable"], [True, "on"]),
        ("validation_metric_type", ["none", "coco", "voc", "coco_voc"], ["pascal"]),
    ],
)
def test_ranges(name: str, right: list[Any], wrong: list[Any]) -> None:
    """What is right has no problem; what is wrong is named with what it must be."""
    found = parameter(name)
    assert found is not None
    assert [found.problem(value) for value in right] == [None] * len(right)
    for value in wrong:
        said = found.problem(value)
        assert said is not None, value
        assert said.startswith("must be ")
        assert ", got " in said


@pytest.mark.parametrize(
    ("task", "model", "name", "default"),
    [
        (MULTICLASS, "resnet18", "learning_rate", 0.01),
        (MULTICLASS, "vitb16r224", "learning_rate", 0.0125),
        (MULTILABEL, "vitl16r224", "learning_rate", 0.002),
        (DETECTION, "yolov5", "learning_rate", 0.01),
        (DETECTION, "fasterrcnn_resnet18_fpn", "learning_rate", 0.005),
        (DETECTION, "yolov5", "number_of_epochs", 30),
        (SEGMENTATION, "maskrcnn_resnet50_fpn", "number_of_epochs", 15),
        (MULTICLASS, "vits16r224", "training_batch_size", 128),
        (MULTICLASS, "seresnext", "training_batch_size", 78),
        (DETECTION, "yolov5", "validation_batch_size", 16),
        (SEGMENTATION, "maskrcnn_resnet50_fpn", "validation_batch_size", 1),
        (DETECTION, "yolov5", "box_score_threshold", 0.1),
        (DETECTION, "retinanet_resnet50_fpn", "box_score_threshold", 0.3),
        (MULTICLASS, "resnet18", "checkpoint_run_id", None),
    ],
)
def test_defaults(task: Any, model: str, name: str, default: object) -> None:
    """A model's own default goes before its family's, that before its task's."""
    found, of = parameter(name), network(task, model)
    assert found is not None
    assert of is not None
    assert found.default(task, of) == default


def test_defaults_are_within_their_ranges() -> None:
    """What AutoML takes by itself must be right."""
    for found in PARAMETERS:
        assert [found.problem(value) for value in found.defaults.values()] == [None] * len(found.defaults), found.name


def test_switches_are_sent_as_booleans() -> None:
    """AutoML's reference writes 0 and 1, the SDK wants true and false."""
    assert as_sent("nesterov", 1) is True
    assert as_sent("early_stopping", 0) is False
    assert as_sent("weighted_loss", 1) == 1
    assert as_sent("model_name", "resnet18") == "resnet18"


def test_what_a_setting_needs_is_there() -> None:
    """A hyperparameter that counts only with another one names one that exists."""
    for found in PARAMETERS:
        assert found.needs is None or parameter(found.needs[0]) is not None
