"""Small fits for tests: a few drawn pictures of 32 pixels, a network that trains in milliseconds."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from edge.bundle import Task
from training.dataset.annotations import MULTICLASS, MULTILABEL
from training.dataset.drawn import write_drawn
from training.dataset.folders import read_folders
from training.dataset.labelled import Labelled
from training.dataset.records import Record, classes_of
from training.hyperparameters import Value
from training.local import networks
from training.local.fit import prepare_run
from training.local.run import Run, write_run
from training.local.trained import Trained
from training.local.weights import write_best
from training.recipe import Recipe
from training.settings import default_settings

TINY: dict[str, Value] = {
    "number_of_epochs": 3,
    "training_batch_size": 8,
    "optimizer": "adamw",
    "learning_rate": 0.002,
    "early_stopping": 0,
    "training_crop_size": 32,
    "validation_resize_size": 32,
    "validation_crop_size": 32,
}


def draw(folder: Path, count: int = 24) -> list[Record]:
    """Draw pictures of six classes in turn."""
    list(write_drawn(folder, count=count, seed=0, size=32))
    return read_folders([folder])


def multi_class(records: list[Record]) -> Labelled:
    return Labelled(MULTICLASS, tuple(classes_of(records)), tuple(records))


def multi_label(records: list[Record]) -> Labelled:
    """Every other picture is also Even, and the first one is nothing at all."""
    told = [Record(r.path, (*r.labels, "Even") if n % 2 == 0 else r.labels) for n, r in enumerate(records)]
    told[0] = Record(told[0].path, ())
    return Labelled(MULTILABEL, tuple(classes_of(told)), tuple(told))


def recipe(*, task: Task = MULTICLASS, rest: dict[str, Any] | None = None, **changes: Any) -> Recipe:
    settings = default_settings("mobilenetv2", task, {**TINY, **changes})
    return Recipe(model="mobilenetv2", settings=settings, task=task, **(rest or {}))


def tiny_run(records: list[Record], *, threads: int = 1, **changes: Any) -> Run:
    return prepare_run(multi_class(records), recipe(**changes), validation_data_size=0.25, threads=threads)


def write_grey(folder: Path, each: int = 12) -> list[Record]:
    """Write dark and bright noise, which any network can tell apart."""
    generator = np.random.default_rng(0)
    for label, least in (("Bright", 150), ("Dark", 0)):
        (folder / label).mkdir(parents=True)
        for number in range(each):
            pixels = generator.integers(least, least + 60, (32, 32, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number}.png")
    return read_folders([folder])


@torch.no_grad()
def settled(network: torch.nn.Module) -> torch.nn.Module:
    """Give a network values as training leaves them, and logits that tell pictures of 32 pixels apart."""
    generator = torch.Generator().manual_seed(0)
    for name, values in network.named_parameters():
        if values.ndim == 1:
            values.normal_(float(name.endswith("weight")), 0.1, generator=generator)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean of all that it sees
    inputs = torch.randn(8, 3, 32, 32, generator=generator)
    network.train()(inputs)
    *_, head = (module for module in network.modules() if isinstance(module, torch.nn.Linear))
    head.weight.mul_(0.1 / network.eval()(inputs).std(0).mean())
    return network


@torch.no_grad()
def write_learnt_run(folder: Path, records: list[Record]) -> Run:
    """Write a run whose network answers all pictures rightly, without training it.

    Its norms hold the statistics of the pictures, and its last layer tells which class's mean features are nearer.
    """
    run = tiny_run(records)
    torch.set_num_threads(run.threads)
    torch.manual_seed(0)
    network = networks.build(run.recipe.model, len(run.classes), side=32)
    inputs = Trained(run, network).inputs(run.records)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean of all that it sees
    network.train()(torch.from_numpy(inputs))
    _tell_means_apart(network.eval(), torch.from_numpy(inputs), run)
    write_run(folder, run)
    write_best(folder, network.state_dict())
    return run


def _tell_means_apart(network: torch.nn.Module, inputs: torch.Tensor, run: Run) -> None:
    last = network.get_submodule("classifier.1")
    assert isinstance(last, torch.nn.Linear)
    features: list[torch.Tensor] = []
    hook = last.register_forward_hook(lambda _, given, __: features.append(given[0]))
    network(inputs)
    hook.remove()
    labels = [run.classes.index(record.label) for record in run.records]
    means = torch.stack([features[0][torch.tensor(labels) == index].mean(0) for index in range(len(run.classes))])
    scale = 8 / float((means[0] - means[1]).square().sum())
    last.weight.copy_(scale * means)
    last.bias.copy_(-scale * means.square().sum(1) / 2)
