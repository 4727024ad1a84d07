"""Looks again and again, in a thread of its own."""

import logging
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Watch:
    """Calls ``check`` every ``poll_s`` seconds, or at once when asked, in a thread of its own."""

    def __init__(self, check: Callable[[], None], *, poll_s: float) -> None:
        self._check = check
        self._poll_s = poll_s
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="rollout")
        self._thread.start()

    def now(self) -> None:
        """Check at once."""
        self._wake.set()

    def close(self) -> None:
        """Stop after the check under way."""
        self._stopping = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._wake.wait(self._poll_s)
            self._wake.clear()
            if self._stopping:
                return
            try:
                self._check()
            except Exception:  # noqa: BLE001 - logged with its traceback; a fault in one look must not end the following
                _log.exception("the look into the registry failed unexpectedly")
