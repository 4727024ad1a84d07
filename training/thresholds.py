"""The threshold that costs least, where two kinds of error have their prices. Pure.

One rule throughout, the edge's own: what has a score strictly above the threshold is accepted. Three things are decided
so: whether a part passes (by the probability of the good class), whether an answer stands or a person looks (by its
own), and which labels a multi-label model gives (by each one's).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge.bundle import MULTILABEL, Task
from training.answers import Answers, two_halves
from training.errors import DataError, UsageError
from training.intervals import share_interval

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Kind = Literal["good", "look", "labels"]
ERRORS: Mapping[Kind, tuple[str, str]] = {
    "good": ("escapes", "false_rejects"),
    "look": ("wrong_answers", "looks"),
    "labels": ("false_alarms", "missed"),
}
"""What goes wrong by accepting, and what by not accepting."""
ESCAPE, REJECT = 10.0, 1.0
"""What an error by accepting and one by not accepting cost where nobody says: a wrong answer is worth ten looks."""
MOST_POINTS = 200
"""So many points of a curve are kept."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What one error costs that is made by accepting, and one by not accepting; at least 0, in any currency.

    None for both: a multi-label model's threshold is chosen by F1, and others by ten to one.
    """

    accepted: float | None = None
    refused: float | None = None

    def __post_init__(self) -> None:
        given = [price for price in (self.accepted, self.refused) if price is not None]
        if not all(0 <= price < float("inf") for price in given) or (given and not any(given)):
            raise UsageError("costs are numbers of at least 0, and one of the two is above 0")


@dataclass(frozen=True, slots=True)
class Scored:
    """What is decided: a score in 0..1 each, whether accepting it is an error, and whether not accepting it is; [n]."""

    scores: Floats
    wrong_accepted: Flags
    wrong_refused: Flags

    def at(self, threshold: float) -> tuple[int, int]:
        """Count the errors by accepting and by not accepting."""
        accepted = self.scores > threshold
        return int((self.wrong_accepted & accepted).sum()), int((self.wrong_refused & ~accepted).sum())

    def subset(self, rows: NDArray[np.int64]) -> "Scored":
        """Return what is in these rows."""
        return Scored(self.scores[rows], self.wrong_accepted[rows], self.wrong_refused[rows])


@dataclass(frozen=True, slots=True)
class Count:
    """``count`` errors of ``total`` that could have been; the true share lies in ``least``..``most`` (95 %)."""

    count: int
    total: int
    least: float
    most: float

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        share = self.count / self.total if self.total else None
        return {"count": self.count, "of": self.total, "share": share, "interval": [self.least, self.most]}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a decision does: its errors, and the cost of 1,000 parts, or F1 (micro) where nothing has a price."""

    by_accepting: Count
    by_refusing: Count
    value: float


@dataclass(frozen=True, slots=True)
class Choice:
    """The best threshold on these answers, and what it does beside what is done today.

    ``held_out`` is the value on each half of the pictures of the threshold that was chosen on the other: what to expect
    of pictures to come. ``curve`` holds thresholds and values, at most 200. ``good_share`` is the share of good parts
    that the costs are for.
    """

    kind: Kind
    prices: Prices
    threshold: float
    best: Outcome
    today: Outcome
    held_out: float
    curve: tuple[tuple[float, float], ...]
    good: str | None = None
    good_share: float | None = None

    @property
    def by_cost(self) -> bool:
        """Whether the value is a cost, the lower the better; else it is F1."""
        return self.prices.accepted is not None

    @property
    def is_better_held_out(self) -> bool:
        """Whether it does better than today on pictures that did not choose it."""
        return self.held_out < self.today.value if self.by_cost else self.held_out > self.today.value

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        measure = "cost_per_1000" if self.by_cost else "f1_score_micro"
        wrong, refused = ERRORS[self.kind]

        def told(outcome: Outcome) -> dict[str, Any]:
            errors = {wrong: outcome.by_accepting.as_json(), refused: outcome.by_refusing.as_json()}
            return {measure: outcome.value, **errors}

        return {
            "kind": self.kind,
            "good": self.good,
            "good_share": self.good_share,
            "costs": {wrong: self.prices.accepted, refused: self.prices.refused},
            "threshold": self.threshold,
            "best": told(self.best),
            "today": told(self.today),
            "held_out": {measure: self.held_out},
            "curve": [list(point) for point in self.curve],
        }


