"""A recipe carried out on examples."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import one_hot

from training.dataset.annotations import MULTILABEL
from training.dataset.drawn import defects, draw
from training.dataset.records import Record
from training.errors import DataError
from training.local.accelerator import CPU, Accelerator
from training.local.examples import Examples, Told, from_grey, load
from training.local.starting import prepare_network
from training.local.trainer import SMALLEST_BATCH, Say, Trainer, Watch
from training.recipe import Recipe

SPARE = 3
"""How many times larger than needed a picture is kept, so that crops of it still have all their detail."""


def load_real(
    records: Sequence[Record],
    classes: Sequence[str],
    recipe: Recipe,
    *,
    threads: int = 1,
    told: Told = lambda done, total: None,  # noqa: ARG005 - a port's names
    say: Say = lambda _: None,
) -> Examples:
    """Decode the records, labelled by their classes' positions; far larger pictures than needed are reduced."""
    sizes = recipe.settings.training_crop_size, recipe.settings.validation_resize_size
    return load(records, classes, SPARE * max(sizes), recipe.task, threads=threads, told=told, say=say)


def trainer_for(
    recipe: Recipe,
    classes: Sequence[str],
    training: Examples,
    held_out: Examples | None,
    *,
    accelerator: Accelerator = CPU,
    say: Say = lambda _: None,
) -> Trainer:
    """Return what trains the recipe's network on the examples and its drawn pictures.

    Raises:
        DataError: one picture only, a drawn class that is not among the classes, or first weights that cannot be had.
        UsageError: a network, weights or layers to freeze that there are not.
    """
    if recipe.drawn:
        training = training.joined(_draw(classes, recipe))
    if len(training) < SMALLEST_BATCH:
        raise DataError("there is one picture to train on, which has no batch statistics; add pictures")
    network, origin = prepare_network(recipe, len(classes), say)
    return Trainer(
        network,
        recipe,
        training,
        held_out,
        classes=len(classes),
        origin=origin,
        accelerator=accelerator,
        say=say,
    )


def train(recipe: Recipe, classes: Sequence[str], training: Examples, watch: Watch) -> nn.Module:
    """Train to the last epoch with nothing held out; return the network in eval mode.

    Raises:
        TrainingError: see :func:`trainer_for` and :meth:`Trainer.run_epoch`.
    """
    trainer = trainer_for(recipe, classes, training, None)
    for epoch in range(1, recipe.settings.number_of_epochs + 1):
        trainer.run_epoch(epoch, watch)
    return trainer.judged_network


def _draw(classes: Sequence[str], recipe: Recipe) -> Examples:
    """Draw the recipe's pictures, the classes in turn."""
    labels = list(defects())
    missing = sorted(set(labels) - set(classes))
    if missing:
        known = ", ".join(labels)
        raise DataError(f"drawn pictures show {known}, but the data has no class {missing[0]!r}; leave out --drawn")
    turns = [(labels[position % len(labels)], position // len(labels) + 1) for position in range(recipe.drawn)]
    pictures = [draw(label, number, recipe.settings.random_seed) for label, number in turns]
    indices = torch.tensor([classes.index(label) for label, _ in turns])
    several = recipe.task == MULTILABEL
    return from_grey(pictures, one_hot(indices, len(classes)).to(torch.float32) if several else indices)
