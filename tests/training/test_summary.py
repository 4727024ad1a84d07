"""What an evaluation found, in words."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

from tests.training.answered import answers_of, judgement_of, multilabel_answers
from training.answers import LeftOut
from training.comparison import Latency, Paired
from training.dataset.records import Record
from training.summary import summary, threshold_text
from training.thresholds import Prices

SURE = [[4.0, 0.0], [0.0, 4.0]]


def test_the_first_sentence_counts() -> None:
    """How many are right, and how sure that is."""
    assert summary(judgement_of(answers_of(SURE * 20, [0, 1] * 20)))[0] == (
        "made:1: 40 of 40 pictures answered rightly, accuracy 1.0000 (95 %: 0.9124 to 1.0000)."
    )


def test_what_limits_the_figures_is_said() -> None:
    """Classes without or with few pictures, pictures left out, and data that the fit has seen."""
    judgement = judgement_of(
        answers_of([[4.0, 0.0, 0.0]] * 3, [0, 0, 1]), left_out=[LeftOut(Record(Path("x.png"), ()), "is cut off")]
    )
    seen = replace(judgement, circumstances=replace(judgement.circumstances, trained_on_these=True))
    text = " ".join(summary(seen))
    assert "the pictures that its fit was given" in text
    assert "Most often b is taken for a: 1 of 1." in text
    assert "1 of 3 classes have no picture here" in text
    assert "2 of 3 classes have fewer than 30 pictures" in text
    assert "1 picture was left out, x.png: is cut off." in text


def test_the_threshold_of_each_task() -> None:
    """A look for a multi-class model, a score for the labels of a multi-label one."""
    assert "Let a person look" in " ".join(summary(judgement_of(answers_of(SURE, [0, 1]))))
    several = multilabel_answers([[2, -2], [-1, 3]], [[1, 0], [1, 1]])
    assert "F1 1.0000 instead of 0.8000 today" in " ".join(summary(judgement_of(several)))
    assert "costs 0 for 1,000 parts" in " ".join(summary(judgement_of(several, Prices(1, 5))))


def test_chance_is_called_chance() -> None:
    """A difference that noise may make is not called one."""
    judgement = judgement_of(answers_of(SURE, [0, 1]))
    first = judgement.contenders[0]
    noise = replace(first, name="b:1", latency=Latency(3, 3, 40), paired=Paired(100, 4, 2, 0.69))
    real = replace(first, name="c:1", latency=Latency(1, 1, 40), paired=Paired(100, 1, 15, 0.0005))
    *_, one, other = summary(replace(judgement, contenders=[first, noise, real]))
    assert one.endswith("p = 0.69, may be chance; 2.00 times as slow.")
    assert other.endswith("p = 0.0005, a real difference; 1.50 times as fast.")


def test_thresholds_near_the_ends_keep_their_digits() -> None:
    """Four decimals would make one of them accept nothing."""
    assert threshold_text(0.61234) == "0.6123"
    assert threshold_text(0.999999875) == "0.999999875"
