"""SIGTERM and SIGINT: the first asks for a clean stop, one that comes later ends the process at once."""

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

LOOK_S = 1.0
"""How often the wait looks whether what it waits beside still lives."""
SAME_REQUEST_S = 1.0
"""Signals this close together are one request: make and shells pass on a signal that the process group got already."""


class StopSignals:
    """While entered, turns the signals into an event; puts the previous handlers back when left."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._asked_at = 0.0
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    def wait(self, alive: Callable[[], bool]) -> bool:
        """Return True once a clean stop was asked for, False where ``alive`` tells no longer."""
        while not self._asked.wait(LOOK_S):
            if not alive():
                return False
        return True

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
