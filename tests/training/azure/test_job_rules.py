"""What must hold between a job's models, hyperparameters and search spaces."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.azure.orders import job
from training.azure.job_file import check_job
from training.errors import UsageError

MANY = {"max_trials": 4}


def problems(allow_no_onnx: bool = False, **changes: Any) -> list[str]:
    try:
        check_job(job(**changes), Path("job.toml"), allow_no_onnx=allow_no_onnx)
    except UsageError as error:
        return [line.strip() for line in str(error).splitlines()[1:]]
    return []


def sweep(*spaces: dict[str, Any], sampling: str = "random") -> dict[str, Any]:
    return {"sampling_algorithm": sampling, "space": list(spaces)}


def swept(*spaces: dict[str, Any], sampling: str = "random", **changes: Any) -> list[str]:
    return problems(**{"model": None, "limits": MANY, "sweep": sweep(*spaces, sampling=sampling), **changes})


def detecting(**changes: Any) -> dict[str, Any]:
    return {"task": "image-object-detection", **changes}


def test_one_model_automode_and_a_sweep() -> None:
    """The three forms of a job."""
    assert problems(model={"model_name": "resnet18", "number_of_epochs": 3}) == []
    assert problems(model=None, limits=MANY) == []
    assert swept({"model_name": ["resnet18", "resnet50"], "learning_rate": [0.1, 0.01]}) == []
    assert swept({"learning_rate": [0.1, 0.01]}, model={"model_name": "resnet18"}) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"model": None},
            "model: name a model in [model], describe a [sweep], or set limits.max_trials above 1 (AutoMode)",
        ),
        ({"limits": MANY}, "limits.max_trials: 4 trials of one model need a [sweep]; set it to 1, or add one"),
        ({"model": {"number_of_epochs": 3}}, "model.model_name: is required; to let AutoML choose, leave out [model]"),
        ({"model": {"number_of_epochs": 3}, "limits": MANY}, "model.model_name: is required"),
        ({"model": {"model_name": 18}}, "model.model_name: must be a model's name, got 18"),
    ],
)
def test_what_is_neither(changes: dict[str, Any], said: str) -> None:
    """A job that nobody can mean is not sent."""
    found = problems(**changes)
    assert len(found) == 1
    assert found[0].startswith(said)


def test_a_model_without_onnx_needs_the_wish() -> None:
    """In a search space as in [model]; then its hyperparameters count, since nothing is known of it."""
    space = {"model_name": ["resnet18", "google/vit-base-patch16-224"], "learning_rate": [0.1, 0.01]}
    found = swept(space)
    assert len(found) == 1
    assert found[0].startswith("sweep.space.model_name: google/vit-base-patch16-224 gives no ONNX")
    assert swept(space, allow_no_onnx=True) == []
    assert problems(allow_no_onnx=True, model={"model_name": "a/b", "validation_crop_size": 300}) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("number_of_epoch", "model.number_of_epoch: no such hyperparameter; did you mean number_of_epochs?"),
        ("frobnicate", "model.frobnicate: no such hyperparameter; docs/reference/job-file.md lists them"),
        (
            "min_size",
            "model.min_size: is no hyperparameter of image-classification, but of image-instance-segmentation,",
        ),
    ],
)
def test_unknown_names(name: str, said: str) -> None:
    """A slip is corrected; one of another task is told from one that does not exist."""
    (found,) = problems(model={"model_name": "resnet18", name: 1})
    assert found.startswith(said)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            detecting(model={"model_name": "fasterrcnn_resnet50_fpn", "image_size": 640}),
            "model.image_size: does not count",
        ),
        (detecting(model={"model_name": "yolov5", "min_size": 600}), "model.min_size: does not count for yolov5"),
        (
            detecting(model={"model_name": "yolov5", "box_detections_per_image": 9}),
            "model.box_detections_per_image: does",
        ),
        (
            {"model": {"model_name": "seresnext", "training_crop_size": 300}},
            "model.training_crop_size: does not count for",
        ),
        (
            {
                "task": "image-instance-segmentation",
                "model": {"model_name": "maskrcnn_resnet50_fpn", "tile_grid_size": "2x2"},
            },
            "model.tile_grid_size: is no hyperparameter of image-instance-segmentation, but of image-object-detection",
        ),
        (
            detecting(model={"model_name": "yolov5", "tile_overlap_ratio": 0.2}),
            "model.tile_overlap_ratio: counts only with tile",
        ),
        ({"model": {"model_name": "resnet18", "beta1": 0.8}}, "model.beta1: counts only with optimizer adam or adamw"),
        (
            {"model": {"model_name": "resnet18", "optimizer": "adam", "momentum": 0.8}},
            "model.momentum: counts only with optimizer sgd",
        ),
        (
            {"model": {"model_name": "resnet18", "step_lr_gamma": 0.8}},
            "model.step_lr_gamma: counts only with learning_rate_s",
        ),
        (
            {"model": {"model_name": "resnet18", "early_stopping": 0, "early_stopping_patience": 3}},
            "model.early_stopping_patience: counts only with early_stopping true",
        ),
        ({"model": {"model_name": "resnet18", "layers_to_freeze": 6}}, "model.layers_to_freeze: resnet18 has 5 layers"),
        (
            {"model": {"model_name": "vitb16r224", "training_crop_size": 300}},
            "model.training_crop_size: vitb16r224 wants training_crop_size and validation_crop_size alike, got 300",
        ),
        (
            {"model": {"model_name": "resnet18", "validation_crop_size": 300}},
            "model.validation_crop_size: must be at most va",
        ),
        (
            detecting(model={"model_name": "retinanet_resnet50_fpn", "min_size": 1400}),
            "model.min_size: must be at most max_size, got 1400 and 1333",
        ),
    ],
)
def test_settings_that_do_nothing_or_do_not_fit(changes: dict[str, Any], said: str) -> None:
    """Nobody should believe in a setting that counts for no trial."""
    (found,) = problems(**changes)
    assert found.startswith(said)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"model_name": "resnet18", "optimizer": "adamw", "beta1": 0.8, "ams_gradient": 1}},
        {"model": {"model_name": "resnet18", "learning_rate_scheduler": "step", "step_lr_gamma": 0.8}},
        {
            "model": {
                "model_name": "vitb16r224",
                "training_crop_size": 384,
                "validation_crop_size": 384,
                "validation_resize_size": 400,
            }
        },
        {"model": {"model_name": "mobilenetv2", "layers_to_freeze": 19, "early_stopping_delay": 3}},
        {"model": {"model_name": "resnest50", "layers_to_freeze": 60}},
        detecting(
            model={"model_name": "yolov5", "tile_grid_size": "3x2", "tile_overlap_ratio": 0.2, "multi_scale": True}
        ),
    ],
)
def test_settings_that_fit(changes: dict[str, Any]) -> None:
    """Nothing is said of what is right."""
    assert problems(**changes) == []


def test_spaces_of_different_models() -> None:
    """Each has what counts for its own models; what is fixed has to count for one of them."""
    yolo = {"model_name": "yolov5", "model_size": ["small", "medium"]}
    rcnn = {"model_name": "fasterrcnn_resnet50_fpn", "min_size": [600, 800]}
    assert swept(yolo, rcnn, **detecting(model={"max_size": 1400, "early_stopping": 1})) == []
    assert swept(yolo, rcnn, sampling="grid", **detecting()) == []
    assert swept(yolo, rcnn, sampling="bayesian", **detecting()) == [
        "sweep.sampling_algorithm: bayesian takes one space; several are for random and grid"
    ]
    assert swept(yolo, {**rcnn, "image_size": [640]}, **detecting()) == [
        "sweep.space 2: image_size: does not count for fasterrcnn_resnet50_fpn"
    ]
    both = {"model_name": ["yolov5", "retinanet_resnet50_fpn"], "min_size": [600, 800]}
    assert swept(both, **detecting()) == [
        "sweep.space.min_size: does not count for yolov5; give the others a space of their own"
    ]
    assert swept(yolo, **detecting(model={"max_size": 1400})) == ["model.max_size: does not count for yolov5"]


def test_the_forms_of_azure_s_samples() -> None:
    """Their spaces are taken; but for sizes of seresnext, which does nothing with them."""
    vit = {
        "model_name": ["vitb16r224", "vits16r224"],
        "learning_rate": {"type": "uniform", "min_value": 0.001, "max_value": 0.01},
        "number_of_epochs": {"type": "choice", "values": [15, 30]},
        "gradient_accumulation_step": [1, 2],
    }
    frozen = {"model_name": ["seresnext", "resnet50"], "layers_to_freeze": [0, 2]}
    assert swept(vit, frozen, model={"early_stopping": True, "evaluation_frequency": 1}) == []
    rcnn = {
        "model_name": ["fasterrcnn_resnet50_fpn"],
        "warmup_cosine_lr_warmup_epochs": [0, 3],
        "optimizer": ["sgd", "adam", "adamw"],
        "min_size": [600, 800],
    }
    assert swept(rcnn, **detecting()) == []
    sized = {"model_name": ["seresnext"], "validation_resize_size": [288, 320]}
    assert swept(sized) == ["sweep.space.validation_resize_size: does not count for seresnext"]


@pytest.mark.parametrize(
    ("sampling", "raw", "said"),
    [
        (
            "grid",
            {"type": "uniform", "min_value": 0.1, "max_value": 0.2},
            "grid sampling does not take uniform, only choice",
        ),
        (
            "bayesian",
            {"type": "loguniform", "min_value": -5, "max_value": -2},
            "bayesian sampling does not take loguniform, only choice, quniform, uniform",
        ),
        (
            "random",
            {"type": "loguniform", "min_value": -5, "max_value": 2},
            "loguniform draws 7.38906: must be a number",
        ),
        ("random", "fast", 'must be a number, above 0 and at most 1, got "fast"'),
    ],
)
def test_what_is_drawn(sampling: str, raw: object, said: str) -> None:
    """By a distribution that the sampling takes, and within range."""
    (found,) = swept({"model_name": "resnet18", "learning_rate": raw}, sampling=sampling)
    assert found.startswith(f"sweep.space.learning_rate: {said}")


def test_a_space_needs_a_model_once() -> None:
    """In each space or in [model], never in both, and never left to a default on which AutoML's documents disagree."""
    space = {"learning_rate": [0.1, 0.01]}
    assert swept(space) == ["sweep.space.model_name: is required, here or in [model]"]
    assert swept({**space, "model_name": "resnet18"}, model={"model_name": "resnet18"}) == [
        "sweep.space.model_name: is also in [model]; leave out one"
    ]
    assert swept({**space, "model_name": {"type": "randint", "upper": 3}})[0] == (
        "sweep.space.model_name: randint draws numbers; use choice"
    )


