"""How far probabilities can be believed, and one number, the temperature, that makes them more so.

Logits divided by a temperature keep their order, so a multi-class answer stays; above 1 the answers become less sure.
C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger: On Calibration of Modern Neural Networks, ICML 2017.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from edge.postprocess.classification import sigmoid, softmax
from training.answers import Answers, two_halves
from training.intervals import share_interval
from training.metrics import binary_log_loss, log_loss

BINS = 15
"""So many bins of equal width, as the paper has them."""
LOWEST, HIGHEST = 0.05, 20.0
"""Temperatures are looked for between these."""
AT_THE_END = 1.01
"""So near to an end of the range the best temperature lies beyond it: the data does not tell it."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers whose confidence lies in ``low``..``high``: how many, their mean confidence, the share that is right.

    ``least``..``most`` is where the true share lies with 95 % confidence.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far probabilities can be believed.

    ``expected_error`` is the ECE, the mean difference between confidence and accuracy, 0..1; ``brier`` the mean squared
    error of the probabilities (multi-class: summed over the classes, 0..2; multi-label: averaged, 0..1).
    """

    expected_error: float
    brier: float
    log_loss: float
    bins: tuple[Bin, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON; bins without an answer are left out."""
        bins = [asdict(one) for one in self.bins]
        return {"ece": self.expected_error, "brier": self.brier, "log_loss": self.log_loss, "bins": bins}


@dataclass(frozen=True, slots=True)
class Calibration:
    """What calibrating would bring: ``after`` is measured on answers that did not take part in the choice.

    ``temperature`` None: the data does not determine one, and ``why`` tells the reason.
    """

    before: Reliability
    temperature: float | None
    after: Reliability | None
    why: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        after = self.after.as_json() if self.after else None
        return {"before": self.before.as_json(), "temperature": self.temperature, "after": after, "why": self.why}


def calibrate(answers: Answers) -> Calibration:
    """Return the reliability of answers as they are, and cross-fitted in two halves, each by the other's temperature.

    The temperature returned is that of all answers.
    """
    before = reliability(answers)
    temperature, why = best_temperature(answers)
    halves = two_halves(answers)
    found = [best_temperature(answers.subset(half))[0] for half in halves] if temperature else []
    if temperature is None or None in found:
        return Calibration(before, None, None, why or "one half of the pictures alone does not determine a temperature")
    by_row = np.ones(len(answers.records))
    for half, other in zip(halves, reversed(found), strict=True):
        by_row[half] = other
    return Calibration(before, temperature, reliability(tempered(answers, by_row[:, np.newaxis])))


def best_temperature(answers: Answers) -> tuple[float | None, str]:
    """Return the temperature of the least log-loss; None, and why, where the data does not determine one.

    Without a mistake the log-loss falls for ever as the temperature does: any confidence would be justified.
    """
    unlimited = "the answers hold no mistake that would limit the confidence; judge with more or harder pictures"
    if not _contradicted(answers):
        return None, unlimited
    loss = _loss(answers)
    found = minimize_scalar(
        lambda power: loss(math.exp(power)), bounds=(math.log(LOWEST), math.log(HIGHEST)), method="bounded"
    )
    temperature = math.exp(float(found.x))
    if temperature < LOWEST * AT_THE_END:
        return None, unlimited
    if temperature > HIGHEST / AT_THE_END:
        return None, "the answers are no better than chance"
    return temperature, ""


def tempered(answers: Answers, temperature: "float | NDArray[np.float64]") -> Answers:
    """Return what the answers would be had their logits been divided by the temperature, or each row by its own.

    What is selected stays: the most probable class does, and the threshold of a multi-label model is moved along.
    """
    logits = answers.logits.astype(np.float64) / temperature
    probs = sigmoid(logits) if answers.multilabel else softmax(logits)  # type: ignore[arg-type]  # they take float64, too
    return replace(answers, probs=probs, logits=logits.astype(np.float32))


def moved_threshold(threshold: float, temperature: float) -> float:
    """Return the threshold of a multi-label model that selects after division what ``threshold`` does before."""
    if threshold in (0.0, 1.0) or temperature == 1:
        return threshold
    return 1 / (1 + math.exp(-math.log(threshold / (1 - threshold)) / temperature))


def reliability(answers: Answers) -> Reliability:
    """Return how far the probabilities of answers can be believed.

    Multi-class: the confidence is that of the answer. Multi-label: every class of every picture counts, with the
    probability that it is shown against whether it is.
    """
    if answers.multilabel:
        confidence, right = answers.probs.ravel(), answers.true.ravel()
        brier, loss = ((answers.probs - answers.true) ** 2).mean(), binary_log_loss(answers.true, answers.probs)
    else:
        confidence, right = answers.probs.max(axis=1), answers.right
        brier = ((answers.probs - answers.true) ** 2).sum(axis=1).mean()
        loss = log_loss(answers.true_indices, answers.probs)
    bins = _bins(confidence, right)
    error = sum(one.count * abs(one.confidence - one.accuracy) for one in bins) / len(confidence)
    return Reliability(float(error), float(brier), loss, tuple(bins))


def _bins(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Sequence[Bin]:
    places = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    return [_bin(int(place), confidence[places == place], right[places == place]) for place in np.unique(places)]


def _bin(place: int, confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Bin:
    count, hits = len(right), int(right.sum())
    least, most = share_interval(hits, count)
    return Bin(place / BINS, (place + 1) / BINS, count, float(confidence.mean()), hits / count, least, most)


def _contradicted(answers: Answers) -> bool:
    """Tell whether some logit is on the wrong side; else the log-loss falls for ever."""
    if answers.multilabel:
        return bool((answers.true != (answers.logits > 0)).any())
    return bool((answers.logits.max(axis=1) > np.where(answers.true, answers.logits, -np.inf).max(axis=1)).any())


def _loss(answers: Answers) -> Callable[[float], float]:
    logits = answers.logits.astype(np.float64)
    if answers.multilabel:
        signed = np.where(answers.true, logits, -logits)
        return lambda temperature: float(np.logaddexp(0, -signed / temperature).mean())
    own = logits[np.arange(len(logits)), answers.true_indices]

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        most = scaled.max(axis=1)
        return float((most + np.log(np.exp(scaled - most[:, np.newaxis]).sum(axis=1)) - own / temperature).mean())

    return loss