def choose_threshold(
    answers: Answers, prices: Prices, *, good: str | None = None, good_share: float | None = None
) -> Choice:
    """Return the best threshold: on p(good) where a class passes, else on what the task decides.

    ``good_share`` (0..1) is the share of good parts where the model will work; None: as in the answers.

    Raises:
        UsageError: there is no such class, or the model is for several labels, which has no good class.
        DataError: the pictures show only good parts, or none.
    """
    if not answers.multilabel and prices.accepted is None:
        prices = Prices(ESCAPE, REJECT)
    if good is not None:
        share = _share_of(answers, good, good_share)
        return _chosen(_good_case(answers, good, share), answers, prices, good=good, good_share=share)
    return _chosen(_labels_case(answers) if answers.multilabel else _look_case(answers), answers, prices)


@dataclass(frozen=True, slots=True)
class _Case:
    """What is decided, of how many errors of both sorts there could be, which are made today, what one weighs."""

    kind: Kind
    scored: Scored
    totals: tuple[int, int]
    today: tuple[int, int]
    weights: tuple[float, float]


def _good_case(answers: Answers, good: str, share: float) -> _Case:
    column = answers.labels.index(good)
    is_good, passed = answers.true[:, column], answers.selected[:, column]
    bad, fine = int((~is_good).sum()), int(is_good.sum())
    today = (int((passed & ~is_good).sum()), int((is_good & ~passed).sum()))
    scored = Scored(answers.probs[:, column], ~is_good, is_good)
    return _Case("good", scored, (bad, fine), today, ((1 - share) / bad, share / fine))


def _look_case(answers: Answers) -> _Case:
    wrong, pictures = ~answers.right, len(answers.records)
    scored = Scored(answers.probs.max(axis=1), wrong, np.ones_like(wrong))
    return _Case("look", scored, (pictures, pictures), (int(wrong.sum()), 0), (1 / pictures, 1 / pictures))


def _labels_case(answers: Answers) -> _Case:
    shown, pictures = answers.true.ravel(), len(answers.records)
    scored = Scored(answers.probs.ravel(), ~shown, shown)
    totals = (int((~shown).sum()), int(shown.sum()))
    return _Case("labels", scored, totals, scored.at(answers.threshold), (1 / pictures, 1 / pictures))


def check_good(good: str, task: Task, labels: Sequence[str]) -> None:
    """Make sure that a class can be the one that passes. Raises UsageError."""
    if task == MULTILABEL:
        raise UsageError(f"--good {good}: a multi-label model has no class that passes; leave --good out")
    if good not in labels:
        raise UsageError(f"--good {good}: the model has no such class; it has {', '.join(labels)}")


def check_both_sides(good: str, is_good: Sequence[bool]) -> None:
    """Make sure that there are good and bad parts. Raises DataError."""
    if all(is_good) or not any(is_good):
        raise DataError(f"--good {good}: needs pictures of this class and of another; the data has only one of them")


def _share_of(answers: Answers, good: str, share: float | None) -> float:
    """Return the share of good parts that costs are for, once the answers can tell of good and bad ones."""
    check_good(good, answers.task, answers.labels)
    is_good = answers.true[:, answers.labels.index(good)]
    check_both_sides(good, is_good.tolist())
    return float(is_good.mean()) if share is None else share


