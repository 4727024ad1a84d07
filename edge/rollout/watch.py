"""Looks again and again, in a thread of its own."""

import logging
import random
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Watch:
    """Calls ``first`` once, then ``check`` every ``poll_s`` seconds or at once when asked, in a thread of its own.

    ``jitter`` (0..1) is the share of ``poll_s`` by which the time between two looks varies, up and down.
    """

    def __init__(
        self,
        check: Callable[[], None],
        *,
        poll_s: float,
        jitter: float = 0.0,
        first: Callable[[], None] = lambda: None,
    ) -> None:
        self._check = check
        self._poll_s = poll_s
        self._jitter = jitter
        self._first = first
        self._wake = threading.Event()
        self._stopping = False
        self._looking = False
        self.looks = 0
        """How many looks are over, ``first`` too."""
        self._thread = threading.Thread(target=self._run, name="rollout")
        self._thread.start()

    def now(self) -> None:
        """Check at once."""
        self._wake.set()

    @property
    def alive(self) -> bool:
        """Whether it looks."""
        return self._thread.is_alive()

    @property
    def due(self) -> bool:
        """Whether :attr:`looks` should rise before long: not while it waits for its time, which may be a day."""
        return self._looking or not self.alive

    def close(self, *, timeout_s: float | None = None) -> None:
        """Stop after the check under way; one that takes longer than ``timeout_s`` is left behind."""
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        look = self._first
        while not self._stopping:
            self._looking = True
            try:
                look()
            except Exception:  # noqa: BLE001 - logged with its traceback; a fault in one look must not end the following
                _log.exception("the look into the registry failed unexpectedly")
            look = self._check
            self.looks += 1
            self._looking = False
            self._wake.wait(self._poll_s * random.uniform(1 - self._jitter, 1 + self._jitter))  # noqa: S311 - no secret
            self._wake.clear()
