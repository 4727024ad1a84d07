"""What a network asks of the settings that it is trained with, told before anything is trained. Needs no torch."""

from collections.abc import Mapping

from training.dataset.annotations import MULTICLASS
from training.errors import HyperparameterError
from training.hyperparameters import LAYERS
from training.image_models import NETWORKS, Family
from training.settings import Settings, check_model

PATCH = 16
"""Side in pixels of what a vision transformer takes for one token."""
_DEEPER: Mapping[str, int] = {"vitl16r224": 25}
"""Layers of networks that have more than Azure's reference counts for their family."""


def check_settings(model: str, settings: Settings) -> None:
    """Make sure that a network can be trained with these settings.

    Raises:
        UnknownModelError: the local trainer does not have the network.
        HyperparameterError: a side that it cannot take, or more layers to freeze than it has.
    """
    check_frozen(model, settings.layers_to_freeze)
    check_side(model, "training_crop_size", settings.training_crop_size)
    trained, judged = settings.training_crop_size, settings.validation_crop_size
    if _family(model) == "vit" and judged != trained:
        raise HyperparameterError(
            f"validation_crop_size={judged}: {model} takes pictures of one side only; set validation_crop_size and "
            f"training_crop_size to the same (training_crop_size is {trained})"
        )


def check_side(model: str, name: str, side: int) -> None:
    """Make sure that a network takes pictures of a side in pixels; ``name`` is what the side is called.

    Raises:
        HyperparameterError: it does not.
    """
    if _family(model) == "vit" and side % PATCH:
        below = max(PATCH, side // PATCH * PATCH)
        raise HyperparameterError(
            f"{name}={side}: {model} cuts pictures into patches of {PATCH} pixels; take a multiple, "
            f"for example {below} or {below + PATCH}"
        )


def check_frozen(model: str, layers: int) -> None:
    """Make sure that a network has so many layers to freeze.

    Raises:
        HyperparameterError: it has fewer.
    """
    most = layers_of(model)
    if layers > most:
        raise HyperparameterError(f"layers_to_freeze={layers}: {model} has {most} layers to freeze; set at most {most}")


def layers_of(model: str) -> int:
    """Return how many layers ``layers_to_freeze`` can count in a network of the local trainer."""
    return _DEEPER.get(model) or LAYERS[_family(model)]


def _family(model: str) -> Family:
    check_model(model)
    return {known.name: known.family for known in NETWORKS[MULTICLASS]}[model]
