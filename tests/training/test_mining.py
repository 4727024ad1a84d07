"""Which pictures are worth a look: worked out by hand on a few answers."""

from pathlib import Path

import numpy as np
import pytest

from edge.bundle import MULTILABEL
from training.answers import Answers, flags_of
from training.dataset.annotations import MULTICLASS
from training.dataset.records import Record
from training.mining import Looks, Mined, confidence_of_mistakes, considered, doubts_of, k_centre, mine

LABELS = ("crack", "dent", "rust")


def answers(*told: tuple[tuple[str, ...], tuple[float, ...]], multilabel: bool = False) -> Answers:
    """Return answers of (labels, probabilities) a picture."""
    probs = np.array([row for _, row in told])
    best = [(LABELS[int(row.argmax())],) for row in probs]
    selected = [tuple(label for label, p in zip(LABELS, row, strict=True) if p > 0.5) for row in probs]
    return Answers(
        MULTILABEL if multilabel else MULTICLASS,
        LABELS,
        tuple(Record(Path(f"{number}.png"), labels) for number, (labels, _) in enumerate(told)),
        flags_of([labels for labels, _ in told], LABELS),
        np.zeros(probs.shape, np.float32),
        probs,
        flags_of(selected if multilabel else best, LABELS),
    )


def looks(*features: float, groups: tuple[tuple[int, ...], ...] = ()) -> Looks:
    return Looks({row: np.array([value]) for row, value in enumerate(features)}, groups)


SURE_AND_WRONG = (("crack",), (0.05, 0.9, 0.05))
UNSURE_AND_WRONG = (("crack",), (0.4, 0.5, 0.1))
SURE_AND_RIGHT = (("dent",), (0.02, 0.96, 0.02))
TIED = (("dent",), (0.45, 0.46, 0.09))
SEVERAL = answers(SURE_AND_RIGHT, UNSURE_AND_WRONG, SURE_AND_WRONG, TIED)


def test_a_tie_has_no_margin_and_no_opinion_all_of_the_entropy() -> None:
    """Both are shares, 0..1, whatever the number of classes."""
    doubts = doubts_of(answers(((), (0.5, 0.5, 0.0)), ((), (1 / 3, 1 / 3, 1 / 3)), ((), (1.0, 0.0, 0.0))))
    assert doubts.margin == pytest.approx([0, 0, 1])
    assert doubts.entropy == pytest.approx([np.log(2) / np.log(3), 1, 0])
    assert doubts.degree == pytest.approx([(1 + np.log(2) / np.log(3)) / 2, 1, 0])


def test_of_several_labels_the_least_sure_one_counts() -> None:
    """Its distance from the threshold, and whether it is yes or no."""
    doubts = doubts_of(answers(((), (0.99, 0.55, 0.01)), ((), (0.0, 1.0, 0.0)), multilabel=True))
    assert doubts.margin == pytest.approx([0.1, 1])
    assert doubts.entropy[0] > 0.99
    assert doubts.entropy[1] == pytest.approx(0, abs=1e-9)


def test_mistakes_come_first_the_surest_before_the_others() -> None:
    """Then what the model is not sure of; what is taken already is not taken again."""
    found = mine(SEVERAL, looks(0, 1, 2, 3), by="both", count=3)
    assert found == [Mined(2, "mistake"), Mined(1, "mistake"), Mined(3, "uncertain")]


def test_either_can_be_had_alone() -> None:
    """Mistakes without the uncertain ones, and the other way round; never more than there are."""
    assert [one.row for one in mine(SEVERAL, looks(0, 1, 2, 3), by="confident-mistakes", count=9)] == [2, 1]
    assert [one.row for one in mine(SEVERAL, looks(0, 1, 2, 3), by="uncertain", count=2)] == [3, 1]


def test_of_several_labels_the_surest_wrong_yes_or_no_counts() -> None:
    """A label that is missed with 0.9 counts as one that is invented with 0.9."""
    found = confidence_of_mistakes(
        answers(
            (("dent",), (0.1, 0.1, 0.1)), (("dent",), (0.9, 0.8, 0.1)), (("dent",), (0.1, 0.8, 0.1)), multilabel=True
        )
    )
    assert found == pytest.approx([0.9, 0.9, 0])


def test_pictures_that_look_the_same_are_told_once() -> None:
    """Also where one is a mistake and another uncertain; how many there are beside is told."""
    strip = answers(*[TIED] * 4, UNSURE_AND_WRONG, SURE_AND_WRONG)
    found = mine(strip, looks(0, 0, 0, 5, 6, 6, groups=((0, 1, 2), (4, 5))), by="both", count=6)
    assert found == [Mined(5, "mistake", 1), Mined(0, "uncertain", 2), Mined(3, "uncertain")]


def test_what_is_chosen_is_spread() -> None:
    """Two crowds of equal doubt: one of each, before a second one of either."""
    crowds = answers(*[TIED] * 20)
    found = mine(crowds, looks(*[0.0 + n / 1000 for n in range(18)], 9.0, 9.001), by="uncertain", count=2)
    assert {one.row >= 18 for one in found} == {False, True}


def test_the_furthest_point_is_next_and_no_point_is_chosen_twice() -> None:
    """Also where all points are one."""
    line = np.array([[0.0], [1.0], [10.0], [4.0]])
    assert k_centre(line, np.array([1.0, 0.9, 0.9, 0.9]), 4) == [0, 2, 3, 1]
    assert sorted(k_centre(np.zeros((5, 2)), np.zeros(5), 9)) == [0, 1, 2, 3, 4]
    assert k_centre(np.zeros((0, 1)), np.zeros(0), 3) == []
    assert k_centre(np.array([[0.0], [9.0], [9.5]]), np.ones(2), 1) == [0]  # the last point is there already


def test_only_some_need_a_close_look() -> None:
    """The surest mistakes and the least sure answers."""
    many = answers(*[SURE_AND_RIGHT] * 50, *[TIED] * 3, *[SURE_AND_WRONG] * 2)
    assert considered(many, "confident-mistakes", 8).tolist() == [53, 54]
    assert set(considered(many, "uncertain", 8).tolist()) >= {50, 51, 52}
    assert len(considered(many, "both", 5)) == 5


def test_a_model_of_one_class_is_sure_of_everything() -> None:
    """There is nothing else that it could say."""
    one = answers((("crack",), (1.0, 0.0, 0.0)))
    alone = Answers(
        one.task, ("crack",), one.records, one.true[:, :1], one.logits[:, :1], one.probs[:, :1], one.selected[:, :1]
    )
    assert doubts_of(alone).degree.tolist() == [0]
