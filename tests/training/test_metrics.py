"""AutoML's figures against what is counted by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

pytest.importorskip("sklearn")

from training.metrics import (
    class_figures,
    multiclass_metrics,
    multilabel_metrics,
    one_hot,
)

TRUE = np.array([0, 0, 0, 1, 1, 2])
PROBS = np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.3, 0.5, 0.2], [0.1, 0.7, 0.2], [0.5, 0.4, 0.1], [0.1, 0.1, 0.8]])
"""Answers 0, 0, 1, 1, 0, 2: recalls 2/3, 1/2, 1; precisions 2/3, 1/2, 1."""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accuracy", 4 / 6),
        ("balanced_accuracy", (2 / 3 + 1 / 2 + 1) / 3),
        ("weighted_accuracy", (2 * 3 + 1 * 2 + 1 * 1) / (3 * 3 + 2 * 2 + 1 * 1)),
        ("norm_macro_recall", ((2 / 3 + 1 / 2 + 1) / 3 - 1 / 3) / (2 / 3)),
        ("matthews_correlation", (4 * 6 - (3 * 3 + 2 * 2 + 1)) / (36 - (3 * 3 + 2 * 2 + 1))),
        ("log_loss", -sum(map(math.log, (0.8, 0.6, 0.3, 0.7, 0.4, 0.8))) / 6),
        ("precision_score_macro", (2 / 3 + 1 / 2 + 1) / 3),
        ("precision_score_micro", 4 / 6),
        ("precision_score_weighted", (3 * 2 / 3 + 2 * 1 / 2 + 1) / 6),
        ("recall_score_weighted", 4 / 6),
        ("f1_score_macro", (2 / 3 + 1 / 2 + 1) / 3),
        # class 0: 8 of 9 pairs in order, class 1: 7 of 8, class 2: all
        ("AUC_macro", (8 / 9 + 7 / 8 + 1) / 3),
        ("AUC_weighted", (3 * 8 / 9 + 2 * 7 / 8 + 1) / 6),
        # class 0: precision 1, 1, 3/4 at its pictures; class 1: 1, 2/3
        ("average_precision_score_macro", ((1 + 1 + 3 / 4) / 3 + (1 + 2 / 3) / 2 + 1) / 3),
    ],
)
def test_by_hand(name: str, value: float) -> None:
    """Each figure is what its formula gives for six pictures of three classes."""
    assert multiclass_metrics(TRUE, PROBS)[name] == pytest.approx(value)


def test_names_are_those_of_automl() -> None:
    """Every average of every figure is there, in both tasks."""
    averaged = {
        f"{name}_{average}"
        for name in ("AUC", "average_precision_score", "precision_score", "recall_score", "f1_score")
        for average in ("macro", "micro", "weighted")
    }
    single = {"accuracy", "balanced_accuracy", "weighted_accuracy", "norm_macro_recall", "matthews_correlation"}
    assert set(multiclass_metrics(TRUE, PROBS)) == averaged | single | {"log_loss"}
    flags = one_hot(TRUE, 3)
    iou = {"iou", "iou_macro", "iou_micro", "iou_weighted"}
    assert set(multilabel_metrics(flags, PROBS, PROBS > 0.5)) == averaged | iou | {"accuracy", "log_loss"}


def test_multilabel_by_hand() -> None:
    """Three pictures of two classes: one right, one with a label too many, one with none of its labels."""
    true = np.array([[True, False], [True, False], [False, True]])
    probs = np.array([[0.9, 0.1], [0.8, 0.7], [0.2, 0.4]])
    figures = multilabel_metrics(true, probs, probs > 0.5)
    assert figures["accuracy"] == pytest.approx(1 / 3)
    assert figures["iou"] == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert figures["iou_micro"] == pytest.approx(2 / 4)
    assert figures["iou_macro"] == pytest.approx((1 + 0) / 2)
    assert figures["recall_score_macro"] == pytest.approx((1 + 0) / 2)
    assert figures["precision_score_micro"] == pytest.approx(2 / 3)
    assert figures["AUC_macro"] == pytest.approx((1 + 1 / 2) / 2)
    expected = -sum(map(math.log, (0.9, 0.9, 0.8, 0.3, 0.8, 0.4))) / 6
    assert figures["log_loss"] == pytest.approx(expected)


def test_an_empty_answer_to_an_empty_picture_is_right() -> None:
    """A picture that shows no class, and is said to show none, overlaps wholly."""
    nothing = np.zeros((1, 2), np.bool_)
    figures = multilabel_metrics(nothing, np.array([[0.1, 0.2]]), nothing)
    assert figures["accuracy"] == figures["iou"] == 1
    assert figures["recall_score_macro"] is None
    assert figures["AUC_micro"] is None


def test_only_one_class_in_the_data() -> None:
    """What needs a second class is None; the rest is as usual, without a warning."""
    figures = multiclass_metrics(np.zeros(4, np.int64), np.tile([0.9, 0.1], (4, 1)))
    assert figures["accuracy"] == figures["balanced_accuracy"] == figures["norm_macro_recall"] == 1
    assert figures["AUC_macro"] is None
    assert figures["matthews_correlation"] == 0
    assert figures["average_precision_score_macro"] == 1


def test_a_model_of_one_class() -> None:
    """Chance is always right there, so nothing can be better than it."""
    figures = multiclass_metrics(np.zeros(2, np.int64), np.ones((2, 1)))
    assert figures["accuracy"] == figures["f1_score_macro"] == 1
    assert figures["norm_macro_recall"] is None


def test_classes_without_pictures_are_left_out_of_averages() -> None:
    """Averages are over classes that have pictures; a wrong answer into another class still lowers the recall."""
    true, probs = np.array([0, 0, 1]), np.array([[0.9, 0.05, 0.05], [0.1, 0.1, 0.8], [0.1, 0.8, 0.1]])
    figures = multiclass_metrics(true, probs)
    assert figures["balanced_accuracy"] == pytest.approx((1 / 2 + 1) / 2)
    rows = class_figures(one_hot(true, 3), one_hot(probs.argmax(axis=1), 3), probs)
    assert (rows[2].pictures, rows[2].answered, rows[2].recall, rows[2].auc) == (0, 1, None, None)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 5), st.integers(1, 12), st.data())
def test_any_data_has_figures_in_their_range(classes: int, pictures: int, data: st.DataObject) -> None:
    """Nothing raises or warns, and each figure is None or in its range; macro recall is balanced accuracy."""
    true = data.draw(arrays(np.int64, pictures, elements=st.integers(0, classes - 1)))
    raw = data.draw(arrays(np.float64, (pictures, classes), elements=st.floats(0.01, 1)))
    probs = raw / raw.sum(axis=1, keepdims=True)
    figures = multiclass_metrics(true, probs)
    for name, value in figures.items():
        low, high = (-1, 1) if name == "matthews_correlation" else (0, math.inf if name == "log_loss" else 1)
        assert value is None or low - 1e-9 <= value <= high + 1e-9, name
    assert figures["accuracy"] == pytest.approx(figures["recall_score_micro"])
    flags = data.draw(arrays(np.bool_, (pictures, classes)))
    for name, value in multilabel_metrics(flags, probs, probs > 0.5).items():
        assert value is None or 0 <= value <= (math.inf if name == "log_loss" else 1 + 1e-9), name
