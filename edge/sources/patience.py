"""Handing in frames that must not be lost: wait for room instead of dropping."""

import threading
from concurrent.futures import Future

from edge.errors import ModelNotReadyError, OverloadedError
from edge.ports import Emit, Frame
from edge.results import Result
from edge.sources.clock import Clock

SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.05, 2.0
"""A queue that promises to clear later is asked again sooner, and one that promises less is not asked in a loop."""


def emit_patiently(emit: Emit, frame: Frame, stop: threading.Event, clock: Clock) -> Future[Result] | None:
    """Hand a frame in, again and again until it is taken; None where ``stop`` came first. Raises StoppingError."""
    while not stop.is_set():
        try:
            return emit(frame)
        except OverloadedError as exc:
            clock.wait(stop, min(max(exc.retry_after_s, SHORTEST_WAIT_S), LONGEST_WAIT_S))
        except ModelNotReadyError:
            clock.wait(stop, LONGEST_WAIT_S)
    return None
