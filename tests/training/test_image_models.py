"""Which models end as ONNX, and what is said of all others."""

import pytest

from training.dataset.annotations import TASKS
from training.image_models import METRICS, NETWORKS, model_problem, network


def test_every_task_has_models_and_a_metric() -> None:
    """No task is left out, and each name is there once."""
    assert set(NETWORKS) == set(METRICS) == set(TASKS)
    for networks in NETWORKS.values():
        names = [found.name for found in networks]
        assert len(names) == len(set(names)) > 0


@pytest.mark.parametrize("task", TASKS)
def test_names_of_a_task_are_taken(task: str) -> None:
    """AutoML's own names for the task have no problem."""
    assert [model_problem(task, found.name) for found in NETWORKS[task]] == [None] * len(NETWORKS[task])  # type: ignore[arg-type, index]  # a parameter is a plain text


def test_a_name_without_onnx_is_refused_unless_it_is_wished() -> None:
    """Models of HuggingFace and MMDetection are named as such."""
    name = "microsoft/beit-base-patch16-224"
    said = model_problem("image-classification", name)
    assert said is not None
    assert "gives no ONNX" in said
    assert "--allow-no-onnx" in said
    assert model_problem("image-classification", name, allow_no_onnx=True) is None


@pytest.mark.parametrize("wished", [False, True])
def test_a_slip_is_told_from_a_model_of_somebody_else(*, wished: bool) -> None:
    """A misspelt name, and one of another task, are wrong whatever is wished."""
    assert model_problem("image-object-detection", "yolov6", allow_no_onnx=wished) == (
        "no such model: yolov6; did you mean yolov5?"
    )
    said = model_problem("image-object-detection", "resnet50", allow_no_onnx=wished)
    assert said is not None
    assert said.startswith("resnet50 is a model for image-classification; image-object-detection has yolov5")


def test_nothing_is_known_of_a_foreign_model() -> None:
    """Its hyperparameters cannot be judged by its family."""
    assert network("image-classification", "google/vit-base-patch16-224") is None
    assert network("image-object-detection", "yolov5") is not None
