"""Who may serve: the gate's decision from figures and limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.rollout.comparison import Comparison, Times
from edge.rollout.gate import Limits, judge, summary

LIMITS = Limits(frames=500, max_s=3600, min_agreement=0.98, max_latency_ratio=1.5, max_score_shift=0.1)


def comparison(
    frames: int = 500, *, agreed: int | None = None, ratio: float = 1.0, shift: float = 0.0, failures: int = 0
) -> Comparison:
    answered = frames - failures
    return Comparison(
        frames=frames,
        agreed=answered if agreed is None else agreed,
        answered=answered,
        failures=failures,
        shift_sum=shift * answered,
        times=(Times(10, 10 * ratio),),
    )


def test_what_holds_every_limit_passes() -> None:
    """The limits themselves are allowed."""
    ruling = judge(comparison(agreed=490, ratio=1.5, shift=0.1), LIMITS, elapsed_s=10)
    assert (ruling.decision, ruling.reasons) == ("pass", ())


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (comparison(agreed=489), "disagrees on 11 of 500 frames: agreement 0.978, 0.98 is wanted"),
        (comparison(failures=11), "disagrees on 11 of 500 frames, 11 of them failures"),
        (comparison(ratio=1.6), "takes 1.60 times as long as the running model, 1.5 is allowed"),
        (comparison(shift=0.12), "the winning label's score shifts by 0.120 on average, 0.1 is allowed"),
    ],
)
def test_each_limit_is_a_reason_in_figures(seen: Comparison, reason: str) -> None:
    """What fails names the figure and the limit."""
    ruling = judge(seen, LIMITS, elapsed_s=10)
    assert ruling.decision == "fail"
    assert len(ruling.reasons) == 1
    assert reason in ruling.text


def test_every_reason_is_named() -> None:
    """Not only the first."""
    assert len(judge(comparison(agreed=0, ratio=9, shift=0.5), LIMITS, elapsed_s=10).reasons) == 3


def test_too_few_frames_are_not_yet_judged() -> None:
    """However slow it looks so far: a hundred frames may be a bad moment."""
    assert judge(comparison(499, ratio=9), LIMITS, elapsed_s=3599).decision == "not yet"
    assert judge(Comparison(), LIMITS, elapsed_s=0).decision == "not yet"


def test_a_lost_case_is_not_drawn_out() -> None:
    """As soon as too many frames differ, the rest cannot mend it: on a slow line that saves hours."""
    ruling = judge(comparison(20, agreed=9), LIMITS, elapsed_s=1)
    assert ruling.decision == "fail"
    assert "disagrees on 11 of 20 frames, too many for 500 frames" in ruling.text
    assert judge(comparison(20, agreed=10), LIMITS, elapsed_s=1).decision == "not yet"


def test_the_time_is_over() -> None:
    """What has not seen enough frames by then is not taken; what has is judged, however late."""
    ruling = judge(comparison(12), LIMITS, elapsed_s=3600)
    assert (ruling.decision, ruling.reasons) == ("too late", ("saw 12 of 500 frames within 1 h",))
    assert judge(comparison(500), LIMITS, elapsed_s=99999).decision == "pass"


def test_nothing_answered_is_nothing_proven() -> None:
    """With no wish for agreement, a version that answers nothing still fails."""
    lax = Limits(frames=5, max_s=60, min_agreement=0, max_latency_ratio=9, max_score_shift=1)
    assert "answered none of 5 frames" in judge(comparison(5, failures=5), lax, elapsed_s=1).text


@given(st.integers(1, 3000), st.integers(0, 1000))
def test_the_bound_is_the_share(frames: int, thousandths: int) -> None:
    """As many frames may differ as keep the agreement at or above its limit, to the frame."""
    limits = Limits(frames, 60, thousandths / 1000, 1.5, 0.1)
    at_bound, beyond = frames - limits.may_disagree, frames - limits.may_disagree - 1
    assert at_bound * 1000 >= thousandths * frames
    assert beyond * 1000 < thousandths * frames


def test_the_summary_has_the_figures() -> None:
    """One sentence for the log and the topic."""
    assert summary(comparison(agreed=499, ratio=1.1, shift=0.02)) == (
        "agreed on 499 of 500 frames, took 1.10 times as long as the running model, shifted the winning label's score "
        "by 0.020 on average"
    )
