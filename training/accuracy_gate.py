"""Whether a changed graph is still as right as the one before: the same pictures answered by both. Pure."""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.answers import Answers
from training.image_models import METRICS
from training.intervals import NORMAL

ROUNDING = 1e-9
RULE_OF_THREE = 3.0
"""What none of n pictures shows happens in 3 of n at most, with 95 % confidence (Hanley, Lippman-Hand, JAMA 1983)."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How right two graphs are on the same pictures, by AutoML's primary metric (``accuracy``, or ``iou``), 0..1.

    ``low`` and ``high`` hold the difference, after less before, with 95 % confidence: both answered the same pictures,
    so that what counts is how each picture's own score changed. ``became_wrong`` and ``became_right`` count answers.
    """

    metric: str
    pictures: int
    before: float
    after: float
    low: float
    high: float
    became_wrong: int
    became_right: int

    @property
    def loss(self) -> float:
        """How much worse it became; below zero where it became better."""
        return self.before - self.after

    def passes(self, allowed: float) -> bool:
        """Tell whether no more is lost than allowed."""
        return self.loss <= allowed + ROUNDING

    def as_json(self) -> dict[str, Any]:
        """Return the figures for a manifest."""
        return {
            "metric": self.metric,
            "pictures": self.pictures,
            "before": round(self.before, 6),
            "after": round(self.after, 6),
            "difference_95": [round(self.low, 6), round(self.high, 6)],
            "became_wrong": self.became_wrong,
            "became_right": self.became_right,
        }

    def line(self) -> str:
        """Return it as a line for a person."""
        change = f"{self.after - self.before:+.4f}, with 95 % confidence {self.low:+.4f} to {self.high:+.4f}"
        turned = f"{self.became_wrong} became wrong, {self.became_right} right"
        figures = f"{self.metric} {self.before:.4f} before, {self.after:.4f} after ({change})"
        return f"{figures} on {self.pictures} pictures: {turned}"


def compare(before: Answers, after: Answers) -> Comparison:
    """Compare two graphs' answers to the same pictures, of which there is at least one."""
    scores = scores_of(before), scores_of(after)
    difference = scores[1] - scores[0]
    mean, pictures = float(difference.mean()), len(difference)
    spread = float(difference.std(ddof=1)) if pictures > 1 else 1.0
    reach = max(NORMAL * spread / sqrt(pictures), RULE_OF_THREE / pictures)
    return Comparison(
        metric=METRICS[before.task],
        pictures=pictures,
        before=float(scores[0].mean()),
        after=float(scores[1].mean()),
        low=max(-1.0, mean - reach),
        high=min(1.0, mean + reach),
        became_wrong=int((before.right & ~after.right).sum()),
        became_right=int((~before.right & after.right).sum()),
    )


def scores_of(answers: Answers) -> NDArray[np.float64]:
    """Return each picture's share of the primary metric, 0..1: right or wrong; multi-label: overlap of the labels."""
    if not answers.multilabel:
        return answers.right.astype(np.float64)
    union = (answers.true | answers.selected).sum(axis=1)
    common = (answers.true & answers.selected).sum(axis=1)
    return np.asarray(np.where(union > 0, common / np.maximum(union, 1), 1.0), np.float64)


def guessed(answers: Answers) -> float:
    """Return the score below which a graph answers no better than one that guesses: one class in so many."""
    return 0.0 if answers.multilabel else 1 / len(answers.labels)


def fewest_for(allowed: float) -> int:
    """Return how many pictures it takes for one wrong answer not to be more than is allowed."""
    return int(np.ceil(1 / allowed - ROUNDING)) if allowed > 0 else 1
