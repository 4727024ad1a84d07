"""SIGTERM and SIGINT: the first asks for a clean stop, one that comes later ends the process at once.

The interpreter's own handler writes each signal's number into a socket (``signal.set_wakeup_fd``), and a thread reads
it there: so a signal is seen while the main thread starts a part, loads a model or waits for a lock.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

LOOK_S = 1.0
"""How often the wait looks whether what it waits beside still lives."""
SAME_REQUEST_S = 1.0
"""Signals this close together are one request: make and shells pass on a signal that the process group got already."""
STOPPING = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """While entered, turns the signals into :attr:`asked`; puts the previous handlers back when left.

    To be entered in the main thread.
    """

    def __init__(self) -> None:
        self.asked = threading.Event()
        """Set by the first signal."""
        self._before: dict[signal.Signals, signal._HANDLER] = {}
        self._woken, self._waking = socket.socketpair()
        self._wakeup_before = -1
        self._reader = threading.Thread(target=self._read, name="signals", daemon=True)

    def wait(self, alive: Callable[[], bool], *, every_s: float = LOOK_S) -> bool:
        """Return True once a clean stop was asked for, False where ``alive``, asked every so often, tells no longer."""
        while not self.asked.wait(every_s):
            if not alive():
                return False
        return True

    def __enter__(self) -> Self:
        self._waking.setblocking(False)
        self._reader.start()
        self._wakeup_before = signal.set_wakeup_fd(self._waking.fileno(), warn_on_full_buffer=False)
        for number in STOPPING:
            self._before[number] = signal.signal(number, _leave_to_the_reader)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        self._waking.close()
        self._reader.join()
        self._woken.close()

    def _read(self) -> None:
        asked_at = 0.0
        while received := self._woken.recv(1):
            number, now = received[0], time.monotonic()
            if number not in STOPPING:
                continue
            if not self.asked.is_set():
                asked_at = now
                self.asked.set()
            elif now - asked_at > SAME_REQUEST_S:
                os._exit(128 + number)


def _leave_to_the_reader(number: int, frame: FrameType | None) -> None:
    """Do nothing: a handler has to be there, or the interpreter would not be told of the signal."""
