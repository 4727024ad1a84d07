"""Logs: what a person and a program read, without secrets, with every surprise in them."""

import io
import json
import logging
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from edge.console import result_line
from edge.errors import RegistryError
from edge.logs import formatter
from edge.results import Failure, ModelRef, Outcome, Result, Timing
from edge.tokens import mint


def record(message: str = "model ready", *, error: BaseException | None = None, **extra: Any) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error is not None else None
    return logging.getLogger("edge.test").makeRecord(
        "edge.test", logging.INFO, __file__, 1, message, (), info, extra=extra or None
    )


def as_json(one: logging.LogRecord, **options: Any) -> dict[str, Any]:
    line = formatter(text=False, colour=False, **options).format(one)
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line)
    return found


def as_text(one: logging.LogRecord, *, colour: bool = False, **options: Any) -> str:
    return formatter(text=True, colour=colour, **options).format(one)


def caught(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as raised:  # noqa: BLE001 - only to give it a traceback
        return raised


def test_a_record_is_one_json_object_a_line() -> None:
    """Time in UTC, level, logger, event, and the extra of the call as values, not text."""
    found = as_json(record("two\nlines", images=3, nested={"depth": 1.5}))
    assert found.pop("timestamp").endswith("Z")
    assert found == {
        "event": "two\nlines",
        "level": "info",
        "logger": "edge.test",
        "images": 3,
        "nested": {"depth": 1.5},
    }


def test_a_person_reads_a_plain_line() -> None:
    """Time, level and event in columns, then key=value; no control characters without colour, no name of ours."""
    line = as_text(record(images=3, model="parts:1", why="no disk", none=None))
    assert line[2] == line[5] == ":"
    assert line[8:] == "  info       model ready  images=3 model=parts:1 why='no disk' none=None"


def test_a_log_line_stands_in_the_columns_of_the_results() -> None:
    """On one terminal the event stands below the names of pictures, the level below the sources."""
    outcome = Outcome(Failure("ImageDecodeError", "no picture"), ModelRef("m", "1"), "CPU", Timing())
    shown = result_line(Result("01", 1, "d", "info", datetime(2026, 1, 2, tzinfo=UTC), outcome, "model ready"))
    assert as_text(record())[8:] == shown[8:].partition("  error: ")[0].rstrip()


def test_a_person_is_told_whose_line_it_is_where_it_is_not_ours() -> None:
    """The logger of a library is named."""
    one = logging.getLogger("paho").makeRecord("paho", logging.WARNING, __file__, 1, "away", (), None)
    assert as_text(one).endswith("  warning    away  logger=paho")


def test_colour_is_there_when_asked_for() -> None:
    """On a terminal that wants it."""
    assert "\x1b" in as_text(record(images=3), colour=True)


@pytest.mark.parametrize("render", [lambda one, **o: json.dumps(as_json(one, **o)), as_text], ids=["json", "text"])
@pytest.mark.parametrize(
    "one",
    [
        record(password="hunter2"),
        record(mqtt_password="hunter2", api_key="hunter2"),
        record(settings={"mqtt": {"token": "hunter2"}}),
        record(headers=[{"Authorization": "hunter2"}]),
        record("asked mqtt://user:hunter2@broker:1883/x"),
        record("sent Authorization: Bearer hunter2"),
        record("the known one is hunter2"),
        record("it failed", error=caught(ValueError("refused hunter2"))),
    ],
    ids=[
        "by name",
        "by part of the name",
        "nested",
        "in a list",
        "in an address",
        "bearer",
        "known value",
        "exception",
    ],
)
def test_secrets_are_masked(render: Any, one: logging.LogRecord) -> None:
    """By the name that they go under, by their look, or because they are known."""
    line = render(one, secrets=["hunter2"])
    assert "hunter2" not in line
    assert "***" in line


def test_a_minted_token_is_masked_wherever_it_stands() -> None:
    """Nobody knows it but its holder, so that only its form tells."""
    token = mint()
    assert token not in as_text(record(f"asked ?key={token}&x", where=[token]))
    assert "aedge_***" in as_text(record(f"asked {token}"))


def test_a_short_secret_blots_out_no_other_words() -> None:
    """A password of one letter is masked where it stands alone; the rest of the log stays readable."""
    assert "topics and *** as given" in as_text(record("topics and p as given"), secrets=["p"])


def test_an_exception_is_data_for_programs() -> None:
    """Type, text, places and causes; no local variables, which may hold pictures or secrets."""
    secret_local = "not to be shown"
    try:
        try:
            raise KeyError("label")
        except KeyError as error:
            raise ValueError("broken") from error
    except ValueError as error:
        found = as_json(record("it failed", error=error))
    assert [one["exc_type"] for one in found["exception"]] == ["ValueError", "KeyError"]
    assert found["exception"][0]["frames"][-1]["name"] == "test_an_exception_is_data_for_programs"
    assert secret_local not in json.dumps(found)


def test_an_exception_is_a_few_lines_for_a_person() -> None:
    """What it was, where it came from, what caused it; no wall of source lines."""
    error = ValueError("broken")
    error.__cause__ = KeyError("label")
    line = as_text(record("it failed", error=caught(error)))
    assert "ValueError: broken" in line
    assert "at tests/edge/test_logs.py:" in line
    assert "from KeyError: 'label'" in line
    assert "Traceback" not in line


def test_our_own_errors_need_no_places() -> None:
    """They name the thing and the remedy themselves."""
    line = as_text(record("registry away", error=caught(RegistryError("cannot read the folder; mount it"))))
    assert "RegistryError: cannot read the folder; mount it" in line
    assert " at " not in line


def run(code: str, *, form: str = "json") -> list[str]:
    """Run ``code`` in a process of its own under configured logs and return the lines of its stderr."""
    lead = f"import logging, sys, threading, warnings\nfrom edge.logs import configure\nconfigure({form!r}, 'info')\n"
    done = subprocess.run([sys.executable, "-c", lead + code], capture_output=True, text=True, timeout=60, check=False)
    return done.stderr.splitlines()


@pytest.mark.parametrize(
    ("code", "logger", "event"),
    [
        ("warnings.warn('careful')", "py.warnings", "careful"),
        ("1 / 0", "edge.logs", "uncaught exception"),
        ("t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()", "edge.logs", "uncaught exception"),
        (
            "logging.getLogger('uvicorn.error').error('Exception in ASGI application\\n')",
            "uvicorn.error",
            "Exception in ASGI",
        ),
        ("logging.getLogger('paho').warning('away')", "paho", "away"),
    ],
    ids=["warning", "uncaught", "uncaught in a thread", "uvicorn", "paho"],
)
def test_everything_goes_through_one_place(code: str, logger: str, event: str) -> None:
    """Libraries, warnings and exceptions that nobody catches: one JSON line each, nothing beside it."""
    lines = run(code)
    assert len(lines) == 1
    found = json.loads(lines[0])
    assert found["logger"] == logger
    assert event in found["event"]


def test_chatter_of_libraries_is_left_out() -> None:
    """What they tell at INFO is our own affair."""
    assert run("logging.getLogger('uvicorn.error').info('Started'); logging.getLogger('amqtt.broker').info('x')") == []


def test_broken_pictures_leave_no_trace() -> None:
    """Who sends them is told; anybody could fill the disk with them otherwise."""
    chatter = "import PIL.TiffImagePlugin as tiff; tiff.logger.error('odd'); "
    exif = "import PIL.Image; e = PIL.Image.Exif(); e.load(b'Exif\\0\\0II*\\0\\x08\\0\\0\\0\\x09\\0'); print(dict(e))"
    assert run(chatter + exif) == []


def test_levels_below_the_asked_one_are_left_out() -> None:
    """The level holds for ours as well."""
    assert run("logging.getLogger('edge').debug('x')") == []


def test_auto_is_json_away_from_a_terminal() -> None:
    """A pipe or a file is read by programs."""
    assert json.loads(run("logging.getLogger('edge').info('x')", form="auto")[0])["event"] == "x"


def test_configuring_twice_does_not_log_twice() -> None:
    """The second call takes the place of the first."""
    assert len(run("configure('json'); logging.getLogger('edge').info('x')")) == 1


def test_importing_changes_nothing() -> None:
    """No state at import: handlers and hooks come with configure."""
    code = "import logging, sys, edge.logs; print(logging.getLogger().handlers, sys.excepthook is sys.__excepthook__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[] True\n"


def test_a_value_that_json_does_not_know_is_written_as_text() -> None:
    """A log line must not fail because of what it logs."""
    assert as_json(record(thing=io.StringIO))["thing"] == "<class '_io.StringIO'>"
