"""Which recipe the known answers fit, judged from numbers alone."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edge.artifacts.answers import Answer, Classes
from edge.artifacts.evidence import evenly
from edge.artifacts.fitting import Fit, Recipe, clearly_better, fit, judge, measure, recipes, undecided
from edge.bundle import Preprocessing
from edge.errors import ModelInvalidError

IMAGENET = Recipe("imagenet", "shorter-side", "rgb")
RAW = Recipe("0-255", "shorter-side", "rgb")
UNIT = Recipe("0-1", "shorter-side", "rgb")
BGR = Recipe("imagenet", "shorter-side", "bgr")
SQUARE = Recipe("imagenet", "square", "rgb")
RAW_BGR = Recipe("0-255", "shorter-side", "bgr")


def found(recipe: Recipe, hits: int, loss: float, *, of: int = 12, exact: bool = False, said: float = 0.9) -> Fit:
    return Fit(recipe, (np.array([said, 1 - said]),), tuple(index < hits for index in range(of)), loss, exact)


def test_all_twelve_recipes_are_tried() -> None:
    """Three ranges, two rules and two colour orders; a crop beyond the resize leaves the square rule out."""
    assert len(set(recipes(Preprocessing()))) == 12
    small = recipes(Preprocessing(resize=200, crop=224))
    assert len(set(small)) == 6
    assert {recipe.rule for recipe in small} == {"shorter-side"}


CLEAR: list[tuple[Fit, Fit, bool]] = [
    (found(IMAGENET, 12, 0.1), found(BGR, 10, 0.2), True),
    (found(IMAGENET, 12, 0.1), found(BGR, 11, 0.2), False),
    (found(IMAGENET, 95, 0.1, of=100), found(BGR, 86, 0.2, of=100), False),
    (found(IMAGENET, 95, 0.1, of=100), found(BGR, 85, 0.2, of=100), True),
    (found(IMAGENET, 12, 0.01), found(UNIT, 12, 0.9), True),
    (found(IMAGENET, 12, 0.3), found(UNIT, 12, 0.5), False),
    (found(IMAGENET, 11, 0.01), found(UNIT, 12, 0.9), False),
    (found(RAW, 12, 0.0), found(IMAGENET, 12, 0.9), False),
    (found(RAW, 12, 0.0), found(RAW_BGR, 12, 0.9), True),
    (found(RAW, 12, 0.0), found(IMAGENET, 2, 0.9), True),
    (found(IMAGENET, 12, 0.001, exact=True), found(BGR, 12, 0.02, exact=True), True),
    (found(IMAGENET, 12, 0.004, exact=True), found(BGR, 12, 0.02, exact=True), False),
    (found(IMAGENET, 12, 0.001, exact=True), found(BGR, 12, 0.012, exact=True), False),
]


@pytest.mark.parametrize(("one", "other", "clear"), CLEAR)
def test_only_a_clear_difference_counts(one: Fit, other: Fit, clear: bool) -> None:
    """More pictures right, a much smaller loss, or much closer probabilities; a hair's breadth is chance."""
    assert clearly_better(one, other) is clear
    assert not clearly_better(other, one) or not clear


def test_chosen_recipe_that_fits_is_kept() -> None:
    """A recipe that no other clearly beats is right, though another has a slightly smaller loss."""
    mine = found(IMAGENET, 12, 0.02)
    assert judge([found(BGR, 12, 0.01), mine, found(RAW, 2, 9.0)], IMAGENET) is mine


CORRECTED: list[tuple[Recipe, list[Fit], str]] = [
    (
        IMAGENET,
        [found(IMAGENET, 2, 3.1), found(RAW, 12, 0.02), found(RAW_BGR, 7, 1.0)],
        "these pictures fit range 0-255 (12 of 12 right, log-loss 0.02), not range imagenet "
        "(2 of 12 right, log-loss 3.1): pass --range 0-255",
    ),
    (
        IMAGENET,
        [found(IMAGENET, 2, 3.1), found(RAW, 5, 2.0), found(RAW_BGR, 12, 0.02)],
        "these pictures fit range 0-255 and colour bgr (12 of 12 right, log-loss 0.02), not range imagenet and colour "
        "rgb (2 of 12 right, log-loss 3.1): pass --range 0-255 --colour bgr",
    ),
    (
        BGR,
        [found(BGR, 2, 3.1), found(IMAGENET, 12, 0.03), found(SQUARE, 12, 0.02)],
        "these pictures fit colour rgb (12 of 12 right, log-loss 0.03), not colour bgr (2 of 12 right, log-loss 3.1): "
        "pass --colour rgb",
    ),
    (
        UNIT,
        [found(UNIT, 12, 0.9), found(IMAGENET, 12, 0.02), found(RAW, 12, 0.0)],
        "these pictures fit range imagenet (12 of 12 right, log-loss 0.02), not range 0-1 (12 of 12 right, log-loss "
        "0.9): pass --range imagenet",
    ),
    (
        IMAGENET,
        [found(IMAGENET, 12, 0.31, exact=True), found(SQUARE, 12, 0.001, exact=True)],
        "these pictures fit rule square (12 of 12 right, probabilities off by 0.001), not rule shorter-side (12 of 12 "
        "right, probabilities off by 0.310): pass --rule square",
    ),
]


