"""Stratified splits: each class is spread evenly, no record is on both sides, the same seed gives the same split."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.errors import DataError

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Split:
    """Positions of the records to train on and of those held out; both ascending and without overlap."""

    training: Indices
    held_out: Indices


def k_fold(labels: Sequence[str], folds: int, seed: int) -> list[Split]:
    """Split into `folds` parts; each record is held out exactly once.

    Raises:
        DataError: fewer than 2 folds, or a class with fewer records than folds.
    """
    for name, count in sorted(Counter(labels).items()):
        _require(name, count, folds, f"for {folds} folds")
    fold_of = _deal(labels, _enough(folds), seed)
    return [_split_where(fold_of == fold) for fold in range(folds)]


def k_fold_whole(labels: Sequence[Sequence[str]], contents: Sequence[str], folds: int, seed: int) -> list[Split]:
    """Split into `folds` parts that never part pictures of one content; each record is held out exactly once.

    Each content is dealt with those of its rarest class. Without copies, and with one label each, it is `k_fold`.

    Raises:
        DataError: fewer than 2 folds; fewer contents than folds, in all or, where each picture has one label, of a
            class; a class with one content.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for position, content in enumerate(contents):
        groups[content].append(position)
    if len(groups) < _enough(folds):
        raise DataError(f"there are {len(groups)} different picture(s), too few for {folds} folds; add pictures")
    shown = [sorted({label for position in group for label in labels[position]}) for group in groups.values()]
    frequency = Counter(label for some in shown for label in some)
    several = any(len(some) != 1 for some in labels)
    for name, count in sorted(frequency.items()):
        if count < (2 if several else folds):
            need = "to hold some out" if several else f"for {folds} folds"
            raise DataError(f"class {name!r} has {count} different picture(s), too few {need}; add pictures to it")
    rarest = [min(some, key=lambda label: (frequency[label], label), default="") for some in shown]
    fold_of = np.zeros(len(contents), dtype=np.int64)
    for group, fold in zip(groups.values(), _deal(rarest, folds, seed), strict=True):
        fold_of[group] = fold
    return [_split_where(fold_of == fold) for fold in range(folds)]


def hold_out(labels: Sequence[str], share: float, seed: int) -> Split:
    """Hold out `share` (0..1, exclusive) of each class, at least one record and never all of a class.

    Raises:
        DataError: a class with fewer than 2 records.
    """
    mask = np.zeros(len(labels), dtype=bool)
    for name, members in _shuffled_classes(labels, seed):
        _require(name, len(members), 2, "to hold some out")
        count = min(max(1, round(share * len(members))), len(members) - 1)
        mask[members[:count]] = True
    return _split_where(mask)


def _deal(labels: Sequence[str], folds: int, seed: int) -> Indices:
    """Return the fold of every record: dealt like cards, class by class in one running deal, so sizes stay even."""
    fold_of = np.zeros(len(labels), dtype=np.int64)
    dealt = 0
    for _, members in _shuffled_classes(labels, seed):
        fold_of[members] = (dealt + np.arange(len(members))) % folds
        dealt += len(members)
    return fold_of


def _shuffled_classes(labels: Sequence[str], seed: int) -> list[tuple[str, Indices]]:
    rng = np.random.default_rng(seed)
    names = np.asarray(labels)
    return [(str(name), rng.permutation(np.flatnonzero(names == name))) for name in sorted(set(labels))]


def _require(name: str, count: int, least: int, purpose: str) -> None:
    if count < least:
        raise DataError(f"class {name!r} has {count} picture(s), too few {purpose}; add pictures to it")


def _enough(folds: int) -> int:
    if folds < 2:
        raise DataError(f"cross-validation needs at least 2 folds, not {folds}")
    return folds


def _split_where(held_out: NDArray[np.bool_]) -> Split:
    return Split(training=np.flatnonzero(~held_out), held_out=np.flatnonzero(held_out))
