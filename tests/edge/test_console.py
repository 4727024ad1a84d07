"""What the terminal shows, and that a slow terminal holds nothing up."""

import io
import os
import pty
import threading
from contextlib import closing
from datetime import UTC, datetime
from fcntl import ioctl
from struct import pack
from termios import TIOCSWINSZ

import pytest

from edge.console import WAITING_LINES, Console, banner, columns_of, result_line, shortened
from edge.results import Classification, Failure, ModelRef, Outcome, Prediction, Result, Timing


def result(prediction: Prediction, name: str | None = "part.png") -> Result:
    outcome = Outcome(prediction, ModelRef("m", "1"), "CPU", Timing(queue_ms=1.0, inference_ms=5.25))
    return Result("01", 1, "d", "belt", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), outcome, name)


def test_a_result_is_one_line() -> None:
    """Source, picture, label, score and time stand in columns."""
    line = result_line(result(Classification("Crazing", 0.9981, ("Crazing",), (0.9981,))))
    assert line.split()[1:] == ["belt", "part.png", "Crazing", "0.998", "6.2", "ms"]


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_a_line_fits_the_terminal(columns: int) -> None:
    """The picture's name gets more or less room; the score and the time stay in sight."""
    prediction = Classification("Crazing", 0.9981, ("Crazing",), (0.9981,))
    for name in ("part.png", "a/long/way/down/to/a/folder/of/pictures/part.png"):
        line = result_line(result(prediction, name), columns)
        assert len(line) == columns
        assert "art.png" in line


def test_the_width_is_that_of_the_terminal_now() -> None:
    """A terminal tells its columns, also after it was resized; what is no terminal counts as 80."""
    ours, theirs = pty.openpty()
    try:
        with closing(os.fdopen(theirs, "w")) as terminal:
            for columns in (60, 100):
                ioctl(ours, TIOCSWINSZ, pack("HHHH", 24, columns, 0, 0))
                assert columns_of(terminal) == columns
    finally:
        os.close(ours)
    assert columns_of(io.StringIO()) == 80


def test_names_cannot_steer_the_terminal() -> None:
    """Control characters in names that others chose are shown as question marks."""
    line = result_line(result(Failure("ImageDecodeError", "no picture"), "\x1b[2Jpart.png"))
    assert "?[2Jpart.png" in line
    assert line.isprintable()


def test_multi_label_shows_what_was_selected() -> None:
    """All selected labels are shown, or a dash for none."""
    prediction = Classification("a", 0.9, ("a", "b", "c"), (0.9, 0.8, 0.1), ("a", "b"))
    assert "a, b" in result_line(result(prediction))
    assert " - " in result_line(result(Classification("a", 0.2, ("a",), (0.2,), ())))


def test_a_failure_says_why() -> None:
    """A bad picture's line carries the reason."""
    assert result_line(result(Failure("ImageDecodeError", "no picture"))).endswith("error: no picture")


def test_long_names_keep_their_end() -> None:
    """The end of a path tells pictures apart."""
    assert shortened("abcdefgh", 4) == "…fgh"
    assert shortened("abcd", 4) == "abcd"


def test_banner_lines_up() -> None:
    """The places to look stand in a column."""
    assert banner("edge", [("docs", "u"), ("predict", "v")]) == "edge\n  docs     u\n  predict  v"


class HeldTerminal(io.StringIO):
    """A terminal that takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def write(self, text: str) -> int:
        self.let_go.wait(10)
        return super().write(text)


def test_a_held_terminal_costs_lines_only() -> None:
    """While the terminal takes nothing, showing returns at once; what was left out is counted."""
    terminal = HeldTerminal()
    console = Console(terminal)
    for i in range(WAITING_LINES + 50):
        console.show(f"line {i}")
    terminal.let_go.set()
    console.close(timeout_s=10)
    lines = terminal.getvalue().splitlines()
    assert lines[0] == "line 0"
    assert any(line.startswith("… ") and "not shown" in line for line in lines)


def test_a_closed_pipe_ends_showing_only() -> None:
    """A reader that goes away (``| head``) does no harm."""
    stream = io.StringIO()
    console = Console(stream)
    stream.close()
    console.show("a")
    console.show("b")
    console.close()
