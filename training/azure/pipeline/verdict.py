"""Whether a freshly trained model is better than the registered one. Pure.

Both are judged on the same test pictures, exactly as the edge runs them, in the same run: figures of other runs and of
other pictures are not compared.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from training.errors import DataError


@dataclass(frozen=True, slots=True)
class Judged:
    """A model's figures: ``accuracy`` (0..1) over ``pictures`` test pictures."""

    name: str
    version: str
    accuracy: float
    pictures: int

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the step ``evaluate`` hands to ``register``; ``incumbent`` is None where no version is registered yet."""

    candidate: Judged
    incumbent: Judged | None

    def as_json(self) -> str:
        """Return it as it is written down."""
        return json.dumps(asdict(self), indent=2) + "\n"


def parse_evaluation(text: str) -> Evaluation:
    """Return the evaluation in ``text``.

    Raises:
        DataError: it is none.
    """
    try:
        body: Mapping[str, Any] = json.loads(text)
        incumbent = body["incumbent"]
        return Evaluation(Judged(**body["candidate"]), None if incumbent is None else Judged(**incumbent))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"not an evaluation: {error}") from error


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to register, and why, in words for the job's log."""

    register: bool
    reason: str


def decide(evaluation: Evaluation, *, min_gain: float, min_accuracy: float) -> Verdict:
    """Return whether the candidate is registered.

    It must reach ``min_accuracy`` (0..1) and exceed the incumbent's accuracy by more than ``min_gain`` (0..1).
    """
    found, before = evaluation.candidate, evaluation.incumbent
    figures = f"the new model is right on {found.accuracy:.2%} of {found.pictures} test pictures"
    if found.accuracy < min_accuracy:
        return Verdict(False, f"{figures}; at least {min_accuracy:.2%} is asked for")
    if before is None:
        return Verdict(True, f"{figures}; no version is registered yet")
    compared = f"{figures}, {before} on {before.accuracy:.2%}"
    gain = found.accuracy - before.accuracy
    asked = f"more than {min_gain:.2%} is asked for"
    return Verdict(gain > min_gain, f"{compared}: a gain of {gain:+.2%}, {asked}")
