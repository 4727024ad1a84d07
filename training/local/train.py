"""A recipe carried out on examples."""

from collections.abc import Sequence

import torch
from torch import nn

from training.dataset.drawn import defects, draw
from training.dataset.records import Record
from training.errors import DataError
from training.local import networks
from training.local.examples import Examples, from_grey, load
from training.local.trainer import Fit, Watch
from training.recipe import Recipe

SPARE = 3
"""How many times larger than needed a picture is kept, so that crops of it still have all their detail."""


def load_real(records: Sequence[Record], classes: Sequence[str], recipe: Recipe) -> Examples:
    """Decode the records, labelled by their class's position; far larger pictures than needed are reduced."""
    sizes = recipe.settings.training_crop_size, recipe.settings.validation_resize_size
    return load(records, classes, shorter_side=SPARE * max(sizes))


def train(
    recipe: Recipe, classes: Sequence[str], training: Examples, held_out: Examples | None, watch: Watch
) -> nn.Module:
    """Train the recipe's network on the examples and its drawn pictures; returns it in eval mode.

    Raises:
        DataError: a drawn class is not among the classes.
        UnknownModelError: a network that the local trainer does not have.
    """
    if recipe.drawn:
        training = training.joined(_draw(classes, recipe))
    torch.manual_seed(recipe.settings.random_seed)
    network = networks.build(recipe.model, len(classes))
    Fit(network, recipe.settings, training, held_out).run(watch)
    return network


def _draw(classes: Sequence[str], recipe: Recipe) -> Examples:
    """Draw the recipe's pictures, the classes in turn."""
    labels = list(defects())
    missing = sorted(set(labels) - set(classes))
    if missing:
        known = ", ".join(labels)
        raise DataError(f"drawn pictures show {known}, but the data has no class {missing[0]!r}; leave out --drawn")
    turns = [(labels[position % len(labels)], position // len(labels) + 1) for position in range(recipe.drawn)]
    pictures = [draw(label, number, recipe.settings.random_seed) for label, number in turns]
    return from_grey(pictures, [classes.index(label) for label, _ in turns])
