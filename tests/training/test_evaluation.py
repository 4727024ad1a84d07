"""Counting answers: accuracy, mistakes by class, confusion."""

import pytest

from training.evaluation import confusion


def test_counts() -> None:
    """Rows are true classes, columns answers; mistakes are what lies off the diagonal."""
    judged = confusion(["a", "b", "c"], true=[0, 0, 1, 1, 2], answered=[0, 1, 1, 1, 0])
    assert judged.counts.tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert judged.accuracy == pytest.approx(0.6)
    assert judged.mistakes_by_class() == {"a": 1, "b": 0, "c": 1}


def test_json_is_plain() -> None:
    """The figures go into a manifest as they are."""
    figures = confusion(["a", "b"], [0, 1], [0, 0]).as_json()
    assert figures == {
        "pictures": 2,
        "accuracy": 0.5,
        "mistakes": 1,
        "mistakes_by_class": {"a": 0, "b": 1},
        "labels": ["a", "b"],
        "confusion": [[1, 0], [1, 0]],
    }


def test_nothing_judged_is_no_success() -> None:
    """Without pictures the accuracy is zero, not one."""
    assert confusion(["a"], [], []).accuracy == 0
