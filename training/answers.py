"""What a bundle answered to labelled pictures: the one form that every figure of an evaluation is made from. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.bundle import MULTILABEL, Task
from training.dataset.records import Record
from training.evaluation import Confusion, confusion

SEED = 0


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A picture that was not judged, and why."""

    record: Record
    reason: str


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers to ``records``, row by row, in columns of ``labels``.

    ``true`` and ``selected`` are flags [N, C]: what a picture shows, and what the answer says; of a multi-class model
    one each. ``logits`` float32 [N, C] are the graph's own outputs, ``probs`` float64 [N, C] what the edge makes of
    them, 0..1. ``threshold`` is the bundle's, for a multi-label model.
    """

    task: Task
    labels: tuple[str, ...]
    records: tuple[Record, ...]
    true: NDArray[np.bool_]
    logits: NDArray[np.float32]
    probs: NDArray[np.float64]
    selected: NDArray[np.bool_]
    threshold: float = 0.5

    @property
    def multilabel(self) -> bool:
        """Whether a picture may show any number of classes."""
        return self.task == MULTILABEL

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each answer is right, of a multi-label model: in every class; [N]."""
        return np.asarray((self.true == self.selected).all(axis=1))

    @property
    def true_indices(self) -> NDArray[np.int64]:
        """Label indices [N] of what the pictures of a multi-class model show."""
        return np.asarray(self.true.argmax(axis=1), np.int64)

    @property
    def mistakes_by_class(self) -> dict[str, int]:
        """For each class, on how many pictures that show it the answer lacks it."""
        missed = (self.true & ~self.selected).sum(axis=0)
        return {label: int(count) for label, count in zip(self.labels, missed, strict=True)}

    def confusion(self) -> Confusion:
        """Return true classes against answers, of a multi-class model."""
        return confusion(self.labels, self.true_indices.tolist(), self.selected.argmax(axis=1).tolist())

    def subset(self, rows: NDArray[np.int64]) -> "Answers":
        """Return the answers in these rows."""
        records = tuple(self.records[int(row)] for row in rows)
        arrays = (self.true[rows], self.logits[rows], self.probs[rows], self.selected[rows])
        return Answers(self.task, self.labels, records, *arrays, threshold=self.threshold)


def flags_of(names: Sequence[Sequence[str]], labels: Sequence[str]) -> NDArray[np.bool_]:
    """Return flags [N, C] of class names, each of which is one of ``labels``."""
    index = {label: position for position, label in enumerate(labels)}
    flags = np.zeros((len(names), len(labels)), np.bool_)
    for row, some in enumerate(names):
        flags[row, [index[name] for name in some]] = True
    return flags


def two_halves(answers: Answers) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of two halves, each class in both as far as it goes, always the same ones."""
    shuffled = np.random.default_rng(SEED).permutation(len(answers.records))
    # a stable sort: within one set of labels the shuffled order stays
    order = shuffled[np.lexsort(answers.true[shuffled].T)]
    return np.sort(order[0::2]), np.sort(order[1::2])
