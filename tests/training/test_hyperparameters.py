"""Hyperparameters carry AutoML's names and defaults; what is unknown or out of range is named with what is allowed."""

from dataclasses import fields
from pathlib import Path

import pytest

from training.errors import HyperparameterError
from training.hyperparameters import Hyperparameters, parse_settings


def test_defaults_are_automls() -> None:
    """The defaults are those that Azure publishes for multi-class classification."""
    settings = parse_settings([])
    assert settings.number_of_epochs == 15
    assert settings.training_batch_size == 78
    assert settings.learning_rate == 0.01
    assert settings.learning_rate_scheduler == "warmup_cosine"
    assert settings.warmup_cosine_lr_cycles == 0.45
    assert settings.optimizer == "sgd"
    assert (settings.validation_resize_size, settings.validation_crop_size) == (256, 224)


def test_settings_are_parsed_by_type() -> None:
    """Values become the type of their key; of a key given twice the last counts; spaces do not matter."""
    settings = parse_settings(["learning_rate=3e-3", "number_of_epochs = 4", "optimizer=adamw", "number_of_epochs=5"])
    assert settings == Hyperparameters(learning_rate=0.003, number_of_epochs=5, optimizer="adamw")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("learning_rate", "key=value"),
        ("learnig_rate=1", "unknown hyperparameter 'learnig_rate'.*learning_rate"),
        ("layers_to_freeze=2", "unknown hyperparameter"),
        ("learning_rate=fast", "learning_rate=fast: must be a number, above 0 and at most 10"),
        ("learning_rate=0", "learning_rate=0.0: must be above 0"),
        ("learning_rate=nan", "learning_rate=nan: must be"),
        ("number_of_epochs=1.5", "number_of_epochs=1.5: must be a whole number, at least 1"),
        ("number_of_epochs=0", "number_of_epochs=0: must be at least 1"),
        ("optimizer=lion", "optimizer=lion: must be one of sgd, adam, adamw"),
        ("weighted_loss=3", "weighted_loss=3: must be one of 0, 1, 2"),
    ],
)
def test_wrong_settings_are_explained(setting: str, message: str) -> None:
    """The error names the key and what it allows."""
    with pytest.raises(HyperparameterError, match=message):
        parse_settings([setting])


def test_reference_lists_every_hyperparameter() -> None:
    """The reference names each hyperparameter with its default and what it allows."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "training.md").read_text(encoding="utf-8")
    for parameter in fields(Hyperparameters):
        allowed = str(parameter.metadata["allowed"]).replace("2.14748e+09", "2147483647")
        assert f"| `{parameter.name}` | {parameter.default} | {allowed}" in page
