"""The threshold that costs least, against counting by hand and against trying them all."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

from tests.training.answered import answers_of, multilabel_answers
from training.errors import DataError, UsageError
from training.thresholds import Prices, Scored, best_threshold, choose_threshold


def two_classes(probs: list[float]) -> list[list[float]]:
    """Return logits that give the first class these probabilities."""
    return [[math.log(p), math.log(1 - p)] for p in probs]


def test_good_class_by_hand() -> None:
    """An escape costs ten rejects: the best threshold rejects a good part with 0.8 to catch a bad one with 0.7."""
    answers = answers_of(two_classes([0.9, 0.95, 0.6, 0.8, 0.7, 0.1]), [0, 0, 0, 0, 1, 1], ["ok", "scratch"])
    found = choose_threshold(answers, Prices(10, 1), good="ok")
    assert found.threshold == pytest.approx(0.75)
    assert (found.best.by_accepting.count, found.best.by_accepting.total) == (0, 2)
    assert (found.best.by_refusing.count, found.best.by_refusing.total) == (1, 4)
    assert found.best.value == pytest.approx(1000 * 1 / 6)
    assert (found.today.by_accepting.count, found.today.by_refusing.count) == (1, 0)
    assert found.today.value == pytest.approx(1000 * 10 / 6)


def test_the_share_of_good_parts_matters() -> None:
    """With one bad part in a thousand, the same escapes cost little, and rejecting a good part is what costs."""
    answers = answers_of(two_classes([0.9, 0.95, 0.6, 0.8, 0.7, 0.1]), [0, 0, 0, 0, 1, 1], ["ok", "scratch"])
    found = choose_threshold(answers, Prices(10, 1), good="ok", good_share=0.999)
    assert found.best.by_refusing.count == 0
    assert found.best.value == pytest.approx(1000 * 0.001 * 10 / 2)


def test_a_person_looks_below_the_threshold() -> None:
    """A wrong answer with 0.6 is worth two looks, where a wrong answer costs ten of them."""
    answers = answers_of(two_classes([0.9, 0.6, 0.55, 0.8]), [0, 1, 0, 0])
    found = choose_threshold(answers, Prices(10, 1))
    assert found.kind == "look"
    assert 0.6 < found.threshold < 0.8
    assert (found.best.by_accepting.count, found.best.by_refusing.count) == (0, 2)
    assert found.best.value == pytest.approx(1000 * 2 / 4)
    assert found.today.value == pytest.approx(1000 * 10 / 4)


def test_multilabel_by_f1_and_by_cost() -> None:
    """Without prices the best F1 wins; with dear misses the threshold falls."""
    answers = multilabel_answers([[2.0, -1.0], [0.4, -3.0], [-0.5, 1.0]], [[1, 0], [0, 0], [1, 1]])
    by_f1 = choose_threshold(answers, Prices())
    assert by_f1.best.value == pytest.approx(6 / 7)
    by_cost = choose_threshold(answers, Prices(1, 100))
    assert by_cost.best.by_refusing.count == 0
    assert by_cost.as_json()["best"]["missed"]["of"] == 3


def test_whether_it_holds_on_other_pictures() -> None:
    """A threshold that catches bad parts in both halves does better than none; where no answer is wrong, none can."""
    sure = [*([0.9, 0.95, 0.8, 0.85] * 4), *([0.6, 0.55] * 4)]
    clear = choose_threshold(answers_of(two_classes(sure), [0] * 16 + [1] * 8, ["ok", "scratch"]), Prices(), good="ok")
    assert clear.is_better_held_out
    right = choose_threshold(answers_of(two_classes([0.9, 0.8, 0.7]), [0, 0, 0]), Prices(10, 1))
    assert not right.is_better_held_out


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(st.sampled_from([0, 0.1, 0.5, 0.500001, 0.9, 1]), st.booleans()), min_size=1, max_size=12),
    st.integers(0, 5),
    st.integers(1, 5),
)
def test_no_other_threshold_is_better(items: list[tuple[float, bool]], accepted: int, refused: int) -> None:
    """Whatever is tried costs at least as much as the threshold that is returned."""
    scores, bad = np.array([score for score, _ in items], float), np.array([flag for _, flag in items])
    scored = Scored(scores, bad, ~bad)

    def cost(wrong: Any, kept: Any) -> Any:
        return accepted * wrong + refused * kept

    threshold, curve = best_threshold(scored, cost, smaller_is_better=True)
    best = float(cost(*map(np.asarray, scored.at(threshold))))
    assert 0 <= threshold <= 1
    for tried in (0, 0.05, 0.3, 0.5, 0.7, 0.95, 1):
        assert best <= float(cost(*map(np.asarray, scored.at(tried))))
    for tried, value in curve:
        assert value == float(cost(*map(np.asarray, scored.at(tried))))


def test_what_cannot_be_chosen_is_refused() -> None:
    """A class that is none, only good parts, several labels, prices below nothing."""
    answers = answers_of(two_classes([0.9, 0.8]), [0, 0], ["ok", "scratch"])
    with pytest.raises(UsageError, match="no such class; it has ok, scratch"):
        choose_threshold(answers, Prices(1, 1), good="fine")
    with pytest.raises(DataError, match="only one of them"):
        choose_threshold(answers, Prices(1, 1), good="ok")
    with pytest.raises(UsageError, match="multi-label"):
        choose_threshold(multilabel_answers([[1.0]], [[1]]), Prices(1, 1), good="a")
    for wrong in ((-1, 1), (0, 0), (float("nan"), 1), (float("inf"), 1)):
        with pytest.raises(UsageError, match="at least 0"):
            Prices(*wrong)
