"""Which pictures are worth a person's look: confident mistakes, and answers that the model is not sure of. Pure.

Uncertainty is measured twice, as in Settles' survey of active learning (2009, section 3.1): by the margin between the
two likeliest classes, and by the entropy of all of them. Of the uncertain ones those are taken that differ from each
other: greedy k-centre, as core-set selection does it (Sener and Savarese 2018, arXiv:1708.00489), weighed by the doubt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.answers import Answers

Kind = Literal["mistake", "uncertain"]
By = Literal["uncertain", "confident-mistakes", "both"]
WAYS: tuple[By, ...] = ("uncertain", "confident-mistakes", "both")
CONSIDERED = 8
"""How many pictures are looked at closely for each that is wanted, at first."""
MOST_CONSIDERED = 128
"""How many at most: where a camera stood still, most pictures look like one that is taken already."""

Numbers = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Doubts:
    """How sure each answer is: ``margin`` and ``entropy`` [N], each 0..1.

    A margin of 0 is a tie, an entropy of 1 is no opinion at all.
    """

    margin: Numbers
    entropy: Numbers

    @property
    def degree(self) -> Numbers:
        """Return both in one number [N], 0..1: 0 is sure."""
        return np.asarray((1 - self.margin + self.entropy) / 2)


@dataclass(frozen=True, slots=True)
class Mined:
    """One picture to look at: its row among the answers, why, and how many others look the same."""

    row: int
    kind: Kind
    alike: int = 0


def doubts_of(answers: Answers) -> Doubts:
    """Return how sure the answers are.

    Multi-class: the likeliest class's probability less the second's, and the entropy as a share of the largest there
    is. Multi-label, where each class is a question of its own: the least sure class counts; its distance from the
    threshold as a share of the largest there is, and the largest entropy of yes or no.
    """
    if answers.multilabel:
        distance = abs(answers.probs - answers.threshold) / max(answers.threshold, 1 - answers.threshold)
        yes_or_no = np.stack([answers.probs, 1 - answers.probs], axis=2)
        return Doubts(distance.min(axis=1), _entropy(yes_or_no).max(axis=1))
    if answers.probs.shape[1] < 2:
        return Doubts(np.ones(len(answers.probs)), np.zeros(len(answers.probs)))
    second, first = np.sort(answers.probs, axis=1)[:, -2:].T
    return Doubts(first - second, _entropy(answers.probs))


def _entropy(probs: Numbers) -> Numbers:
    """Return the entropy along the last axis as a share of the largest there is, 0..1."""
    safe = np.clip(probs, np.finfo(np.float64).tiny, 1)
    return np.asarray(-(safe * np.log(safe)).sum(axis=-1) / np.log(probs.shape[-1]))


def confidence_of_mistakes(answers: Answers) -> Numbers:
    """Return how sure each wrong answer is of what is wrong in it [N], 0..1; 0 for a right one.

    Multi-class: the probability of the answer. Multi-label: that of the wrong yes or the wrong no it is surest of.
    """
    if not answers.multilabel:
        return np.where(answers.right, 0.0, answers.probs.max(axis=1))
    said = np.where(answers.selected, answers.probs, 1 - answers.probs)
    return np.asarray(np.where(answers.selected != answers.true, said, 0.0).max(axis=1))


def considered(answers: Answers, by: By, most: int) -> Rows:
    """Return the rows that may be chosen, ``most`` of each kind, so that only these need be looked at closely."""
    rows: list[Rows] = []
    if by != "uncertain":
        wrong = np.flatnonzero(~answers.right)
        rows.append(wrong[np.argsort(-confidence_of_mistakes(answers)[wrong], kind="stable")][:most])
    if by != "confident-mistakes":
        rows.append(np.argsort(-doubts_of(answers).degree, kind="stable")[:most])
    return np.unique(np.concatenate(rows)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Looks:
    """What the considered pictures look like, row by row of the answers.

    ``features`` are numbers of any scale [n] a picture. ``groups`` are rows of pictures that look the same.
    """

    features: Mapping[int, NDArray[Any]]
    groups: Sequence[Sequence[int]] = ()

    def group_of(self) -> dict[int, int]:
        """Return for each row of a group the group's number."""
        return {row: number for number, group in enumerate(self.groups) for row in group}


def mine(answers: Answers, looks: Looks, *, by: By, count: int) -> list[Mined]:
    """Return at most ``count`` of the pictures in ``looks``: confident mistakes first, the surest before, then others.

    Of pictures that look the same the first is taken.
    """
    groups = looks.group_of()
    chosen: list[Mined] = []
    if by != "uncertain":
        sure = confidence_of_mistakes(answers)
        wrong = sorted((row for row in looks.features if not answers.right[row]), key=lambda row: -sure[row])
        chosen = [Mined(row, "mistake") for row in _first_of_group(wrong, groups)[:count]]
    if by != "confident-mistakes":
        taken = [one.row for one in chosen]
        uncertain = _spread(answers, looks, taken, count - len(chosen))
        chosen += [Mined(row, "uncertain") for row in uncertain]
    sizes = {number: len(group) for number, group in enumerate(looks.groups)}
    return [Mined(one.row, one.kind, sizes[groups[one.row]] - 1 if one.row in groups else 0) for one in chosen]


def _first_of_group(rows: Sequence[int], groups: Mapping[int, int]) -> list[int]:
    """Return the rows without those that look the same as one before them."""
    seen: set[int] = set()
    kept = []
    for row in rows:
        group = groups.get(row, -1 - row)
        if group not in seen:
            kept.append(row)
        seen.add(group)
    return kept


def _spread(answers: Answers, looks: Looks, taken: Sequence[int], count: int) -> list[int]:
    """Return uncertain rows that differ from each other and from those ``taken``."""
    groups = looks.group_of()
    gone = {groups[row] for row in taken if row in groups}
    degree = doubts_of(answers).degree
    order = sorted(looks.features, key=lambda row: (-degree[row], row))
    rows = [row for row in _first_of_group(order, groups) if row not in taken and groups.get(row) not in gone]
    places = _places(answers, looks, [*rows, *taken])
    return [rows[number] for number in k_centre(places, degree[rows] ** 2, count)]


def k_centre(places: Numbers, weights: Numbers, count: int) -> list[int]:
    """Return at most ``count`` positions of ``weights`` [n], the heaviest first, then the one furthest from all before.

    ``places`` [n + m, d] are points, the last m of which are there already; a distance counts times its weight.
    """
    distances = np.ones(len(weights))
    for number, place in enumerate(places[len(weights) :]):
        away = np.linalg.norm(places[: len(weights)] - place, axis=1)
        distances = away if number == 0 else np.minimum(distances, away)
    begun, chosen = len(places) > len(weights), list[int]()
    open_ = np.ones(len(weights), np.bool_)
    while len(chosen) < min(count, len(weights)):
        best = int(np.argmax(np.where(open_, weights * distances, -1.0)))
        away = np.linalg.norm(places[: len(weights)] - places[best], axis=1)
        distances = np.minimum(distances, away) if begun or chosen else away
        open_[best] = False
        chosen.append(best)
    return chosen


def _places(answers: Answers, looks: Looks, rows: Sequence[int]) -> Numbers:
    """Return points [n, d] whose distances say how two pictures differ: by the answer, and as much by the look."""
    if not rows:
        return np.zeros((0, 1))
    features = np.stack([looks.features[row] for row in rows]).astype(np.float64)
    spread = features.std(axis=0)
    centred = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return np.concatenate([answers.probs[list(rows)], centred / np.sqrt(max(1, features.shape[1]))], axis=1)
