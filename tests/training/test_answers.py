"""What is told from answers."""

import numpy as np

from tests.training.answered import answers_of, multilabel_answers
from training.answers import flags_of, two_halves


def test_mistakes_by_class() -> None:
    """Of a multi-class model: pictures with another answer; of a multi-label one: pictures whose class is missed."""
    assert answers_of([[1, 0], [1, 0], [1, 0]], [0, 1, 1]).mistakes_by_class == {"a": 0, "b": 2}
    several = multilabel_answers([[1, -1], [1, 1]], [[1, 1], [0, 1]])
    assert several.mistakes_by_class == {"a": 0, "b": 1}
    assert several.right.tolist() == [False, False]


def test_flags_are_in_the_order_of_labels() -> None:
    """Any number of names a picture, none too."""
    assert flags_of([("b",), (), ("b", "a")], ["a", "b"]).tolist() == [[False, True], [False, False], [True, True]]


def test_halves_share_the_classes() -> None:
    """Each class is in both halves, no picture in two, and a second look gives the same ones."""
    answers = answers_of(np.zeros((9, 3)), [0] * 4 + [1] * 3 + [2] * 2)
    one, other = two_halves(answers)
    assert sorted([*one, *other]) == list(range(9))
    assert {0, 1, 2} == set(answers.true_indices[one]) == set(answers.true_indices[other])
    assert one.tolist() == two_halves(answers)[0].tolist()
