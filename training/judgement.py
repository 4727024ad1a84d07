"""All that an evaluation found, as one value and as JSON. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.answers import Answers, LeftOut
from training.calibration import Calibration, calibrate
from training.comparison import Contender, Latency, front
from training.intervals import share_interval
from training.metrics import (
    ClassFigures,
    Metrics,
    class_figures,
    multiclass_metrics,
    multilabel_metrics,
)
from training.thresholds import Choice

SCHEMA = "automl-edge/evaluation/1"
MOST_WRONG, MOST_UNCERTAIN = 24, 12
"""So many of the worst mistakes are shown, and of the right answers that were least sure."""
DIGITS = 9
"""Significant ones, of figures in JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """How it was judged: what, on what, with what, and when (RFC 3339 in UTC).

    ``trained_on_these``: the pictures are the very ones that the bundle's own fit was given.
    """

    bundle: str
    digest: str
    proven: bool
    provider: str
    machine: str
    versions: dict[str, str]
    data_sha256: str
    trained_on_these: bool
    judged_at: str

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class Shown:
    """One answer for a person: what the picture ``row`` shows, what was said of it, and how sure the model was, 0..1.

    ``own`` is the probability of what is true: of a multi-label model, of the class it is most wrong about.
    """

    row: int
    true: tuple[str, ...]
    answer: tuple[str, ...]
    score: float
    own: float
    right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All that an evaluation found; ``contenders`` are the bundle itself and those it was judged beside."""

    answers: Answers
    circumstances: Circumstances
    metrics: Metrics
    classes: Sequence[ClassFigures]
    calibration: Calibration
    choice: Choice
    left_out: Sequence[LeftOut]
    latency: Latency
    contenders: Sequence[Contender]

    @property
    def accuracy(self) -> float:
        """Share of right answers, 0..1."""
        return float(self.answers.right.mean())

    @property
    def mistakes(self) -> int:
        """How many answers are wrong."""
        return int((~self.answers.right).sum())

    @property
    def interval(self) -> tuple[float, float]:
        """Between what the true accuracy lies with 95 % confidence."""
        return share_interval(int(self.answers.right.sum()), len(self.answers.records))

    def as_json(self) -> dict[str, Any]:
        """Return it as docs/reference/evaluation.md has it."""
        answers = self.answers
        figures = {
            "schema": SCHEMA,
            "task": answers.task,
            "pictures": len(answers.records),
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.interval),
            "mistakes": self.mistakes,
            "mistakes_by_class": answers.mistakes_by_class,
            "labels": list(answers.labels),
            "confusion": confusion_json(answers),
            "metrics": dict(self.metrics),
            "classes": [_class_json(name, one) for name, one in zip(answers.labels, self.classes, strict=True)],
            "calibration": self.calibration.as_json(),
            "worst": [shown_json(answers, one) for one in worst(answers)],
            "left_out": [left_out_json(one) for one in self.left_out],
            "latency": self.latency.as_json(),
            "compared": [
                {**one.as_json(), "front": on_front}
                for one, on_front in zip(self.contenders, front(self.contenders), strict=True)
            ],
            "judged": self.circumstances.as_json(),
        }
        # a threshold is used as it is: one near 1, rounded, would accept nothing
        return {**_rounded(figures), "threshold": self.choice.as_json()}


def judge_answers(answers: Answers, **rest: Any) -> Judgement:
    """Return the judgement of answers, at least one; ``rest`` is what is not figured from them."""
    if answers.multilabel:
        metrics = multilabel_metrics(answers.true, answers.probs, answers.selected)
    else:
        metrics = multiclass_metrics(answers.true_indices, answers.probs)
    classes = class_figures(answers.true, answers.selected, answers.probs)
    return Judgement(answers=answers, metrics=metrics, classes=classes, calibration=calibrate(answers), **rest)


def worst(answers: Answers) -> list[Shown]:
    """Return the wrong answers, the most confident first, then the right ones that were least sure."""
    error = np.where(answers.true, 1 - answers.probs, answers.probs)
    if answers.multilabel:
        confidence = np.abs(answers.probs - answers.threshold).min(axis=1)
        badness = np.where(answers.true == answers.selected, -1.0, error).max(axis=1)
    else:
        confidence = badness = answers.probs.max(axis=1)
    rows = np.arange(len(answers.records))
    wrong = rows[~answers.right]
    right = rows[answers.right]
    chosen = [*wrong[np.argsort(-badness[wrong], kind="stable")][:MOST_WRONG]]
    chosen += [*right[np.argsort(confidence[right], kind="stable")][:MOST_UNCERTAIN]]
    return [_shown(answers, int(row), error) for row in chosen]


def _shown(answers: Answers, row: int, error: Any) -> Shown:
    true, answer = (_names(answers, flags[row]) for flags in (answers.true, answers.selected))
    own = float(1 - error[row].max()) if answers.multilabel else float(answers.probs[row][answers.true[row]].max())
    score = 1 - own if answers.multilabel and not answers.right[row] else float(answers.probs[row].max())
    return Shown(row, true, answer, score, own, bool(answers.right[row]))


def _names(answers: Answers, flags: Any) -> tuple[str, ...]:
    return tuple(label for label, there in zip(answers.labels, flags, strict=True) if there)


def confusion_json(answers: Answers) -> list[Any]:
    """Return true classes against answers; of a multi-label model, of each class: without and with, against with.

    That is ``[[rightly without, wrongly with], [missed, hit]]``.
    """
    if not answers.multilabel:
        return list(answers.confusion().counts.tolist())
    true, selected = answers.true, answers.selected
    parts = [(~true & ~selected, ~true & selected), (true & ~selected, true & selected)]
    counts = np.array([[part.sum(axis=0) for part in row] for row in parts])
    return list(counts.transpose(2, 0, 1).tolist())


def shown_json(answers: Answers, one: Shown) -> dict[str, Any]:
    """Return one of the worst answers as plain JSON."""
    return {
        "picture": str(answers.records[one.row].path),
        "true": list(one.true),
        "answer": list(one.answer),
        "score": one.score,
        "true_score": one.own,
        "right": one.right,
    }


def left_out_json(one: LeftOut) -> dict[str, Any]:
    """Return a picture that was not judged as plain JSON."""
    return {"picture": str(one.record.path), "labels": list(one.record.labels), "reason": one.reason}


def _class_json(name: str, one: ClassFigures) -> dict[str, Any]:
    return {
        "label": name,
        "pictures": one.pictures,
        "answered": one.answered,
        "precision": one.precision,
        "recall": one.recall,
        "f1_score": one.f1_score,
        "AUC": one.auc,
        "average_precision": one.average_precision,
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list) else value
