"""From the folder of a fit to a proven bundle."""

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
from training.evaluation import confusion
from training.export import Draft, check_identity, check_target, write_bundle
from training.local import golden
from training.local.examples import Examples, load, validation_inputs
from training.local.graph import check_parity, write_graph
from training.local.run import Run, read_run
from training.local.trainer import predict, preprocessing
from training.local.weights import load_network
from training.recipe import Recipe
from training.settings import default_settings

PARITY_PICTURES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """How the bundle is called."""

    name: str
    version: str


def export_run(run_folder: Path, export: Export, folder: Path) -> Bundle:
    """Export a run's best weights, prove them, and return the bundle in ``folder``.

    Raises:
        TrainingError: no run, a taken target, a network that learnt nothing.
        EdgeError: the bundle does not hold together or does not prove itself.
    """
    check_identity(export.name, export.version)
    check_target(folder)
    run = read_run(run_folder)
    torch.set_num_threads(run.threads)
    network = load_network(run_folder, run)
    held_out = load(run.held_out, run.classes, shorter_side=_largest_side(run.recipe))
    draft = _draft(network, run, held_out, export)
    inputs = _parity_inputs(run)

    def prove(bundle: Bundle) -> None:
        model, _ = load_and_prove(bundle, device="cpu")
        check_parity(network, model.session.run, inputs)

    side = run.recipe.settings.validation_crop_size
    return write_bundle(folder, draft, lambda path: write_graph(network, side, path), prove)


def _largest_side(recipe: Recipe) -> int:
    return 3 * max(recipe.settings.training_crop_size, recipe.settings.validation_resize_size)


def command_of(run: Run, export: Export) -> str:
    """Return the command that makes this model again: every setting that is not the default, without paths."""
    recipe = run.recipe
    defaults = default_settings(recipe.model, recipe.task).as_dict()
    changed = [f"{key}={value}" for key, value in recipe.settings.as_dict().items() if value != defaults[key]]
    words = ["automl-train", "fit", "DATA", "--name", export.name, "--version", export.version, "--model", recipe.model]
    words += ["--drawn", str(recipe.drawn), "--validation-data-size", f"{run.validation_data_size:g}"]
    words += [*(["--mirrored"] if recipe.mirrored else []), "--threads", str(run.threads)]
    return shlex.join(words + [word for setting in changed for word in ("--set", setting)])


def _draft(network: nn.Module, run: Run, held_out: Examples, export: Export) -> Draft:
    recipe = run.recipe
    drawn = golden.drawn_candidates(recipe.settings.random_seed)
    candidates = drawn if recipe.drawn else golden.record_candidates(run.held_out or run.training, run.classes)
    return Draft(
        name=export.name,
        version=export.version,
        labels=run.classes,
        settings=recipe.settings,
        golden=golden.choose(network, candidates, run.classes, preprocessing(recipe.settings)),
        provenance=_provenance(run, export),
        metrics=_held_out_metrics(network, held_out, run.classes, recipe),
    )


def _held_out_metrics(network: nn.Module, held_out: Examples, classes: Sequence[str], recipe: Recipe) -> dict[str, Any]:
    if not len(held_out):
        return {}
    answered = predict(network, held_out, recipe.settings).argmax(1)
    return {"held_out": confusion(classes, held_out.labels.tolist(), answered.tolist()).as_json()}


def _provenance(run: Run, export: Export) -> dict[str, Any]:
    return {
        "trainer": "automl-train local",
        "command": command_of(run, export),
        **run.recipe.as_dict(),
        "dataset": {
            "pictures": len(run.records),
            "sha256": run.sha256,
            "trained_on": len(run.training),
            "held_out": len(run.held_out),
        },
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "onnx": onnx.__version__},
        "threads": run.threads,
    }


def _parity_inputs(run: Run) -> NDArray[np.float32]:
    """Return inputs of pictures spread over the whole data, so over all classes."""
    records = run.records
    spread = np.linspace(0, len(records) - 1, min(PARITY_PICTURES, len(records))).round().astype(int)
    chosen = load([records[n] for n in spread], run.classes, shorter_side=_largest_side(run.recipe))
    return validation_inputs(chosen.pictures, preprocessing(run.recipe.settings))
