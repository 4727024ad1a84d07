"""Splits: stratified, seeded, without overlap."""

from collections import Counter

import numpy as np
import pytest

from training.dataset.split import hold_out, k_fold, k_fold_whole
from training.errors import DataError

LABELS = ["a"] * 23 + ["b"] * 10 + ["c"] * 7


def test_every_record_is_held_out_once() -> None:
    """Over all folds each record is held out exactly once and is never trained on in that fold."""
    splits = k_fold(LABELS, 5, seed=1)
    assert sorted(np.concatenate([split.held_out for split in splits])) == list(range(len(LABELS)))
    for split in splits:
        assert not set(split.training) & set(split.held_out)
        assert len(split.training) + len(split.held_out) == len(LABELS)


def test_folds_are_stratified() -> None:
    """No class has two more records in one fold than in another, and the folds are of equal size."""
    splits = k_fold(LABELS, 5, seed=1)
    counts = [Counter(LABELS[i] for i in split.held_out) for split in splits]
    for label in "abc":
        held = [count[label] for count in counts]
        assert max(held) - min(held) <= 1
    assert {len(split.held_out) for split in splits} == {8}


def test_same_seed_same_split() -> None:
    """The seed alone decides."""
    first, again, other = (k_fold(LABELS, 3, seed)[0].held_out.tolist() for seed in (4, 4, 5))
    assert first == again != other


@pytest.mark.parametrize(("share", "expected"), [(0.2, {"a": 5, "b": 2, "c": 1}), (0.01, {"a": 1, "b": 1, "c": 1})])
def test_hold_out_takes_a_share_of_each_class(share: float, expected: dict[str, int]) -> None:
    """Each class gives its share, and at least one record."""
    split = hold_out(LABELS, share, seed=0)
    assert Counter(LABELS[i] for i in split.held_out) == expected
    assert not set(split.training) & set(split.held_out)


def test_too_few_records_are_named() -> None:
    """A class that cannot be split is named with its size."""
    with pytest.raises(DataError, match="'c' has 7 picture"):
        k_fold(LABELS, 8, seed=0)
    with pytest.raises(DataError, match="'x' has 1 picture"):
        hold_out(["x", "y", "y"], 0.2, seed=0)
    with pytest.raises(DataError, match="at least 2 folds"):
        k_fold(LABELS, 1, seed=0)


CONTENTS = [str(position) for position in range(len(LABELS))]


def single(labels: list[str]) -> list[tuple[str]]:
    return [(label,) for label in labels]


def test_without_copies_whole_folds_are_plain_ones() -> None:
    """The figures of earlier cross-validations stay what they were."""
    whole = k_fold_whole(single(LABELS), CONTENTS, 5, seed=1)
    for mine, plain in zip(whole, k_fold(LABELS, 5, seed=1), strict=True):
        assert mine.held_out.tolist() == plain.held_out.tolist()
        assert mine.training.tolist() == plain.training.tolist()


def test_copies_are_held_out_together() -> None:
    """Also where somebody has labelled them differently."""
    contents = [str(position // 3) for position in range(len(LABELS))]
    splits = k_fold_whole(single(LABELS), contents, 2, seed=0)
    assert sorted(np.concatenate([split.held_out for split in splits])) == list(range(len(LABELS)))
    for split in splits:
        assert not {contents[i] for i in split.training} & {contents[i] for i in split.held_out}


def test_pictures_of_several_classes_are_dealt_by_their_rarest() -> None:
    """So a rare class is in every fold, whatever else its pictures show."""
    labels = [("common",)] * 20 + [("common", "rare")] * 4 + [()] * 3
    splits = k_fold_whole(labels, [str(number) for number in range(27)], 4, seed=0)
    assert [sum("rare" in labels[i] for i in split.held_out) for split in splits] == [1, 1, 1, 1]
    assert {len(split.held_out) for split in splits} <= {6, 7}


def test_copies_do_not_count_as_pictures() -> None:
    """A class needs different pictures; where pictures have several classes, two of each."""
    with pytest.raises(DataError, match=r"'b' has 1 different picture\(s\), too few for 2 folds"):
        k_fold_whole(single(["a", "a", "b", "b"]), ["1", "2", "3", "3"], 2, seed=0)
    with pytest.raises(DataError, match=r"'b' has 1 different picture\(s\), too few to hold some out"):
        k_fold_whole([("a", "b"), ("a",), ("a",)], ["1", "2", "3"], 3, seed=0)
    with pytest.raises(DataError, match=r"3 different picture\(s\), too few for 4 folds"):
        k_fold_whole([("a", "b"), ("a", "b"), ("a",)], ["1", "2", "3"], 4, seed=0)
    with pytest.raises(DataError, match="at least 2 folds"):
        k_fold_whole(single(LABELS), CONTENTS, 1, seed=0)
