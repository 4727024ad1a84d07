"""Starts the process that talks to Azure, one at a time, hears its answer, and ends it where it hangs or nobody waits.

The inquiry, which may hold a secret, goes in over standard input: command lines and environments can be seen by others.
"""

import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from edge.children import Child, last_line
from edge.errors import RegistryError
from edge.limits import SETTINGS, environment_without
from edge.registry.inquiry import Failure, Inquiry, Message, Progress, parse_message

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the package, wherever it is installed."""
PROGRAM = "import runpy, sys; sys.path.append(sys.argv[1]); runpy.run_module('edge.azureml', run_name='__main__')"
"""Finds this very package, installed or not, without putting its folder before the standard library as ``-m`` would."""
COMMAND = (sys.executable, "-P", "-c", PROGRAM, str(ROOT))
START_S = 120.0
"""How much longer than an answer of Azure's a silence may be: the SDK's start on a slow device, and its retries."""
MOST_LINE_BYTES = 16 << 20
MOST_KEPT_BYTES = 64 << 10
"""How much of what the process complains of is kept: the last of it."""
READ_BYTES = 64 << 10
LAST_WORDS_S = 1.0
"""How long a process that said all it will may take to end."""
MISSING = "the packages for Azure are not installed: pip install 'automl-edge[azure]'"

Heard = Callable[[Progress], object]


class FailedError(RegistryError):
    """The process says why there is no answer."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class InterruptedLookError(RegistryError):
    """Nobody waits for the answer any more."""


class AzureProcess:
    """Asks one thing after another, each in a process of its own. Thread-safe: whoever comes second waits.

    ``command`` starts a process that is spoken to as :mod:`edge.registry.inquiry` says. ``start_s``: see
    :data:`START_S`.
    """

    def __init__(self, *, command: Sequence[str] = COMMAND, start_s: float = START_S) -> None:
        self._command = tuple(command)
        self._start_s = start_s
        self._child = Child()
        self._turn = threading.Lock()

    def __call__(self, inquiry: Inquiry, *, heard: Heard = lambda _: None) -> Message:
        """Return the answer; ``heard`` hears of its progress.

        Raises FailedError with the process's own reason, InterruptedLookError, and RegistryError where it crashed, hung
        or made no sense.
        """
        with self._turn:
            try:
                with self._running() as process:
                    answer = self._answer(process, inquiry, heard)
            except RegistryError as error:
                self._raise_interrupted(error)
                raise
        if isinstance(answer, Failure):
            raise FailedError(answer)
        return answer

    def interrupt(self) -> None:
        """End the process under way at once; others may begin."""
        self._child.interrupt()

    def close(self) -> None:
        """End the process under way at once, and let no other begin."""
        self._child.stop()

    def _raise_interrupted(self, error: RegistryError) -> None:
        if self._child.stopped:
            raise InterruptedLookError("Azure is not asked any more: the daemon stops") from error
        if self._child.interrupted:
            raise InterruptedLookError("the question to Azure was dropped, for another one") from error

    def _running(self) -> AbstractContextManager["subprocess.Popen[bytes]"]:
        return self._child.running(
            self._command,
            stdin=subprocess.PIPE,
            environment=environment_without(*SETTINGS),
            stopped=RegistryError("closed"),
            unable=lambda reason: RegistryError(f"Azure cannot be asked: {reason}"),
        )

    def _answer(self, process: "subprocess.Popen[bytes]", inquiry: Inquiry, heard: Heard) -> Message:
        silence_s = inquiry.azure.timeout_s + self._start_s
        conversation = _Conversation(process, silence_s=silence_s, heard=heard)
        conversation.say(inquiry.line())
        answer = conversation.answer()
        if answer is not None:
            return answer
        said = conversation.last_words.replace(inquiry.azure.client_secret or "\0", "***")
        if conversation.is_silent:
            raise RegistryError(f"Azure cannot be asked: nothing came for {silence_s:g} s (azure.timeout_s){said}")
        if conversation.nonsense:
            raise RegistryError(f"Azure cannot be asked: the process for it wrote what is no answer{said}")
        if "No module named 'azure" in said:
            raise RegistryError(MISSING)
        raise RegistryError(f"Azure cannot be asked: the process for it {_ending(process)}{said}")


class _Conversation:
    """What is said to a process, and what it says until it comes to an answer, ends, or is silent for too long."""

    def __init__(self, process: "subprocess.Popen[bytes]", *, silence_s: float, heard: Heard) -> None:
        self._process = process
        self._silence_s = silence_s
        self._heard = heard
        self._complaints = b""
        self._rest = b""
        self._ended = False
        self.is_silent = False
        self.nonsense = False

    def say(self, line: bytes) -> None:
        """Send a line; a process that has ended already is found out when it is listened to."""
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.write(line)
                self._process.stdin.flush()
            with suppress(OSError):
                self._process.stdin.close()

    def answer(self) -> Message | None:
        """Return the answer; None where there is none, for a reason that this object then knows."""
        answer: Message | None = None
        quiet_since = time.monotonic()
        with selectors.DefaultSelector() as selector:
            self._listen_to(selector)
            while answer is None and not self.nonsense and not self._ended:
                ready = selector.select(max(0.0, quiet_since + self._silence_s - time.monotonic()))
                self.is_silent = self._ended = not ready
                for key, _ in ready:
                    data = os.read(key.fd, READ_BYTES)
                    if not data:
                        self._ended |= key.fileobj is self._process.stdout
                        selector.unregister(key.fileobj)
                    elif key.fileobj is self._process.stderr:
                        self._complaints = (self._complaints + data)[-MOST_KEPT_BYTES:]
                    else:
                        quiet_since = time.monotonic()
                        answer = self._said(data)
            self._hear_out(selector)
        return answer

    def _hear_out(self, selector: selectors.BaseSelector) -> None:
        """Take what a process that ended still complained of; others that it started may hold its pipe open."""
        while self._ended and not self.is_silent and selector.get_map():
            ready = selector.select(LAST_WORDS_S)
            data = b"".join(os.read(key.fd, READ_BYTES) for key, _ in ready)
            if not data:
                return
            self._complaints = (self._complaints + data)[-MOST_KEPT_BYTES:]

    def _listen_to(self, selector: selectors.BaseSelector) -> None:
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ)

    def _said(self, data: bytes) -> Message | None:
        """Take what came; return the answer where it is among it."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MOST_LINE_BYTES:
            self.nonsense = True
        for line in lines:
            try:
                message = parse_message(line)
            except ValueError:
                self.nonsense = True
                self._complaints += b"\n" + line
                return None
            if not isinstance(message, Progress):
                return message
            self._heard(message)
        return None

    @property
    def last_words(self) -> str:
        """The last line that the process complained in, as the end of a sentence; empty without one."""
        return last_line(self._complaints)


def _ending(process: "subprocess.Popen[bytes]") -> str:
    """Say how a process ended that gave no answer, and says nothing more."""
    try:
        code = process.wait(LAST_WORDS_S)
    except subprocess.TimeoutExpired:
        return "says nothing more"
    if code >= 0:
        return f"ended with exit code {code} and no answer"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    by_system = ", as the system does where memory runs out" if -code == signal.SIGKILL else ""
    return f"was ended ({name}{by_system})"
