"""The figures that a manifest holds, of pictures held out and of a cross-validation, and how the latter get there."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle, write_manifest
from training.answers import Answers
from training.dataset.records import Record, content_hash
from training.errors import DataError
from training.image_models import METRICS
from training.metrics import multilabel_metrics
from training.recipe import Recipe, recipe_from

FOLDS_FIGURES: Mapping[str, str] = {"accuracy": "fold_accuracies", "iou": "fold_ious"}
"""What the figures of the folds are called, by the primary metric."""


def held_out_figures(answers: Answers) -> dict[str, Any]:
    """Return the figures of pictures held out, as plain JSON; there is at least one."""
    if not answers.multilabel:
        return answers.confusion().as_json()
    figures = multilabel_metrics(answers.true, answers.probs, answers.selected)
    return {
        "pictures": len(answers.records),
        **{name: None if value is None else round(value, 6) for name, value in figures.items()},
        "labels": list(answers.labels),
        "mistakes_by_class": answers.mistakes_by_class,
    }


def cross_validation_figures(answers: Answers, folds: Iterable[NDArray[np.int64]]) -> dict[str, Any]:
    """Return the figures of all folds' answers as plain JSON; ``folds`` are the rows of each."""
    metric = METRICS[answers.task]
    of_folds = [_primary(answers.subset(rows)) for rows in folds]
    return {
        "folds": len(of_folds),
        "primary_metric": metric,
        metric: round(_primary(answers), 6),
        FOLDS_FIGURES[metric]: [round(value, 6) for value in of_folds],
        **held_out_figures(answers),
    }


def _primary(answers: Answers) -> float:
    if not answers.multilabel:
        return float(answers.right.mean())
    return float(multilabel_metrics(answers.true, answers.probs, answers.selected)["iou"] or 0.0)


def recipe_of(bundle: Bundle) -> Recipe:
    """Return the recipe that the local trainer wrote into a bundle's provenance.

    Raises:
        DataError: the bundle holds none, or one of another version of the trainer.
    """
    try:
        return recipe_from(bundle.manifest.provenance)
    except DataError as exc:
        raise DataError(f"{bundle}: its manifest {exc}") from exc


def check_data(bundle: Bundle, records: Sequence[Record]) -> None:
    """Make sure that a bundle was trained on these very records.

    Raises:
        DataError: the manifest names other data.
    """
    dataset = bundle.manifest.provenance.get("dataset", {})
    if dataset.get("sha256") != content_hash(records):
        raise DataError(f"{bundle}: was not trained on this data; give the folders that it was trained on")


def record_figures(bundle: Bundle, figures: Mapping[str, Any]) -> None:
    """Write the figures into the bundle's manifest as `metrics.cross_validation`.

    Raises:
        DataError: the manifest cannot be written.
    """
    metrics = {**bundle.manifest.metrics, "cross_validation": dict(figures)}
    try:
        write_manifest(bundle.folder, bundle.manifest.model_copy(update={"metrics": metrics}))
    except OSError as exc:
        raise DataError(f"{bundle.folder}: the manifest cannot be written ({exc.strerror})") from exc
