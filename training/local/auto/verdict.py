"""Who is best, and how sure that is. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.intervals import paired_chance
from training.local.auto.search import Trial

CHANCE = 0.05
"""Below this probability of it by chance alone, a difference is called one."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Two networks on the same pictures: how many only the first, and only the second, answered rightly.

    ``chance`` is how probable so uneven a count is if neither is better: McNemar's exact test.
    """

    only_first: int
    only_second: int
    chance: float

    @property
    def sure(self) -> bool:
        """Tell whether chance alone hardly makes such a difference."""
        return self.chance < CHANCE


def difference(first: Sequence[bool], second: Sequence[bool]) -> Difference:
    """Compare two networks by which pictures each answered rightly, in the same order."""
    only_first = sum(a and not b for a, b in zip(first, second, strict=True))
    only_second = sum(b and not a for a, b in zip(first, second, strict=True))
    return Difference(only_first, only_second, paired_chance(only_first, only_second))


def ranked(trials: Sequence[Trial], metric: str) -> list[Trial]:
    """Return the trials with at least one epoch, best first: by the metric, then by log-loss, then the earlier one."""
    done = [trial for trial in trials if metric in trial.validation]
    return sorted(done, key=lambda trial: (-trial.validation[metric], _log_loss(trial), trial.number))


def _log_loss(trial: Trial) -> float:
    return trial.validation.get("log_loss", float("inf"))
