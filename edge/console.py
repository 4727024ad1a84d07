"""What a person at the terminal sees of the running daemon: where to look, and results as they come.

Writing happens in a thread of its own: a terminal that is held up (Ctrl-S, a pager) costs lines, never results.
"""

import os
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TextIO

from edge.results import Failure, Result

WAITING_LINES = 1000
COLUMNS = 80
OTHER_COLUMNS = 52
NAME_COLUMNS = range(8, 49)


def result_line(result: Result, columns: int = COLUMNS) -> str:
    """Return one line for one result: local time, source, picture, label, score, milliseconds.

    The picture's name gets what ``columns`` leave; the columns before it are those of :mod:`edge.logs`.
    """
    clock = result.captured_at.astimezone().strftime("%H:%M:%S")
    width = min(max(columns - OTHER_COLUMNS, NAME_COLUMNS.start), NAME_COLUMNS.stop - 1)
    name = shortened(result.name or result.correlation_id or "", width)
    lead = f"{clock}  {printable(result.source):<10} {name:<{width}}"
    prediction = result.outcome.prediction
    if isinstance(prediction, Failure):
        return f"{lead}  error: {prediction.detail}"
    labels = prediction.label if prediction.selected is None else ", ".join(prediction.selected) or "-"
    spent = f"{result.outcome.timing.total_ms:.1f} ms"
    return f"{lead}  {labels:<12} {prediction.score:5.3f}  {spent:>9}"


def columns_of(stream: TextIO) -> int:
    """Return how many columns the terminal behind ``stream`` has now; 80 where there is none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or COLUMNS
    except (OSError, ValueError):  # no terminal, no file, or a closed one
        return COLUMNS


def shortened(text: str, columns: int) -> str:
    """Return ``text``, cut at its beginning where it needs more than ``columns``; it cannot steer a terminal."""
    text = printable(text)
    return text if len(text) <= columns else "…" + text[1 - columns :]


def printable(text: str) -> str:
    """Return ``text`` with ``?`` for each control character: files and MQTT senders choose names, not we."""
    return "".join(one if one.isprintable() else "?" for one in text)


def banner(title: str, rows: Sequence[tuple[str, str]]) -> str:
    """Return the lines that tell where to look: a title, then ``what  where`` rows in columns."""
    width = max((len(what) for what, _ in rows), default=0)
    return "\n".join([title, *(f"  {what:<{width}}  {where}" for what, where in rows)])


class Console:
    """Writes lines to a stream in the order they came; too many waiting ones are left out and counted."""

    def __init__(self, stream: TextIO, *, show: Callable[[Result, int], str] = result_line) -> None:
        self._stream = stream
        self._show = show
        self._lines: queue.Queue[str | None] = queue.Queue(WAITING_LINES)
        self._left_out = 0
        self._writer = threading.Thread(target=self._write, name="console", daemon=True)
        self._writer.start()

    def observe(self, result: Result) -> None:
        """Show a result; an :data:`edge.ports.Observer`."""
        self.show(self._show(result, columns_of(self._stream)))

    def show(self, text: str) -> None:
        """Show a text without waiting for the terminal."""
        try:
            self._lines.put_nowait(text)
        except queue.Full:
            self._left_out += 1

    def close(self, *, timeout_s: float = 1.0) -> None:
        """Write what waits, for at most ``timeout_s``."""
        with suppress(queue.Full):
            self._lines.put(None, timeout=timeout_s)
            self._writer.join(timeout_s)

    def _write(self) -> None:
        while (text := self._lines.get()) is not None:
            left_out, self._left_out = self._left_out, 0
            if left_out:
                text += f"\n… {left_out} lines not shown: the terminal was too slow"
            if not self._written(text):
                return

    def _written(self, text: str) -> bool:
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # the reader is gone; results go on elsewhere
            return False
        return True