@pytest.mark.parametrize(("chosen", "fits", "text"), CORRECTED)
def test_wrong_recipe_is_refused_naming_the_right_one(chosen: Recipe, fits: list[Fit], text: str) -> None:
    """The message says what fits, what does not, and the arguments to pass: no more of them than needed."""
    with pytest.raises(ModelInvalidError) as caught:
        judge(fits, chosen)
    assert str(caught.value) == text


def test_answers_that_fit_nothing_are_refused() -> None:
    """When no recipe reaches four fifths, answers and model do not belong together."""
    with pytest.raises(ModelInvalidError, match=r"do not come out, whatever .*: at best 9 of 12 right.*range 0-255"):
        judge([found(IMAGENET, 8, 1.0), found(RAW, 9, 1.0)], IMAGENET)
    assert judge([found(IMAGENET, 10, 1.0), found(RAW, 8, 1.0)], IMAGENET).hits == 10


def test_one_picture_can_refuse_but_not_decide_everything() -> None:
    """With a single known answer a wrong recipe is still refused: its answer does not come out."""
    with pytest.raises(ModelInvalidError, match="pass --range 0-255"):
        judge([found(IMAGENET, 0, 3.0, of=1), found(RAW, 1, 0.1, of=1)], IMAGENET)


def test_what_the_answers_leave_open_is_told() -> None:
    """Recipes that are as good and say other things are undecided; those that say the same do not matter."""
    mine = found(IMAGENET, 12, 0.1)
    fits = [mine, found(BGR, 12, 0.1), found(RAW, 12, 0.0, said=0.99), found(SQUARE, 3, 2.0, said=0.5)]
    assert undecided(fits, mine) == ["range 0-255"]


ONE = Classes(("a", "b"), threshold=None)
MANY = Classes(("a", "b"), threshold=0.5)


def answer(*labels: str, probs: tuple[float, ...] | None = None) -> Answer:
    return Answer("x.png", Path("x.png"), frozenset(labels), probs)


RIGHT: list[tuple[Classes, Sequence[float], Answer, bool, float]] = [
    (ONE, (0.5, 0.25), answer("a"), True, 0.693),
    (ONE, (0.25, 0.5), answer("a"), False, 1.386),
    (ONE, (1.0, 0.0), answer("b"), False, 16.118),
    (MANY, (0.75, 0.75), answer("a", "b"), True, 0.288),
    (MANY, (0.75, 0.25), answer("a"), True, 0.288),
    (MANY, (0.75, 0.75), answer("a"), False, 0.837),
    (MANY, (0.25, 0.25), answer(), True, 0.288),
    (ONE, (0.7, 0.3), answer("a", probs=(0.72, 0.28)), True, 0.02),
    (ONE, (0.7, 0.3), answer("a", probs=(0.9, 0.1)), False, 0.2),
]


@pytest.mark.parametrize(("classes", "probs", "known", "right", "loss"), RIGHT)
def test_fit_of_one_picture(classes: Classes, probs: Sequence[float], known: Answer, right: bool, loss: float) -> None:
    """Right are the known labels, and close probabilities where they are known; the loss is worked out by hand."""
    result = fit(IMAGENET, [np.array(probs)], [known], classes)
    assert result.right == (right,)
    assert result.loss == pytest.approx(loss, abs=0.001)


def test_measure_turns_logits_into_fits() -> None:
    """Each recipe gets its own row of every picture; numbers that are not finite are merely wrong."""
    outputs = [np.array([[9.0, 0.0], [0.0, 9.0]], np.float32), np.array([[np.nan, np.nan], [0.0, np.inf]], np.float32)]
    first, second = measure(outputs, [answer("a"), answer("b")], ONE, wanted=[IMAGENET, RAW])
    assert (first.recipe, first.right) == (IMAGENET, (True, False))
    assert (second.recipe, second.right) == (RAW, (False, True))


def test_pictures_are_taken_evenly_over_the_classes() -> None:
    """Any beginning of the order holds as many classes as it can."""
    order = [
        Answer(f"{label}{n}", Path(), frozenset((label,)))
        for label in "abc"
        for n in range({"a": 3, "b": 1}.get(label, 2))
    ]
    assert [one.name for one in evenly(order)] == ["a0", "b0", "c0", "a1", "c1", "a2"]
