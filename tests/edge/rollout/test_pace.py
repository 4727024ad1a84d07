"""Which live frames a shadow takes."""

from itertools import pairwise

import pytest

from edge.rollout.pace import BUSY_SHARE, CALM_SHARE, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("share", [1.0, 0.5, 0.3, 0.1, 0.01])
def test_the_share_is_kept_evenly(share: float) -> None:
    """Of a thousand frames exactly the share is sampled, never two in a row more than it asks for."""
    pace = Pace(share=share, spare=1, clock=Clock())
    taken = [number for number in range(1000) if pace.samples()]
    assert len(taken) == round(1000 * share)
    gaps = [later - earlier for earlier, later in pairwise(taken)]
    assert max(gaps) - min(gaps) <= 1


@pytest.mark.parametrize(("under_way", "share"), [(0, CALM_SHARE), (1, CALM_SHARE), (2, BUSY_SHARE), (50, BUSY_SHARE)])
def test_a_share_of_the_time_is_taken(under_way: int, share: float) -> None:
    """After a frame the shadow rests until its time is that share of what has passed; longer where pictures wait."""
    clock = Clock()
    pace = Pace(share=1, spare=2, clock=clock)
    assert pace.allows(under_way)
    pace.worked(0.01)
    clock.now += 0.01 / share - 0.001
    assert not pace.allows(under_way)
    clock.now += 0.002
    assert pace.allows(under_way)
