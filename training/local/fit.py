"""From class folders to a proven bundle with the local trainer."""

import platform
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from edge.bundle import Bundle
from edge.proof import load_and_prove
from training.dataset.folders import Record, classes_of, content_hash
from training.dataset.split import Split, hold_out
from training.errors import DataError
from training.evaluation import confusion
from training.export import Draft, check_identity, check_target, write_bundle
from training.hyperparameters import Hyperparameters
from training.local import golden
from training.local.examples import Examples, validation_inputs
from training.local.graph import check_parity, write_graph
from training.local.train import load_real, train
from training.local.trainer import Watch, predict, preprocessing
from training.recipe import Recipe

PARITY_PICTURES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be made.

    `validation_data_size` is the share of each class (0..1) held out to choose the best epoch; 0 trains on everything.
    The same seed gives the same network on the same number of `threads`; on another the sums differ in their last bits.
    """

    name: str
    version: str
    recipe: Recipe
    validation_data_size: float = 0.2
    threads: int


def fit_bundle(records: Sequence[Record], order: Order, folder: Path, watch: Watch) -> Bundle:
    """Train on the records, export, prove, and return the bundle in `folder`.

    Raises:
        TrainingError: unusable pictures, a taken target, a network that learnt nothing.
        EdgeError: the bundle does not hold together or does not prove itself.
    """
    check_identity(order.name, order.version)
    check_target(folder)
    torch.set_num_threads(order.threads)
    classes, split = _check_classes(records), _split(records, order)
    examples = load_real(records, order.recipe)
    held_out = examples.subset(split.held_out) if len(split.held_out) else None
    network = train(order.recipe, classes, examples.subset(split.training), held_out, watch)
    draft = _draft(network, records, examples, split, order)
    inputs = _parity_inputs(examples, order.recipe)

    def prove(bundle: Bundle) -> None:
        model, _ = load_and_prove(bundle, device="cpu")
        check_parity(network, model.session.run, inputs)

    side = order.recipe.settings.validation_crop_size
    return write_bundle(folder, draft, lambda path: write_graph(network, side, path), prove)


def command_of(order: Order) -> str:
    """Return the command that makes this model again: every setting that is not the default, without paths."""
    recipe, defaults = order.recipe, Hyperparameters().as_dict()
    changed = [f"{key}={value}" for key, value in recipe.settings.as_dict().items() if value != defaults[key]]
    words = ["automl-train", "fit", "DATA", "--name", order.name, "--version", order.version, "--model", recipe.model]
    words += ["--drawn", str(recipe.drawn), "--validation-data-size", f"{order.validation_data_size:g}"]
    words += [*(["--mirrored"] if recipe.mirrored else []), "--threads", str(order.threads)]
    return shlex.join(words + [word for setting in changed for word in ("--set", setting)])


def _check_classes(records: Sequence[Record]) -> list[str]:
    classes = classes_of(records)
    if len(classes) < 2:
        raise DataError(f"the data has only class {classes[0]!r}; a classifier needs at least two class folders")
    return classes


def _split(records: Sequence[Record], order: Order) -> Split:
    if order.validation_data_size == 0:
        return Split(training=np.arange(len(records)), held_out=np.arange(0))
    labels = [record.label for record in records]
    return hold_out(labels, order.validation_data_size, order.recipe.settings.random_seed)


def _draft(network: nn.Module, records: Sequence[Record], examples: Examples, split: Split, order: Order) -> Draft:
    recipe, classes = order.recipe, classes_of(records)
    held_out = [records[position] for position in split.held_out] or list(records)
    drawn = golden.drawn_candidates(recipe.settings.random_seed)
    candidates = drawn if recipe.drawn else golden.record_candidates(held_out, classes)
    return Draft(
        name=order.name,
        version=order.version,
        labels=classes,
        settings=recipe.settings,
        golden=golden.choose(network, candidates, classes, preprocessing(recipe.settings)),
        provenance=_provenance(records, order, split),
        metrics=_held_out_metrics(network, examples.subset(split.held_out), classes, order),
    )


def _held_out_metrics(network: nn.Module, held_out: Examples, classes: Sequence[str], order: Order) -> dict[str, Any]:
    if not len(held_out):
        return {}
    answered = predict(network, held_out, order.recipe.settings).argmax(1)
    return {"held_out": confusion(classes, held_out.labels.tolist(), answered.tolist()).as_json()}


def _provenance(records: Sequence[Record], order: Order, split: Split) -> dict[str, Any]:
    recipe = order.recipe
    return {
        "trainer": "automl-train local",
        "command": command_of(order),
        **recipe.as_dict(),
        "dataset": {
            "pictures": len(records),
            "sha256": content_hash(records),
            "trained_on": len(split.training),
            "held_out": len(split.held_out),
        },
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "onnx": onnx.__version__},
        "threads": order.threads,
    }


def _parity_inputs(examples: Examples, recipe: Recipe) -> NDArray[np.float32]:
    """Return inputs of pictures spread over the whole data, so over all classes."""
    spread = np.linspace(0, len(examples) - 1, min(PARITY_PICTURES, len(examples))).round().astype(int)
    return validation_inputs(examples.subset(spread).pictures, preprocessing(recipe.settings))
