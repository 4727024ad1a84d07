"""A process of our own that another thread may end: started, held, killed whatever happens, and its last words."""

import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from edge.errors import EdgeError

LINE_CHARACTERS = 300


class Child:
    """At most one process at a time. Any thread may end it; ``interrupted`` and ``stopped`` say that one did."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self.interrupted = False
        self.stopped = False

    def interrupt(self) -> None:
        """End the process under way at once; others may begin."""
        with self._lock:
            if self._process is not None:
                self.interrupted = True
                self._process.kill()

    def stop(self) -> None:
        """End the process under way at once, and let no other begin."""
        with self._lock:
            self.stopped = True
            if self._process is not None:
                self._process.kill()

    @contextmanager
    def running(
        self,
        command: Sequence[str],
        *,
        stdin: int,
        environment: Mapping[str, str],
        stopped: EdgeError,
        unable: Callable[[str], EdgeError],
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """Give the process; it is killed at the end.

        Raises ``stopped`` once :meth:`stop` was called, and what ``unable`` makes of a reason where none can start.
        """
        with self._lock:
            self.interrupted = False
            if self.stopped:
                raise stopped
            try:
                process = subprocess.Popen(  # noqa: S603 - our own program, no shell
                    command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
                )
            except OSError as error:
                reason = f"{error.strerror}; free memory, or allow more processes"
                raise unable(f"no process can be started: {reason}") from error
            self._process = process
        try:
            with process:
                try:
                    yield process
                finally:
                    process.kill()  # does nothing to one that has ended
        finally:
            with self._lock:
                self._process = None


def last_line(complaints: bytes) -> str:
    """Return the last line that a process complained in, as the end of a sentence; empty without one."""
    lines = complaints.decode(errors="replace").split("\n")
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f": {said[:LINE_CHARACTERS]}" if said else ""
