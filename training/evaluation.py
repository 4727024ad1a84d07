"""How a classifier did: accuracy, mistakes by class, confusion table; pure counting on label indices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts [classes, classes], rows: the true class, columns: the answer; both in the order of `labels`."""

    labels: tuple[str, ...]
    counts: NDArray[np.int64]

    @property
    def total(self) -> int:
        """How many pictures were judged."""
        return int(self.counts.sum())

    @property
    def mistakes(self) -> int:
        """How many answers were wrong."""
        return self.total - int(np.trace(self.counts))

    @property
    def accuracy(self) -> float:
        """Share of right answers, 0..1; 0 where nothing was judged."""
        return 1 - self.mistakes / self.total if self.total else 0.0

    def mistakes_by_class(self) -> dict[str, int]:
        """Return for each true class how many of its pictures got another answer."""
        wrong = self.counts.sum(axis=1) - np.diag(self.counts)
        return {label: int(count) for label, count in zip(self.labels, wrong, strict=True)}

    def as_json(self) -> dict[str, Any]:
        """Return the figures for a program or a manifest."""
        return {
            "pictures": self.total,
            "accuracy": round(self.accuracy, 6),
            "mistakes": self.mistakes,
            "mistakes_by_class": self.mistakes_by_class(),
            "labels": list(self.labels),
            "confusion": self.counts.tolist(),
        }


def confusion(labels: Sequence[str], true: Sequence[int], answered: Sequence[int]) -> Confusion:
    """Count answers; `true` and `answered` hold label indices and run parallel."""
    counts = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(counts, (np.asarray(true, np.int64), np.asarray(answered, np.int64)), 1)
    return Confusion(tuple(labels), counts)
