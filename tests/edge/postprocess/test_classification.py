"""Logits to classes: tables worked out by hand, and the edges of softmax, sigmoid and threshold."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import InferenceError
from edge.postprocess.classification import classify, sigmoid, softmax

LABELS = ("crack", "dent", "fine")
E = math.e


def _logits(*values: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(values, np.float32)


SOFTMAX = [
    ((0.0, 0.0), (0.5, 0.5)),
    ((0.0, 0.0, 0.0, 0.0), (0.25, 0.25, 0.25, 0.25)),
    ((1.0, 0.0), (E / (1 + E), 1 / (1 + E))),
    ((math.log(1), math.log(2), math.log(5)), (0.125, 0.25, 0.625)),
    ((1000.0, 999.0), (E / (1 + E), 1 / (1 + E))),  # exp(1000) would overflow
    ((-1000.0, -1001.0), (E / (1 + E), 1 / (1 + E))),  # exp(-1000) would vanish
    ((3e38, -3e38), (1.0, 0.0)),  # the difference overflows float32
    ((7.0,), (1.0,)),
]
SIGMOID = [
    (0.0, 0.5),
    (math.log(3), 0.75),
    (-math.log(3), 0.25),
    (1000.0, 1.0),
    (-1000.0, 0.0),
    (3e38, 1.0),
    (-3e38, 0.0),
]


@pytest.mark.parametrize(("logits", "expected"), SOFTMAX)
def test_softmax(logits: tuple[float, ...], expected: tuple[float, ...]) -> None:
    """Softmax gives the known probabilities, for logits of any size, without a floating-point warning."""
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_allclose(softmax(_logits(*logits)), expected, rtol=1e-6, atol=1e-12)


def test_softmax_goes_along_the_last_axis() -> None:
    """Each picture of a batch has probabilities of its own."""
    batch = softmax(np.array([[0, 0], [0, np.log(3)]], np.float32))
    np.testing.assert_allclose(batch, [[0.5, 0.5], [0.25, 0.75]], rtol=1e-6)


@pytest.mark.parametrize(("logit", "expected"), SIGMOID)
def test_sigmoid(logit: float, expected: float) -> None:
    """Sigmoid gives the known probability, for logits of any size, without a floating-point warning."""
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_allclose(sigmoid(_logits(logit)), [expected], rtol=1e-6, atol=1e-12)


def test_multi_class_names_the_most_probable() -> None:
    """The label of the largest logit, its probability, all probabilities in label order, and nothing selected."""
    found = classify(_logits(math.log(1), math.log(5), math.log(2)), labels=LABELS, threshold=None)
    assert found.label == "dent"
    assert found.score == pytest.approx(0.625)
    assert found.labels == LABELS
    assert found.probs == pytest.approx((0.125, 0.625, 0.25))
    assert found.selected is None


def test_the_first_of_equals_wins() -> None:
    """A tie goes to the label that comes first, so that the answer does not depend on the machine."""
    assert classify(_logits(1, 2, 2), labels=LABELS, threshold=None).label == "dent"


def test_multi_label_selects_in_label_order() -> None:
    """Every label above the threshold is selected; label and score still name the most probable."""
    found = classify(_logits(math.log(3), -5, 4), labels=LABELS, threshold=0.5)
    assert found.selected == ("crack", "fine")
    assert found.label == "fine"
    assert found.probs == pytest.approx((0.75, 1 / (1 + E**5), 1 / (1 + E**-4)))


@pytest.mark.parametrize(
    ("threshold", "selected"),
    [(0.5, ("dent",)), (0.49, ("crack", "dent")), (0.0, ("crack", "dent")), (1.0, ()), (0.999, ("dent",))],
)
def test_the_threshold_is_strict(threshold: float, selected: tuple[str, ...]) -> None:
    """A probability equal to the threshold is not above it: 0.5 at 0.5, 0 at 0 and 1 at 1 are left out."""
    assert classify(_logits(0, 1000, -1000), labels=LABELS, threshold=threshold).selected == selected


def test_nothing_selected_is_an_empty_answer() -> None:
    """A picture of which no label holds is answered with no selection, not with None."""
    assert classify(_logits(-9, -9, -9), labels=LABELS, threshold=0.5).selected == ()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("threshold", [None, 0.5])
def test_numbers_that_are_not_finite_are_an_error(bad: float, threshold: float | None) -> None:
    """A model that answers NaN or infinity has failed; no label is made of it."""
    with pytest.raises(InferenceError, match="not finite"):
        classify(_logits(1, bad, 0), labels=LABELS, threshold=threshold)


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=30))
def test_probabilities_sum_to_one(values: list[float]) -> None:
    """Whatever the logits, softmax lies in 0..1, sums to 1 and keeps the order."""
    logits = _logits(*values)
    probabilities = softmax(logits)
    assert probabilities.min() >= 0
    assert probabilities.sum() == pytest.approx(1.0)
    assert probabilities[logits.argmax()] == probabilities.max()
