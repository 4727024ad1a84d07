"""Handing in what must not be lost: again and again, but never in a loop that eats the machine."""

import threading
from datetime import UTC, datetime

import pytest

from edge.errors import ModelNotReadyError, OverloadedError
from edge.ports import Frame
from edge.sources.patience import emit_patiently
from tests.edge.sources.emissions import Emissions, SteppedClock, Steps

FRAME = Frame(b"picture", "line", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("refusal", "waited_s"),
    [
        (OverloadedError("full", retry_after_s=0.5), 0.5),
        (OverloadedError("full", retry_after_s=0.0), 0.05),
        (OverloadedError("full", retry_after_s=60.0), 2.0),
        (ModelNotReadyError("none yet"), 2.0),
    ],
)
def test_it_waits_before_it_asks_again(refusal: Exception, waited_s: float) -> None:
    """As long as the queue says, within bounds."""
    emit, clock = Emissions(), SteppedClock()
    emit.refusals = [refusal] * 3
    future = emit_patiently(emit, FRAME, threading.Event(), clock)
    assert future is emit.futures[0]
    assert clock.waits == [waited_s] * 3


def test_a_stop_ends_the_wait() -> None:
    """The frame was not handed in, and nobody is told otherwise."""
    emit, run = Emissions(), Steps()
    emit.refusals = [OverloadedError("full")] * 100
    assert emit_patiently(emit, FRAME, run.stop, run.clock) is None
    assert emit.refused == 1
