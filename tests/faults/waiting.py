"""Waits that end in an answer instead of a failure: a row goes on and tells of it."""

import time
from collections.abc import Callable

GLANCE_S = 0.02


def comes_true(condition: Callable[[], object], *, within_s: float) -> bool:
    """Wait until ``condition`` holds; tell whether it did in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(GLANCE_S)
    return True