def _chosen(case: _Case, answers: Answers, prices: Prices, **rest: Any) -> Choice:
    value = _value_of(case, case.scored, prices)
    threshold, curve = best_threshold(case.scored, value, smaller_is_better=prices.accepted is not None)

    def outcome(errors: tuple[int, int]) -> Outcome:
        accepting, refusing = map(_count, errors, case.totals)
        return Outcome(accepting, refusing, float(value(*map(np.asarray, errors))))

    held_out = float(value(*map(np.asarray, _held_out_errors(case, answers, prices))))
    best, today = outcome(case.scored.at(threshold)), outcome(case.today)
    return Choice(case.kind, prices, threshold, best, today, held_out, curve, **rest)


def _count(count: int, total: int) -> Count:
    return Count(count, total, *share_interval(count, total))


def _held_out_errors(case: _Case, answers: Answers, prices: Prices) -> tuple[int, int]:
    """Count the errors on each half of the pictures at the threshold that is best on the other."""
    columns = len(case.scored.scores) // len(answers.records)
    halves = [(half[:, np.newaxis] * columns + np.arange(columns)).ravel() for half in two_halves(answers)]
    accepting = refusing = 0
    for fitted, judged in (halves, halves[::-1]):
        known = case.scored.subset(fitted)
        value = _value_of(case, known, prices)
        threshold, _ = best_threshold(known, value, smaller_is_better=prices.accepted is not None)
        errors = case.scored.subset(judged).at(threshold)
        accepting, refusing = accepting + errors[0], refusing + errors[1]
    return accepting, refusing


def _value_of(case: _Case, scored: Scored, prices: Prices) -> Callable[..., Any]:
    """Return what makes a value of the numbers of both errors among ``scored``."""
    if prices.accepted is not None and prices.refused is not None:
        accepted, refused = 1000 * case.weights[0] * prices.accepted, 1000 * case.weights[1] * prices.refused
        return lambda wrong, kept: accepted * wrong + refused * kept
    positives = int(scored.wrong_refused.sum())

    def f1(false: NDArray[np.int64], missed: NDArray[np.int64]) -> Any:
        hits = positives - missed
        return 2 * hits / np.maximum(2 * hits + false + missed, 1)

    return f1


def best_threshold(
    scored: Scored, value: Callable[..., Any], *, smaller_is_better: bool
) -> tuple[float, tuple[tuple[float, float], ...]]:
    """Return the threshold of the best value, and the curve.

    It lies in the middle of the widest gap between scores that has that value. Every threshold that decides differently
    is tried; ``value`` takes the numbers of both errors, arrays too.
    """
    order = np.argsort(scored.scores, kind="stable")
    ordered = np.concatenate([[0.0], scored.scores[order], [1.0]])
    refused = np.concatenate([[0], np.cumsum(scored.wrong_refused[order])])
    accepted = int(scored.wrong_accepted.sum()) - np.concatenate([[0], np.cumsum(scored.wrong_accepted[order])])
    gaps = np.diff(ordered)
    tried = np.flatnonzero(gaps > 0)
    if scored.scores.size and ordered[-2] == 1.0:
        tried = np.append(tried, len(gaps) - 1)  # nothing is above 1
    values = np.asarray(value(accepted[tried], refused[tried]), np.float64)
    middles = (ordered[tried] + ordered[tried + 1]) / 2
    thresholds = np.where(middles < ordered[tried + 1], middles, ordered[tried])
    most = values.min() if smaller_is_better else values.max()
    best = np.flatnonzero(np.isclose(values, most, rtol=1e-12, atol=1e-12))
    winner = best[np.argmax(gaps[tried][best])]
    shown = np.unique(np.linspace(0, len(tried) - 1, min(MOST_POINTS, len(tried))).round().astype(int))
    shown = np.unique(np.append(shown, winner))
    return float(thresholds[winner]), tuple((float(thresholds[n]), float(values[n])) for n in shown)
