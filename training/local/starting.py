"""The network that a fit begins with: built, with its first weights, the first layers frozen."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from training.local import networks
from training.local.pretrained.finding import find
from training.local.pretrained.fitting import load_into
from training.recipe import NO_WEIGHTS, Recipe

Say = Callable[[str], object]


def prepare_network(recipe: Recipe, classes: int, say: Say = lambda _: None) -> tuple[nn.Module, str]:
    """Return a recipe's network as it is before the first step, and in words where its weights come from.

    It is plain: neither standardised nor mirrored. Seeds torch with the recipe's seed. ``say`` hears of a download.

    Raises:
        UsageError: the recipe names a network, weights or layers to freeze that there are not.
        DataError: the weights cannot be had, or are another network's.
    """
    settings = recipe.settings
    torch.manual_seed(settings.random_seed)
    network = networks.build(recipe.model, classes, side=settings.training_crop_size)
    found = find(recipe.pretrained, recipe.model, say)
    source = found.source
    if found.weights is not None and not load_into(network, found.weights):
        source += "; the head is fresh"
    networks.freeze(network, recipe.model, settings.layers_to_freeze)
    return network, source


def settled(recipe: Recipe, say: Say = lambda _: None) -> tuple[Recipe, str]:
    """Return a recipe whose first weights are named for good, for many fits that are to begin alike, and their source.

    ``auto`` and a repository become its revision, or nothing where they cannot be had; a file stays what it is.

    Raises:
        TrainingError: see :func:`training.local.pretrained.finding.find`.
    """
    found = find(recipe.pretrained, recipe.model, say)
    if found.weights is None:
        return replace(recipe, pretrained=NO_WEIGHTS), found.source
    named = recipe.pretrained if found.weights.is_file else found.source
    return replace(recipe, pretrained=named), found.source
