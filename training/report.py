"""The report of a cross-validation: what was judged, and how it did; a fit takes it into the manifest if both agree."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.dataset.folders import Record, content_hash
from training.errors import DataError
from training.evaluation import Confusion
from training.recipe import Recipe

FIGURES = ("folds", "pictures", "accuracy", "fold_accuracies", "mistakes", "mistakes_by_class", "labels", "confusion")


def cross_validation_report(
    records: Sequence[Record], recipe: Recipe, judged: Confusion, fold_accuracies: Sequence[float]
) -> dict[str, Any]:
    """Return the report as plain JSON: subject (recipe and data) and figures."""
    return {
        "recipe": recipe.as_dict(),
        "dataset_sha256": content_hash(records),
        "folds": len(fold_accuracies),
        "fold_accuracies": [round(accuracy, 6) for accuracy in fold_accuracies],
        **judged.as_json(),
    }


def figures_of(path: Path, records: Sequence[Record], recipe: Recipe) -> Mapping[str, Any]:
    """Return the figures of a report file, after checking that it judged this recipe on these records.

    Raises:
        DataError: the file is no report, or of another recipe or other data.
    """
    report = _read(path)
    for key, value in (("recipe", recipe.as_dict()), ("dataset_sha256", content_hash(records))):
        if report[key] != value:
            raise DataError(f"{path}: judged another {key}; cross-validate this one, or leave out --cross-validation")
    return {key: report[key] for key in FIGURES}


def _read(path: Path) -> Mapping[str, Any]:
    try:
        report = json.loads(path.read_bytes())
    except (OSError, ValueError) as exc:
        raise DataError(f"{path}: no readable report of `automl-train crossvalidate` ({exc})") from exc
    missing = {"recipe", "dataset_sha256", *FIGURES} - set(report if isinstance(report, dict) else ())
    if missing or not isinstance(report, dict):
        raise DataError(f"{path}: no report of `automl-train crossvalidate`; it lacks {', '.join(sorted(missing))}")
    return report
