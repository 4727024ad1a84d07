"""SIGTERM and SIGINT: the first asks for a clean stop, one that comes later ends the process at once."""

import os
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Self

WAIT_S = 3600.0
"""A wait without limit would, on some systems, keep Python from running the signal's handler."""
SAME_REQUEST_S = 1.0
"""Signals this close together are one request: make and shells pass on a signal that the process group got already."""


class StopSignals:
    """While entered, turns the signals into an event; puts the previous handlers back when left."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._asked_at = 0.0
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    def wait(self) -> None:
        """Return once a clean stop was asked for."""
        while not self._asked.wait(WAIT_S):
            pass

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._received)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _received(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of a handler
        now = time.monotonic()
        if not self._asked.is_set():
            self._asked_at = now
            self._asked.set()
        elif now - self._asked_at > SAME_REQUEST_S:
            os._exit(128 + number)
