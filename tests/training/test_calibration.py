"""How far probabilities can be believed, and the temperature that mends them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

from tests.training.answered import answers_of, multilabel_answers
from training.calibration import (
    best_temperature,
    calibrate,
    moved_threshold,
    reliability,
    tempered,
)


def overconfident(pictures: int = 400, factor: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Return logits that are ``factor`` times too large for how often they are right, and what is shown."""
    drawn = np.random.default_rng(1)
    honest = drawn.normal(0, 2, (pictures, 3))
    probs = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    true = np.array([drawn.choice(3, p=row) for row in probs])
    return honest * factor, true


def test_reliability_by_hand() -> None:
    """Two answers with 0.9, one of them right, and one right one with 0.6: off by 0.4 twice, and by 0.4."""
    logits = [[math.log(0.9), math.log(0.1)], [math.log(0.1), math.log(0.9)], [math.log(0.6), math.log(0.4)]]
    found = reliability(answers_of(logits, [0, 0, 0]))
    assert found.expected_error == pytest.approx((2 * abs(0.9 - 0.5) + abs(0.6 - 1)) / 3)
    assert found.brier == pytest.approx((2 * 0.1**2 + 2 * 0.9**2 + 2 * 0.4**2) / 3)
    assert found.log_loss == pytest.approx(-(math.log(0.9) + math.log(0.1) + math.log(0.6)) / 3)
    assert [(one.count, one.accuracy) for one in found.bins] == [(1, 1), (2, 0.5)]


def test_the_temperature_is_found_again() -> None:
    """Logits that were made three times too large call for a temperature of three; held-out figures get better."""
    logits, true = overconfident()
    found = calibrate(answers_of(logits, true.tolist()))
    assert found.temperature == pytest.approx(3, rel=0.15)
    assert found.after is not None
    assert found.after.log_loss < found.before.log_loss
    assert found.after.expected_error < found.before.expected_error / 2


def test_multilabel_too() -> None:
    """Each class of each picture counts as an answer."""
    drawn = np.random.default_rng(2)
    honest = drawn.normal(0, 2, (300, 2))
    true = drawn.random((300, 2)) < 1 / (1 + np.exp(-honest))
    assert best_temperature(multilabel_answers(honest * 2, true))[0] == pytest.approx(2, rel=0.2)


def test_without_a_mistake_there_is_no_temperature() -> None:
    """Then any confidence would do, and it is said so; with no more than chance, none would."""
    found = calibrate(answers_of([[2.0, 0.0], [0.0, 2.0]] * 5, [0, 1] * 5))
    assert found.temperature is None
    assert found.after is None
    assert "no mistake" in found.why
    assert "chance" in best_temperature(answers_of([[2.0, 0.0], [0.0, 2.0]] * 5, [1, 0] * 5))[1]


@settings(deadline=None, max_examples=50)
@given(st.floats(0.05, 20), st.lists(st.lists(st.floats(-30, 30, width=32), min_size=3, max_size=3), min_size=1))
def test_a_temperature_keeps_the_answers(temperature: float, logits: list[list[float]]) -> None:
    """Division keeps the order of classes, so the most probable one stays, but for ties."""
    before = answers_of(logits, [0] * len(logits))
    after = tempered(before, temperature)
    best = np.take_along_axis(after.probs, before.probs.argmax(axis=1)[:, np.newaxis], axis=1)[:, 0]
    assert (best == after.probs.max(axis=1)).all()


def test_moved_threshold_selects_the_same() -> None:
    """A logit above the old threshold is above the new one after division, and only such a one."""
    logits = np.linspace(-6, 6, 101)
    before = 1 / (1 + np.exp(-logits)) > 0.7
    assert (1 / (1 + np.exp(-logits / 2.5)) > moved_threshold(0.7, 2.5)).tolist() == before.tolist()
    assert [moved_threshold(end, 2.5) for end in (0.0, 0.5, 1.0)] == [0.0, 0.5, 1.0]
