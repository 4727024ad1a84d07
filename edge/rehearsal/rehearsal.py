"""Starts the rehearsing process, waits for its verdict, and says what its end means where it came to none."""

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import IO

from edge import errors
from edge.bundle import Bundle
from edge.children import Child, last_line
from edge.errors import ModelInvalidError, UnavailableError
from edge.limits import SETTINGS, SIGN_IN, environment_without
from edge.rehearsal.patience import Patience
from edge.rehearsal.task import BEGUN, Task, parse_verdict

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the package, wherever it is installed."""
PROGRAM = "import sys; sys.path.append(sys.argv[1]); from edge.rehearsal.child import main; main(sys.argv[2])"
"""Finds this very package, installed or not, without putting its folder before the standard library as ``-m`` would."""
COMMAND = (sys.executable, "-P", "-c", PROGRAM, str(ROOT))
NICENESS = 10
MOST_KEPT_BYTES = 64 << 10
"""How much of what the process writes is kept: the last of it."""
ASKED_TO_END = (-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)
"""Ends that say nothing about the bundle: somebody stops the daemon with all its processes."""


class Rehearsal:
    """Loads and proves bundles in a process of its own, one at a time, within ``timeout_s``: see :class:`Patience`.

    ``command`` starts a process that is spoken to as :mod:`edge.rehearsal.task` says. Thread-safe.
    """

    def __init__(self, task: Task, *, timeout_s: float, command: Sequence[str] = COMMAND) -> None:
        self._task = replace(task, niceness=NICENESS)
        self._timeout_s = timeout_s
        self._command = tuple(command)
        self._child = Child()

    def __call__(self, bundle: Bundle) -> str:
        """Return the execution provider that ran the bundle.

        Raises what loading it raised there; ModelInvalidError where the process crashed, was killed or took too long;
        UnavailableError where it could not be started or was stopped.
        """
        with self._running(bundle) as process:
            patience = Patience(self._timeout_s, process.pid)
            output, complaints = _read(process, patience)
            code = _end_of(process, patience)
        if self._child.stopped or self._child.interrupted:
            why = "the daemon stops" if self._child.stopped else "another version was asked for"
            raise UnavailableError(f"the rehearsal of {bundle} was ended, for {why}")
        verdict = parse_verdict(output)
        if verdict is not None and verdict.provider is not None:
            return verdict.provider
        if verdict is not None:
            raise getattr(errors, verdict.error or "", ModelInvalidError)(verdict.reason)
        how = f"took longer than {self._timeout_s:g} s (rollout.load_timeout_s)" if code is None else _ending(code)
        how += last_line(complaints)
        if BEGUN not in output or code in ASKED_TO_END:
            raise UnavailableError(f"{bundle} cannot be rehearsed: the process for it {how}")
        raise ModelInvalidError(f"{bundle} is not safe to load: its rehearsal {how}")

    def interrupt(self) -> None:
        """End the rehearsal under way at once; others may begin."""
        self._child.interrupt()

    def stop(self) -> None:
        """End the rehearsal under way at once, and let no other begin."""
        self._child.stop()

    def _running(self, bundle: Bundle) -> AbstractContextManager["subprocess.Popen[bytes]"]:
        task = replace(self._task, parent=os.getpid())
        return self._child.running(
            [*self._command, task.text(bundle.folder)],
            stdin=subprocess.DEVNULL,
            environment=environment_without(*SETTINGS, *SIGN_IN),  # it loads a graph that nobody has vouched for
            stopped=UnavailableError(f"{bundle} is not rehearsed, for the daemon stops"),
            unable=lambda reason: UnavailableError(f"{bundle} cannot be rehearsed: {reason}"),
        )


def _read(process: "subprocess.Popen[bytes]", patience: Patience) -> tuple[bytes, bytes]:
    """Return the end of what the process wrote to its two outputs, until it closed them or took too long."""
    kept: dict[int, bytes] = {}
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdout, process.stderr):
            _follow(selector, stream, kept)
        while selector.get_map() and (left := patience.left_s) > 0:
            for key, _ in selector.select(left):
                data = os.read(key.fd, MOST_KEPT_BYTES)
                kept[key.fd] = (kept[key.fd] + data)[-MOST_KEPT_BYTES:]
                if not data:
                    selector.unregister(key.fd)
    output, complaints = kept.values()
    return output, complaints


def _follow(selector: selectors.BaseSelector, stream: IO[bytes] | None, kept: dict[int, bytes]) -> None:
    if stream is not None:
        selector.register(stream.fileno(), selectors.EVENT_READ)
        kept[stream.fileno()] = b""


def _end_of(process: "subprocess.Popen[bytes]", patience: Patience) -> int | None:
    """Return the exit code, negative for a signal; None where the process took too long and had to be ended."""
    try:
        return process.wait(patience.left_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def _ending(code: int) -> str:
    """Say how a process ended that gave no verdict."""
    if code >= 0:
        return f"ended with exit code {code} and no verdict"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    if -code == signal.SIGKILL:
        return f"was killed ({name}, as the system does where memory runs out)"
    return f"{'was ended' if code in ASKED_TO_END else 'crashed'} ({name})"
