"""The figures of a judged classifier, by AutoML's names; docs/reference/evaluation.md has their formulas.

Figures that the data does not define are None: an AUC where a class has no picture, or every picture. Averages over
classes (macro, weighted) are over the classes that have pictures; those of AUC and average precision over the classes
for which they are defined.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sk

Metrics = Mapping[str, float | None]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
AVERAGES = ("macro", "micro", "weighted")
SMALLEST = 1e-15
"""Probabilities are kept this far from 0 and 1 before their logarithm is taken."""


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class against all others; ``pictures`` show it, ``answered`` were said to. None: not defined."""

    pictures: int
    answered: int
    precision: float | None
    recall: float | None
    f1_score: float | None
    auc: float | None
    average_precision: float | None


def one_hot(indices: NDArray[np.int64], classes: int) -> Flags:
    """Return flags [N, classes] with one True a row."""
    return np.asarray(np.eye(classes, dtype=np.bool_)[indices])


def multiclass_metrics(true: NDArray[np.int64], probs: Floats) -> Metrics:
    """Return AutoML's figures of a multi-class model: label indices [N], probabilities [N, C] whose rows sum to 1.

    The answer is the most probable class. Raises ValueError for no pictures.
    """
    classes, answered = probs.shape[1], probs.argmax(axis=1)
    flags, right = one_hot(true, classes), (answered == true).astype(np.float64)
    weights = np.bincount(true, minlength=classes)[true]
    averaged = _averaged(flags, one_hot(answered, classes), probs)
    recall, chance = averaged["recall_score_macro"] or 0.0, 1 / classes
    return {
        "accuracy": float(right.mean()),
        "balanced_accuracy": recall,
        "weighted_accuracy": float(np.average(right, weights=weights)),
        "norm_macro_recall": max(0.0, (recall - chance) / (1 - chance)) if classes > 1 else None,
        "matthews_correlation": _correlation(true, answered),
        "log_loss": log_loss(true, probs),
        **averaged,
    }


def multilabel_metrics(true: Flags, probs: Floats, selected: Flags) -> Metrics:
    """Return AutoML's figures of a multi-label model: what is shown, the probabilities, what is answered; all [N, C].

    Raises ValueError for no pictures.
    """
    return {
        "accuracy": float((true == selected).all(axis=1).mean()),
        "iou": _overlap(true, selected),
        **{f"iou_{average}": _by_classes(sk.jaccard_score, true, selected, average) for average in AVERAGES},
        "log_loss": binary_log_loss(true, probs),
        **_averaged(true, selected, probs),
    }


def _correlation(true: NDArray[np.int64], answered: NDArray[np.int64]) -> float:
    """Return Matthews' coefficient; 0 where only one class is shown and answered, as scikit-learn has it."""
    if len(np.union1d(true, answered)) < 2:
        return 0.0
    return float(sk.matthews_corrcoef(true, answered))


def log_loss(true: NDArray[np.int64], probs: Floats) -> float:
    """Return the mean of -log p(true class), natural logarithm, of indices [N] and probabilities [N, C]."""
    return float(-np.log(np.maximum(probs[np.arange(len(true)), true], SMALLEST)).mean())


def binary_log_loss(true: Flags, probs: Floats) -> float:
    """Return the mean of -log p(what is so) over pictures and classes, [N, C] both."""
    return float(-np.log(np.maximum(np.where(true, probs, 1 - probs), SMALLEST)).mean())


def class_figures(true: Flags, selected: Flags, probs: Floats) -> list[ClassFigures]:
    """Return the figures of each class; all three are [N, C]."""
    return [_of_class(true[:, index], selected[:, index], probs[:, index]) for index in range(true.shape[1])]


def _of_class(true: Flags, selected: Flags, probs: Floats) -> ClassFigures:
    pictures, answered, hits = int(true.sum()), int(selected.sum()), int((true & selected).sum())
    return ClassFigures(
        pictures=pictures,
        answered=answered,
        precision=hits / answered if answered else None,
        recall=hits / pictures if pictures else None,
        f1_score=2 * hits / (pictures + answered) if pictures else None,
        auc=float(sk.roc_auc_score(true, probs)) if 0 < pictures < len(true) else None,
        average_precision=float(sk.average_precision_score(true, probs)) if pictures else None,
    )


def _averaged(true: Flags, selected: Flags, probs: Floats) -> Metrics:
    """Return what AutoML averages over classes in three ways, by its names."""
    count = true.sum(axis=0)
    ranked, shown = (count > 0) & (count < len(true)), count > 0
    figures = {
        **_by_scores("AUC", sk.roc_auc_score, true, probs, ranked),
        **_by_scores("average_precision_score", sk.average_precision_score, true, probs, shown),
    }
    for name in ("precision_score", "recall_score", "f1_score"):
        figures |= {f"{name}_{one}": _by_classes(getattr(sk, name), true, selected, one) for one in AVERAGES}
    return dict(sorted(figures.items(), key=lambda item: item[0].lower()))


def _by_scores(
    name: str, score: Callable[..., float], true: Flags, probs: Floats, defined: Flags
) -> dict[str, float | None]:
    """Return a figure of probabilities, over the classes for which it is defined; micro: over all answers as one."""
    mixed = true.any() and not true.all()
    by_class = [float(score(true[:, index], probs[:, index])) for index in np.flatnonzero(defined)]
    weights = true.sum(axis=0)[defined]
    return {
        f"{name}_macro": float(np.mean(by_class)) if by_class else None,
        f"{name}_micro": float(score(true.ravel(), probs.ravel())) if mixed else None,
        f"{name}_weighted": float(np.average(by_class, weights=weights)) if by_class else None,
    }


def _by_classes(score: Callable[..., float], true: Flags, selected: Flags, average: str) -> float | None:
    """Return a figure of answers over the classes that have pictures; micro: over all classes."""
    shown = np.flatnonzero(true.any(axis=0))
    if not len(shown):
        return None
    # a single column would be taken for two classes, false and true
    padded = [np.pad(flags, ((0, 0), (0, 1))) for flags in (true, selected)]
    labels = None if average == "micro" else shown
    return float(score(*padded, labels=labels, average=average, zero_division=0))


def _overlap(true: Flags, selected: Flags) -> float:
    """Return intersection over union of each picture's labels, averaged; 1 for a picture that rightly got none."""
    union, common = (true | selected).sum(axis=1), (true & selected).sum(axis=1)
    return float(np.where(union > 0, common / np.maximum(union, 1), 1.0).mean())
