"""Time that a modest process waits for a core does not count against the model that it loads."""

import os

import pytest

from edge.rehearsal.patience import Patience, waited_for_a_core_s


@pytest.mark.parametrize(
    ("passed_s", "waited_s", "left_s"),
    [(0, 0, 10), (4, 3, 6), (10, 0, 0), (12, 5, 3), (20, 5, 0), (39, 100, 1), (40, 100, 0), (100, 100, 0)],
)
def test_waiting_prolongs_the_limit_up_to_four_times(passed_s: float, waited_s: float, left_s: float) -> None:
    """Of ten seconds: what is left when so many passed, so many of them without a core."""
    now = [100.0]
    patience = Patience(10, 1, clock=lambda: now[0], waited_s=lambda _: waited_s)
    now[0] += passed_s
    assert patience.left_s == left_s


def test_the_kernel_tells_how_long_a_process_waited() -> None:
    """Zero or more for a process that is there, zero for one that is not."""
    assert waited_for_a_core_s(os.getpid()) >= 0
    assert waited_for_a_core_s(2**30) == 0
