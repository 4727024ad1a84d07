"""A trial's process from outside: what it says, what it is answered, and why it ended."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edge.children import last_line
from edge.limits import SETTINGS, SIGN_IN, environment_without
from training.local.run import Epoch
from training.local.sweep.places import Broken, Fitted, News, Reported
from training.local.sweep.trial import ON

LOG_FILE = "trial.log"
"""What a trial complains of, in its folder."""
LOG_TAIL = 4096
Program = Callable[[Path], Sequence[str]]
"""The command of a trial's process, of its folder; the process is told its parent's number too."""


def trial_program(folder: Path) -> Sequence[str]:
    """Return the command that fits the run in a folder."""
    return (sys.executable, "-m", "training.local.sweep.trial", str(folder))


class TrialProcess:
    """Runs while its block does. The thread that opens it must stay: the process ends with it."""

    def __init__(self, number: int, folder: Path, program: Sequence[str]) -> None:
        self._number = number
        self._log = folder / LOG_FILE
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program, no shell
                [*program, str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment_without(*SETTINGS, *SIGN_IN),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()
        with suppress(BrokenPipeError):  # an answer that it did not live to read
            self._process.__exit__(kind, error, at)

    def kill(self) -> None:
        """End it at once; any thread may."""
        self._process.kill()

    def answer(self, *, going: bool) -> None:
        """Tell it whether to go on."""
        if self._process.stdin is None:
            return
        with suppress(BrokenPipeError):  # it has died meanwhile; its last news will say so
            self._process.stdin.write(f"{ON if going else 'enough'}\n".encode())
            self._process.stdin.flush()

    def news(self) -> Iterator[News]:
        """Yield what it tells; the last is how it ended."""
        for line in self._process.stdout or ():
            news = read_news(self._number, line)
            if news is not None:
                yield news
            if isinstance(news, Fitted | Broken):
                return
        yield Broken(self._number, self._last_words(self._process.wait()))

    def _last_words(self, code: int) -> str:
        with self._log.open("rb") as log:
            log.seek(max(0, self._log.stat().st_size - LOG_TAIL))
            said = last_line(log.read())
        if code == -signal.SIGKILL:
            return "was killed, as the system does when memory runs out; set a smaller training_batch_size"
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"{how}{said}"


def write_news(news: News) -> str:
    """Return the line that tells what :func:`read_news` reads."""
    if isinstance(news, Reported):
        return json.dumps({"epoch": asdict(news.epoch)})
    if isinstance(news, Fitted):
        return json.dumps({"fitted": asdict(news.best), "asked": news.asked})
    return json.dumps({"broken": news.reason, "disk": news.disk})


def read_news(number: int, line: bytes | str) -> News | None:
    """Return what a line tells; None where it tells nothing: half a line of one that was killed."""
    try:
        said: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    if "epoch" in said:
        return Reported(number, Epoch(**said["epoch"]))
    if "fitted" in said:
        return Fitted(number, Epoch(**said["fitted"]), bool(said["asked"]))
    return Broken(number, str(said["broken"]), bool(said.get("disk")))
