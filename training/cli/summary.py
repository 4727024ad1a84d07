"""What a fit tells at its end: in a few lines for a person, or as JSON for programs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.bundle import Bundle
from training.local.run import Epoch, Fitted, Run

ENDINGS = {"ended": "", "early": ", stopped early: it got no better", "asked": ", stopped when asked"}


def summary_of(run: Run, fitted: Fitted, folder: Path, bundle: Bundle) -> Iterator[str]:
    """Yield lines of at most 80 columns, but for folders."""
    yield f"{bundle} is proven and lies in {bundle.folder}"
    yield f"best epoch  {_best(fitted, run)}"
    yield f"epochs      {len(fitted.epochs)} of {run.recipe.settings.number_of_epochs}{ENDINGS[fitted.how]}"
    yield f"network     {run.recipe.model}, {fitted.origin}"
    yield f"pictures    {len(run.training)} trained on, {len(run.held_out)} held out, {len(run.classes)} classes"
    yield f"trained on  {_device(run, fitted)}, {fitted.batch_size} pictures at a time, in {_time(fitted.epochs)}"
    yield f"the fit     {folder}"


def json_of(run: Run, fitted: Fitted, folder: Path, bundle: Bundle) -> dict[str, Any]:
    """Return the same for programs; times in seconds, metrics by AutoML's names."""
    return {
        "name": bundle.manifest.name,
        "version": bundle.manifest.version,
        "bundle": str(bundle.folder),
        "run": str(folder),
        "task": run.recipe.task,
        "model_name": run.recipe.model,
        "origin": fitted.origin,
        "classes": list(run.classes),
        "trained_on": len(run.training),
        "held_out": len(run.held_out),
        "best_epoch": fitted.best.epoch,
        "validation": dict(fitted.best.validation),
        "epochs": len(fitted.epochs),
        "how": fitted.how,
        "device": fitted.device,
        "threads": run.threads,
        "batch_size": fitted.batch_size,
        "seconds": round(sum(epoch.seconds for epoch in fitted.epochs), 3),
    }


def _best(fitted: Fitted, run: Run) -> str:
    if not run.held_out:
        return f"{fitted.best.epoch}, the last: no pictures were held out to choose by"
    return f"{fitted.best.epoch}: " + ", ".join(f"{name} {value:.4f}" for name, value in fitted.best.validation.items())


def _device(run: Run, fitted: Fitted) -> str:
    threads = "1 thread" if run.threads == 1 else f"{run.threads} threads"
    return f"{fitted.device} ({threads})" if fitted.device == "CPU" else fitted.device


def _time(epochs: tuple[Epoch, ...]) -> str:
    minutes, seconds = divmod(round(sum(epoch.seconds for epoch in epochs)), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
