"""Time as a port, so that what is paced can be tried without waiting."""

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Spans, instants and interruptible waits."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""

    def now(self) -> datetime:
        """Return the instant, aware, in UTC."""

    def wait(self, stop: threading.Event, timeout_s: float) -> bool:
        """Wait until ``stop`` is set or ``timeout_s`` has passed; tell whether it is set."""


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return time.monotonic()

    def now(self) -> datetime:
        """Return the instant, aware, in UTC."""
        return datetime.now(UTC)

    def wait(self, stop: threading.Event, timeout_s: float) -> bool:
        """Wait until ``stop`` is set or ``timeout_s`` has passed; tell whether it is set."""
        return stop.wait(timeout_s)