def test_a_sweep_of_one_trial_and_an_empty_space() -> None:
    """Both would try nothing."""
    assert swept({"model_name": "resnet18", "momentum": [0.9]}, limits=None) == [
        "limits.max_trials: a sweep of 1 trial tries nothing; set it to how many shall be tried"
    ]
    assert swept({}, model={"model_name": "resnet18"}) == ["sweep.space: is empty"]


def test_what_a_drawn_setting_needs_may_be_drawn_too() -> None:
    """beta1 counts for those trials that draw adam."""
    space = {"model_name": "resnet18", "optimizer": ["sgd", "adam"], "beta1": [0.8, 0.9]}
    assert swept(space) == []
    assert swept({**space, "optimizer": ["sgd"]}) == ["sweep.space.beta1: counts only with optimizer adam or adamw"]


def test_sizes_that_are_drawn() -> None:
    """Every pair that can be drawn has to fit."""
    vit = {"model_name": "vitb16r224", "training_crop_size": [224, 300]}
    (found,) = swept(vit)
    assert "wants training_crop_size and validation_crop_size alike, got 224, 300 and 224" in found
    (found,) = swept(
        {"model_name": "maskrcnn_resnet18_fpn", "min_size": [600, 1400]}, task="image-instance-segmentation"
    )
    assert found == "sweep.space.min_size: must be at most max_size, got 600, 1400 and 1333"


COUNTED = ("model_name", "learning_rate", "number_of_epochs", "optimizer", "beta1", "layers_to_freeze", "min_size")
NAMES = st.sampled_from((*COUNTED, "training_crop_size", "early_stopping", "nonsense", "type", "values", "min_value"))
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-9, 3000)
    | st.floats()
    | st.sampled_from(["resnet18", "vitb16r224", "yolov5", "choice", "uniform", "qnormal", "sgd", "adam", "x", ""])
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    model=VALUES | st.dictionaries(NAMES, VALUES, max_size=4),
    spaces=VALUES | st.lists(st.dictionaries(NAMES, VALUES, max_size=4), max_size=2),
    limits=VALUES,
    task=st.sampled_from(["image-classification", "image-object-detection", "x", 3]),
)
def test_whatever_is_written_ends_in_words(model: Any, spaces: Any, limits: Any, task: Any) -> None:
    """A file that nobody can mean is told to be wrong; it never ends as a traceback."""
    for swept_by in (None, {"sampling_algorithm": "random", "space": spaces}, spaces):
        found = problems(task=task, model=model, limits=limits, sweep=swept_by)
        assert all(": " in text for text in found)
