"""From the folder of a fit to a proven bundle."""

import platform
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from importlib import metadata
from pathlib import Path
from typing import Any

import onnx
import torch

from edge.bundle import MULTILABEL, Bundle
from edge.session import runtime_version
from training.export import Draft, check_identity, check_target, write_bundle
from training.image_models import METRICS
from training.local import golden
from training.local.graph import write_graph
from training.local.pretrained.finding import without_place
from training.local.run import Fitted, Run, check_pictures, read_epochs, read_fitted, read_run
from training.local.stopping import best_of
from training.local.trained import THRESHOLD, Trained, check_at_the_edge
from training.local.weights import load_network
from training.recipe import Recipe
from training.report import held_out_figures
from training.settings import default_settings

FEW_RIGHT = 0.5

Say = Callable[[str], object]
"""Hears, as a line for a person, of what a bundle's user should know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """How the bundle is called. ``provenance`` is what its manifest says beside how it was fitted, plain JSON."""

    name: str
    version: str
    provenance: Mapping[str, Any] = field(default_factory=dict)


def export_run(run_folder: Path, export: Export, folder: Path, *, say: Say = lambda _: None) -> Bundle:
    """Export a run's best weights, prove them, and return the bundle in ``folder``.

    A run that is not finished gives the best epoch so far, and ``say`` hears of it.

    Raises:
        TrainingError: no run, a taken target, a network that learnt nothing, pictures that changed or are gone.
        EdgeError: the bundle does not hold together or does not prove itself.
    """
    check_identity(export.name, export.version)
    check_target(folder)
    run = read_run(run_folder)
    check_pictures(run)
    torch.set_num_threads(run.threads)
    trained = Trained(run, load_network(run_folder, run))
    told = _told(run_folder, run, say)
    draft = _draft(trained, export, told, say)
    side = run.recipe.settings.validation_crop_size

    return write_bundle(
        folder,
        draft,
        lambda path: write_graph(trained.network, side, path),
        lambda bundle: check_at_the_edge(bundle, trained),
    )


def command_of(run: Run, export: Export) -> str:
    """Return the command that makes this model again: every option that is not the default, without paths."""
    recipe = run.recipe
    defaults = default_settings(recipe.model, recipe.task).as_dict()
    changed = [f"{key}={value}" for key, value in recipe.settings.as_dict().items() if value != defaults[key]]
    words = ["automl-train", "fit", "DATA", "--name", export.name, "--version", export.version, "--model", recipe.model]
    words += _recipe_words(recipe)
    apart = run.held_out and run.validation_data_size == 0
    words += ["--validation", "DATA"] if apart else ["--validation-data-size", f"{run.validation_data_size:g}"]
    words += ["--threads", str(run.threads)]
    return shlex.join(words + [word for setting in changed for word in ("--set", setting)])


def _recipe_words(recipe: Recipe) -> list[str]:
    """Return the options for what AutoML has no name for; each is called as its field."""
    words = ["--task", recipe.task] if recipe.task == MULTILABEL else []
    words += [
        "--pretrained",
        without_place(recipe.pretrained),
    ]  # always: the command's default is another
    for part in fields(recipe):
        value = getattr(recipe, part.name)
        if part.name not in ("model", "settings", "task", "pretrained") and value != part.default:
            option = f"--{part.name.replace('_', '-')}"
            words += [option] if value is True else [option, str(value)]
    return words


def _draft(trained: Trained, export: Export, told: dict[str, Any], say: Say) -> Draft:
    run, recipe = trained.run, trained.run.recipe
    drawn = golden.drawn_candidates(recipe.settings.random_seed)
    candidates = drawn if recipe.drawn else golden.record_candidates(run.held_out or run.training, run.classes)
    chosen = golden.choose(trained.answer, candidates, run.classes)
    if chosen.share_right < FEW_RIGHT:
        say(f"the network answers {chosen.right} of {chosen.looked_at} candidates for golden pictures rightly")
    absent = [label for label in run.classes if label not in chosen.shown]
    if absent:
        say(f"no golden picture shows {', '.join(absent)}: there was none, or the network answered none rightly")
    return Draft(
        name=export.name,
        version=export.version,
        labels=run.classes,
        settings=recipe.settings,
        golden=chosen.pictures,
        task=recipe.task,
        threshold=THRESHOLD,
        provenance=_provenance(run, export, told),
        metrics={"held_out": held_out_figures(trained.answers(run.held_out))} if run.held_out else {},
    )


def _told(run_folder: Path, run: Run, say: Say) -> dict[str, Any]:
    """Return how the fit went, for the provenance; ``say`` hears where it is not finished."""
    fitted, epochs, asked_for = read_fitted(run_folder), read_epochs(run_folder), run.recipe.settings.number_of_epochs
    if fitted is not None:
        return _ended(fitted)
    best = best_of(epochs, METRICS[run.recipe.task]).epoch if epochs else None
    which = "the best so far" if best is None else f"those of epoch {best}"
    say(f"{run_folder}: the fit is not finished, {len(epochs)} of {asked_for} epochs are done; the weights are {which}")
    return {"how": "unfinished", "epochs": len(epochs), "best_epoch": best}


def _ended(fitted: Fitted) -> dict[str, Any]:
    return {
        "how": fitted.how,
        "first_weights": fitted.origin,
        "epochs": len(fitted.epochs),
        "best_epoch": fitted.best.epoch,
        "device": fitted.device,
        "batch_size": fitted.batch_size,
    }


def _provenance(run: Run, export: Export, told: dict[str, Any]) -> dict[str, Any]:
    return {
        "trainer": "automl-train local",
        "command": command_of(run, export),
        **run.recipe.as_dict(),
        "pretrained": without_place(run.recipe.pretrained),
        "precision": "fp32",
        "fit": told,
        "dataset": {
            "pictures": len(run.records),
            "sha256": run.sha256,
            "trained_on": len(run.training),
            "held_out": len(run.held_out),
        },
        "versions": versions(),
        "threads": run.threads,
        **export.provenance,
    }


def versions() -> dict[str, str]:
    """Return the versions of what a bundle was made with."""
    return {
        "python": platform.python_version(),
        "automl-edge": metadata.version("automl-edge"),
        "torch": torch.__version__,
        "onnx": onnx.__version__,
        "onnxruntime": runtime_version(),
    }
