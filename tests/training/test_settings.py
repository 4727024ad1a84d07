"""Settings carry AutoML's names and defaults; what is unknown or out of range is named with what is allowed."""

from pathlib import Path

import pytest

from training.dataset.annotations import MULTICLASS, MULTILABEL
from training.errors import HyperparameterError
from training.hyperparameters import PARAMETERS
from training.settings import (
    LOCAL_MODELS,
    NOT_HERE,
    allowed_for,
    default_of,
    default_settings,
    parse_settings,
    setting_names,
)


def test_defaults_are_automls() -> None:
    """The defaults are those that Azure publishes for multi-class classification."""
    settings = default_settings("resnet18")
    assert settings.number_of_epochs == 15
    assert settings.training_batch_size == 78
    assert settings.learning_rate == 0.01
    assert settings.learning_rate_scheduler == "warmup_cosine"
    assert settings.warmup_cosine_lr_cycles == 0.45
    assert settings.optimizer == "sgd"
    assert settings.nesterov == 1
    assert (settings.validation_resize_size, settings.validation_crop_size) == (256, 224)


@pytest.mark.parametrize(
    ("model", "task", "rate", "batch"),
    [
        ("resnet50", MULTICLASS, 0.01, 78),
        ("resnet50", MULTILABEL, 0.035, 78),
        ("vits16r224", MULTICLASS, 0.0125, 128),
        ("vitl16r224", MULTILABEL, 0.002, 10),
    ],
)
def test_defaults_follow_model_and_task(model: str, task: str, rate: float, batch: int) -> None:
    """As AutoML has them: vision transformers and multi-label have rates and batches of their own."""
    settings = default_settings(model, task)  # type: ignore[arg-type] # a task's name, from the table above
    assert (settings.learning_rate, settings.training_batch_size) == (rate, batch)


def test_settings_are_parsed_by_type() -> None:
    """Values become the type of their key; of a key given twice the last counts; spaces do not matter."""
    changes = parse_settings(["learning_rate=3e-3", "number_of_epochs = 4", "optimizer=adamw", "number_of_epochs=5"])
    assert changes == {"learning_rate": 0.003, "number_of_epochs": 5, "optimizer": "adamw"}
    settings = default_settings("mobilenetv2", changes={**changes, "nesterov": False, "momentum": 1})
    assert (settings.learning_rate, settings.number_of_epochs, settings.optimizer) == (0.003, 5, "adamw")
    assert (settings.nesterov, settings.momentum) == (0, 1.0)
    assert parse_settings(["early_stopping=false"]) == {"early_stopping": 0}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("learning_rate", "key=value"),
        ("learnig_rate=1", "unknown hyperparameter 'learnig_rate'; did you mean learning_rate"),
        ("banana=2", "unknown hyperparameter 'banana'; known are ams_gradient"),
        ("distributed=1", "distributed: is not for the local trainer: one fit uses one machine"),
        ("learning_rate=fast", "learning_rate=fast: must be a number, above 0 and at most 1"),
        ("learning_rate=0", "learning_rate=0.0: must be above 0"),
        ("learning_rate=nan", "learning_rate=nan: must be"),
        ("number_of_epochs=1.5", "number_of_epochs=1.5: must be a whole number, at least 1"),
        ("number_of_epochs=0", "number_of_epochs=0: must be at least 1"),
        ("optimizer=lion", "optimizer=lion: must be one of sgd, adam, adamw"),
        ("weighted_loss=3", "weighted_loss=3: must be one of 0, 1, 2"),
        ("validation_crop_size=300", "must be at most validation_resize_size"),
    ],
)
def test_wrong_settings_are_explained(setting: str, message: str) -> None:
    """The error names the key and what it allows."""
    with pytest.raises(HyperparameterError, match=message):
        default_settings("mobilenetv2", changes=parse_settings([setting]))


@pytest.mark.parametrize(("name", "value"), [("number_of_epochs", True), ("optimizer", 1), ("learning_rate", "0.1")])
def test_values_of_another_type_are_refused(name: str, value: object) -> None:
    """As a file may have them."""
    with pytest.raises(HyperparameterError, match=f"{name}={value}"):
        default_settings("mobilenetv2", changes={name: value})  # type: ignore[dict-item] # what a file may hold


def test_every_name_of_automl_is_honoured_or_refused_with_a_reason() -> None:
    """Of those for classification, none is passed over."""
    assert {known.name for known in PARAMETERS if MULTICLASS in known.tasks} == {*setting_names(), *NOT_HERE}


def test_every_model_has_all_defaults() -> None:
    """For both tasks."""
    for model in LOCAL_MODELS:
        assert default_settings(model, MULTICLASS)
        assert default_settings(model, MULTILABEL)


def test_reference_lists_every_hyperparameter() -> None:
    """The reference names each hyperparameter with its default and what it allows."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "training.md").read_text(encoding="utf-8")
    for name in setting_names():
        assert f"| `{name}` | {default_of(name, 'mobilenetv2')} | {allowed_for(name)}" in page
