"""Which live frames a shadow takes."""

from itertools import pairwise

import pytest

from edge.rollout.pace import BUSY_SHARE, Pace


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


def test_a_calm_device_may_always() -> None:
    """With fewer pictures under way than there are cores to spare, each frame may be taken."""
    pace = Pace(share=1, spare=2, clock=Clock())
    pace.worked(10)
    assert pace.allows(0)
    assert pace.allows(1)
    assert not pace.allows(2)


def test_a_busy_device_gives_little() -> None:
    """Where pictures always wait, a frame is taken once the last one's time is half a percent of what has passed."""
    clock = Clock()
    pace = Pace(share=1, spare=1, clock=clock)
    assert pace.allows(50)
    pace.worked(0.01)
    clock.now += 0.01 / BUSY_SHARE - 0.001
    assert not pace.allows(50)
    clock.now += 0.001
    assert pace.allows(50)
