"""What a person at the terminal sees of the running daemon: where to look, and results as they come.

Writing happens in a thread of its own: a terminal that is held up (Ctrl-S, a pager) costs lines, never results.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TextIO

from edge.results import Failure, Result

WAITING_LINES = 1000
NAME_COLUMNS = 28


def result_line(result: Result) -> str:
    """Return one line for one result: local time, source, picture, label, score, milliseconds."""
    clock = result.captured_at.astimezone().strftime("%H:%M:%S")
    name = shortened(result.name or result.correlation_id or "", NAME_COLUMNS)
    prediction = result.outcome.prediction
    if isinstance(prediction, Failure):
        return f"{clock}  {result.source:<10} {name:<{NAME_COLUMNS}}  error: {prediction.detail}"
    labels = prediction.label if prediction.selected is None else ", ".join(prediction.selected) or "-"
    spent = f"{result.outcome.timing.total_ms:.1f} ms"
    return f"{clock}  {result.source:<10} {name:<{NAME_COLUMNS}}  {labels:<12} {prediction.score:5.3f}  {spent:>9}"


def shortened(text: str, columns: int) -> str:
    """Return ``text``, cut at its beginning where it needs more than ``columns``."""
    return text if len(text) <= columns else "…" + text[1 - columns :]


def banner(title: str, rows: Sequence[tuple[str, str]]) -> str:
    """Return the lines that tell where to look: a title, then ``what  where`` rows in columns."""
    width = max((len(what) for what, _ in rows), default=0)
    return "\n".join([title, *(f"  {what:<{width}}  {where}" for what, where in rows)])


class Console:
    """Writes lines to a stream in the order they came; too many waiting ones are left out and counted."""

    def __init__(self, stream: TextIO, *, show: Callable[[Result], str] = result_line) -> None:
        self._stream = stream
        self._show = show
        self._lines: queue.Queue[str | None] = queue.Queue(WAITING_LINES)
        self._left_out = 0
        self._writer = threading.Thread(target=self._write, name="console", daemon=True)
        self._writer.start()

    def observe(self, result: Result) -> None:
        """Show a result; an :data:`edge.ports.Observer`."""
        self.show(self._show(result))

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
