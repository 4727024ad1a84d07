"""Labels that look wrong: found where they were made wrong, seldom elsewhere, and not at all where nothing is known."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from training.dataset.drawn import defects, draw
from training.dataset.sight import features_of
from training.dataset.suspects import Suspects, suspects

LABELS = [label for label in defects() for _ in range(40)]


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    """Of forty pictures of each class."""
    return np.stack([features_of(draw(label, number, 0, 64)) for label in defects() for number in range(40)])


def test_wrong_labels_are_found(features: np.ndarray) -> None:
    """Twelve of 240 were made wrong: most are found, with their right class, and few others; the same each time."""
    labels, classes = list(LABELS), list(defects())
    wrong = set(range(5, 240, 20))
    for position in wrong:
        labels[position] = classes[(classes.index(labels[position]) + 1 + position % 5) % 6]
    found = suspects(features, labels)
    hit = [suspect for suspect in found.found if suspect.position in wrong]
    assert len(hit) >= 10
    assert len(found.found) <= 20
    assert sum(suspect.label == LABELS[suspect.position] for suspect in hit) >= len(hit) - 1
    assert suspects(features, labels) == found


def test_right_labels_are_left_alone(features: np.ndarray) -> None:
    """One in forty at most."""
    assert len(suspects(features, LABELS).found) <= 6


def test_labels_without_sense_are_not_judged(features: np.ndarray) -> None:
    """Where the classifier tells nothing apart it would suspect everything."""
    mixed = np.random.default_rng(0).permutation(LABELS).tolist()
    found = suspects(features, mixed)
    assert not found.found
    assert "too seldom" in found.silent


@pytest.mark.parametrize("labels", [LABELS[:50], ["a"] * 100, [str(n // 5) for n in range(100)], []])
def test_too_little_to_judge_by(features: np.ndarray, labels: list[str]) -> None:
    """Few pictures, one class, or none with enough."""
    found = suspects(features[: len(labels)], labels)
    assert found == Suspects(silent=found.silent)
    assert "fewer than 60" in found.silent
