"""What is told of a search."""

from dataclasses import replace

import pytest

from tests.training.local.auto.simulated import facts, simulation
from training.local.auto.facts import Facts
from training.local.auto.search import Outcome, Search
from training.local.auto.story import pictures, story, summary, trial_rows

TEST = {
    "pictures": 30,
    "right": 29,
    "accuracy": 29 / 30,
    "low": 0.83,
    "high": 0.99,
    "mistakes_by_class": {"a": 1, "b": 0},
}


@pytest.fixture(scope="module")
def found() -> Search:
    ended = simulation(2400).run()
    return replace(
        ended,
        outcome=Outcome(chosen=2, rival=1, only_chosen=3, only_rival=1, chance=0.625, test=TEST, bundle="models/a/1"),
    )


def told(found: Search) -> str:
    return "\n".join(story(found, "a:1"))


def test_the_figure_to_believe_stands_with_its_interval(found: Search) -> None:
    """And the one that it was chosen by is called flattering."""
    text = told(found)
    assert (
        "29 of 30 pictures kept aside are answered rightly, 0.9667; the true share lies between 0.830 and 0.990" in text
    )
    assert "That figure flatters: it is the best of" in text
    assert "Its mistakes there: a 1." in text


def test_a_difference_that_may_be_chance_is_called_so(found: Search) -> None:
    """One that may not, too."""
    assert "p = 0.62); that may well be chance" in told(found)
    assert found.outcome is not None
    sure = replace(found, outcome=replace(found.outcome, only_chosen=20, only_rival=2, chance=0.0001))
    assert "p = 0.0001); the difference is more than chance" in told(sure)


def test_without_pictures_aside_it_says_that_every_figure_flatters(found: Search) -> None:
    """In the story and on the terminal."""
    assert found.outcome is not None
    none = replace(found, outcome=replace(found.outcome, test={}))
    assert "judge it on others" in told(none)
    assert any("too few of each class), so the accuracy above flatters" in line for line in summary(none, "a:1"))
    unwanted = replace(none, request=replace(none.request, test_share=0.0))
    assert any("--test-share 0), so the accuracy above flatters" in line for line in summary(unwanted, "a:1"))


def test_only_a_share_of_pictures_has_an_interval(found: Search) -> None:
    """What pictures with several labels are chosen by is none: Wilson's interval says nothing of it."""
    assert "the true one is known only to lie between" in told(found)
    figures = [replace(trial, validation={"iou": 0.5}) for trial in found.trials]
    several = replace(found.facts, task="image-classification-multilabel")
    text = told(replace(found, facts=several, trials=tuple(figures)))
    assert "iou 0.5000 on" in text
    assert "the true one is known only to lie between" not in text


def test_every_trial_is_told_of_with_its_cost(found: Search) -> None:
    """Best first; what failed stands last, with its reason."""
    failed = replace(
        found.trials[0], number=9, how="failed", fault="the loss became nan | inf", validation={}, epochs=0
    )
    rows = trial_rows(found.with_trial(failed))
    assert [row[0] for row in rows][-1] == "9"
    assert len(rows) == len(found.trials) + 1
    text = told(found.with_trial(failed))
    assert "the loss became nan \\| inf" in text
    assert all(trial.candidate in text for trial in found.trials)


def test_why_it_stopped_and_what_the_time_went_to(found: Search) -> None:
    """Budget, what was used, what was measured."""
    text = told(found)
    assert "Budget 40 min; used" in text
    assert "mobilenetv2-96, measured here: 8.4 s an epoch" in text
    assert f"## Why it stopped\n\n{found.stopped[0].upper()}{found.stopped[1:]}." in text


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (facts(counts={"a": 90, "b": 10}), "9 times as many pictures of the commonest class"),
        (facts(validation=12), "12 pictures to choose by are few"),
        (facts(shape=0.75), "only 75% of a picture, the square in its middle, is looked at"),
    ],
)
def test_what_may_matter_more_than_settings_is_said(known: Facts, said: str) -> None:
    """Uneven classes, few pictures, pictures far from square; nothing of it where it is not so."""
    assert said in " ".join(pictures(known))
    assert said not in " ".join(pictures(facts()))


def test_a_machine_that_became_busy_is_told_of() -> None:
    """So that nobody wonders why so little was done."""
    busy = simulation(600, busy=2.5).run()
    assert "epochs took up to 2.5 times as long" in told(replace(busy, outcome=Outcome(chosen=2, bundle="b")))
