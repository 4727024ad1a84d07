"""What a network asks of the settings, told before anything is trained."""

import pytest

from training.errors import HyperparameterError, UnknownModelError
from training.hyperparameters import Value
from training.model_rules import check_settings, layers_of
from training.settings import LOCAL_MODELS, default_settings

SMALL: dict[str, Value] = {"training_crop_size": 96, "validation_crop_size": 96, "validation_resize_size": 112}


@pytest.mark.parametrize("model", LOCAL_MODELS)
def test_defaults_fit_every_network(model: str) -> None:
    """AutoML's defaults, and pictures of 96 pixels."""
    check_settings(model, default_settings(model))
    check_settings(model, default_settings(model, changes=SMALL))


@pytest.mark.parametrize(
    ("model", "changes", "message"),
    [
        ("vitb16r224", {**SMALL, "training_crop_size": 100}, "training_crop_size=100: .* for example 96 or 112"),
        ("vits16r224", {**SMALL, "training_crop_size": 8}, "training_crop_size=8: .* for example 16 or 32"),
        ("vits16r224", {"training_crop_size": 96}, "validation_crop_size=224: .*to the same .*is 96"),
        ("resnet50", {"layers_to_freeze": 6}, "layers_to_freeze=6: resnet50 has 5 layers to freeze; set at most 5"),
        ("vitl16r224", {"layers_to_freeze": 26}, "vitl16r224 has 25 layers"),
    ],
)
def test_what_does_not_fit_is_refused(model: str, changes: dict[str, Value], message: str) -> None:
    """The error names the hyperparameter and what it may be."""
    with pytest.raises(HyperparameterError, match=message):
        check_settings(model, default_settings(model, changes=changes))


def test_convolutions_take_any_side() -> None:
    """Only transformers are made for one."""
    check_settings("mobilenetv2", default_settings("mobilenetv2", changes={**SMALL, "training_crop_size": 101}))


@pytest.mark.parametrize("model", ["seresnext", "resnest50", "resnest101"])
def test_networks_of_the_cloud_are_refused_with_the_way_there(model: str) -> None:
    """AutoML has them, this trainer has not."""
    with pytest.raises(UnknownModelError, match=f"{model} cannot be trained on this machine.*azure submit"):
        default_settings(model)


def test_a_misspelt_name_is_put_right() -> None:
    """As everywhere."""
    with pytest.raises(UnknownModelError, match="unknown model 'resnet5'; did you mean resnet50"):
        layers_of("resnet5")
