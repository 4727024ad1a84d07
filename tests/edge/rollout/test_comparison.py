"""What is counted when a newer version answers beside the running one."""

import pytest

from edge.results import Classification, Failure, Prediction
from edge.rollout.comparison import TIMED, Comparison, Times, compared, figures

BAD_PICTURE = Failure("ImageDecodeError", "no picture")
BROKEN = Failure("InferenceError", "the model failed")


def answer(label: str, score: float = 0.9, *, labels: tuple[str, ...] = ("cat", "dog")) -> Classification:
    rest = (1 - score) / max(len(labels) - 1, 1)
    return Classification(label, score, labels, tuple(score if one == label else rest for one in labels))


def several(*selected: str) -> Classification:
    labels = ("cat", "dog", "owl")
    return Classification("cat", 0.9, labels, (0.9, 0.8, 0.1), selected)


def after(*pairs: tuple[Prediction, Prediction]) -> Comparison:
    comparison = Comparison()
    for running, candidate in pairs:
        comparison, _ = compared(comparison, running, candidate)
    return comparison


def test_agreement_is_the_share_of_equal_labels() -> None:
    """Three of four frames with the same label: 0.75, whatever the scores."""
    same, other = (answer("cat"), answer("cat", 0.6)), (answer("cat"), answer("dog"))
    comparison = after(same, same, other, same)
    assert (comparison.frames, comparison.agreement, comparison.failures) == (4, 0.75, 0)


def test_several_labels_agree_as_a_set() -> None:
    """A multi-label model agrees where the same labels are selected, in any order; the best one alone is not enough."""
    assert after((several("cat", "dog"), several("dog", "cat"))).agreement == 1
    assert after((several("cat", "dog"), several("cat"))).agreement == 0
    assert after((several(), several())).agreement == 1


def test_a_failure_on_one_side_is_a_disagreement() -> None:
    """Only those of the newer version count as its failures."""
    comparison = after((answer("cat"), BROKEN), (BAD_PICTURE, answer("cat")))
    assert (comparison.agreement, comparison.failures, comparison.score_shift) == (0, 1, None)


def test_a_frame_that_nobody_answers_is_not_compared() -> None:
    """A camera that sends rubbish does not promote anything."""
    comparison, agree = compared(Comparison(), BAD_PICTURE, BAD_PICTURE)
    assert agree is None
    assert comparison == Comparison()
    assert comparison.agreement is None


def test_models_may_know_different_labels() -> None:
    """Labels are compared as texts: where they stand does not matter, an unknown one is a disagreement with score 0."""
    moved = answer("cat", labels=("ant", "dog", "cat"))
    assert after((answer("cat"), moved)).agreement == 1
    unknown = after((answer("cat", 0.9), answer("dog", labels=("ant", "dog"))))
    assert (unknown.agreement, unknown.score_shift) == (0, 0.9)


def test_the_score_shift_is_that_of_the_live_winner() -> None:
    """The mean absolute difference, so that a shift up does not make good for one down."""
    comparison = after((answer("cat", 0.9), answer("cat", 0.8)), (answer("cat", 0.7), answer("cat", 0.9)))
    assert comparison.score_shift == pytest.approx(0.15)
    assert after((answer("cat", 0.9), answer("dog", 0.6))).score_shift == pytest.approx(0.5)


def test_the_latency_ratio_is_one_of_medians() -> None:
    """A single slow frame does not matter."""
    comparison = Comparison()
    for times in (Times(10, 12), Times(10, 12), Times(500, 12), Times(10, 900), Times(10, 12)):
        comparison, _ = compared(comparison, answer("cat"), answer("cat"), times)
    assert comparison.latency_ratio == pytest.approx(1.2)


def test_times_are_bounded() -> None:
    """The first hundred frames are timed; a comparison of a million frames holds no more."""
    comparison = Comparison()
    for _ in range(TIMED + 10):
        comparison, _ = compared(comparison, answer("cat"), answer("cat"), Times(1, 1))
    assert len(comparison.times) == TIMED
    assert not comparison.wants_times
    assert comparison.frames == TIMED + 10


def test_figures_are_ready_for_json() -> None:
    """Rounded to what they are good for; None for what is not known."""
    comparison = after((answer("cat", 0.9), answer("cat", 0.8)), (answer("cat"), BROKEN), (answer("cat"), BROKEN))
    assert figures(comparison) == {
        "frames": 3,
        "agreement": 0.3333,
        "latency_ratio": None,
        "score_shift": 0.1,
        "failures": 2,
    }
