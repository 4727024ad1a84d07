"""Logs: stdlib logging everywhere, rendered here. A person's format on a terminal, one JSON object a line elsewhere.

Every record passes the same steps: time, level, the ``extra`` of the call, secrets masked, exceptions as data.
"""

import logging
import re
import sys
import threading
import traceback
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath
from types import TracebackType
from typing import Any, Literal, TextIO

import orjson
import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from edge.errors import EdgeError

Format = Literal["auto", "text", "json"]

MASK = "***"
FRAMES = 6
SHORT_SECRET = 8
QUIET = {
    "amqtt": logging.WARNING,
    "transitions": logging.WARNING,
    "asyncio": logging.WARNING,
    "uvicorn.error": logging.ERROR,  # warns of everything that is no HTTP, which anybody may send
    "python_multipart": logging.ERROR,  # warns of every broken form, which its sender has been told
    "PIL": logging.CRITICAL,  # tells of every broken picture, whose sender has been told too
}
"""Libraries that tell what is our own affair; they are shown from these levels on, and wholly at DEBUG."""

BOLD, DIM, RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"
LEVEL_COLOURS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m"}

_SECRET_NAME = re.compile(r"password|passwd|secret|token|authorization|credential|api_?key|private_?key", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"((?:Bearer|Basic)\s+)[^\s'\",]+|(://[^/\s:@]*:)[^/\s@]+(?=@)|(aedge_)[\w-]{43}", re.IGNORECASE
)

logger = logging.getLogger(__name__)


def configure(
    form: Format = "auto",
    level: str = "INFO",
    *,
    stream: TextIO | None = None,
    secrets: Iterable[str] = (),
    colour: bool | None = None,
) -> None:
    """Send all records to ``stream`` (stderr), in place of what was set up before.

    ``auto`` is ``text`` on a terminal and ``json`` elsewhere. ``secrets`` are values to mask wherever they stand.
    ``colour`` None means on a terminal only; the caller passes False where NO_COLOR is set. Warnings and exceptions
    that nothing catches become records too.
    """
    target = stream or sys.stderr
    tty = target.isatty()
    text = form == "text" or (form == "auto" and tty)
    shown = logging.StreamHandler(target)
    shown.setFormatter(formatter(text=text, colour=tty if colour is None else colour, secrets=secrets))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(shown)
    root.setLevel(level.upper())
    _quieten(root.level)
    logging.captureWarnings(capture=True)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # as with its log: any sender could fill the disk with them
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _quieten(level: int) -> None:
    for name, quiet in QUIET.items():
        logging.getLogger(name).setLevel(logging.NOTSET if level <= logging.DEBUG else max(quiet, level))


def formatter(*, text: bool, colour: bool, secrets: Iterable[str] = ()) -> logging.Formatter:
    """Return the formatter: a person's lines where ``text``, else JSON."""
    last: Processor
    if text:
        exceptions = structlog.processors.ExceptionRenderer(_for_a_person)
        last = _Person(colour=colour)
    else:
        shape = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=2 * FRAMES)
        exceptions = structlog.processors.ExceptionRenderer(shape)
        last = structlog.processors.JSONRenderer(serializer=_json)
    return structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, exceptions, _Mask(secrets), last],
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if text else "iso", utc=not text),
            _drop_noise,
        ],
    )


def _json(value: Any, **_: Any) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class _Person:
    """A person's line: time, level, event, ``key=value``, in the columns of :func:`edge.console.result_line`.

    The logger is named where it is not ours, and at DEBUG: our own events say where they belong.
    """

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> str:
        """Return the record as text (a structlog renderer)."""
        rest = dict(event)
        clock, level, text = rest.pop("timestamp"), rest.pop("level"), rest.pop("event")
        name, exception = rest.pop("logger", ""), rest.pop("exception", None)
        if level == "debug" or not name.startswith(("edge.", "training.")):
            rest["logger"] = name
        shade = LEVEL_COLOURS.get(level, "")
        values = " ".join(f"{key}={_plain(value)}" for key, value in rest.items())
        line = f"{clock}  {self._painted(shade, f'{level:<10}')} {self._painted(shade and BOLD, text)}"
        if values:
            line += f"  {self._painted(DIM, values)}"
        return f"{line}\n{exception}" if exception else line

    def _painted(self, code: str, text: str) -> str:
        return f"{code}{text}{RESET}" if self._colour and code else text


def _plain(value: Any) -> str:
    """Return ``value`` as text; quoted where it would not be told from what stands around it."""
    text = str(value)
    return repr(text) if not text or not text.isprintable() or set(text) & set(" ='\"") else text


def _drop_noise(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event.pop("color_message", None)
    event["event"] = str(event["event"]).strip()
    return event


def _pattern(secret: str) -> str:
    """Return what finds a secret; a short one counts as a whole word only, or it would blot out parts of others."""
    found = re.escape(secret)
    return found if len(secret) >= SHORT_SECRET else rf"(?<!\w){found}(?!\w)"


class _Mask:
    """Masks values by the name they go under, by what they look like, and those that are known."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = sorted(filter(None, secrets), key=len, reverse=True)
        self._known = re.compile("|".join(map(_pattern, known))) if known else None

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        """Return the record without secrets (a structlog processor)."""
        return {key: self._value(key, value) for key, value in event.items()}

    def _value(self, name: object, value: Any) -> Any:
        if isinstance(name, str) and _SECRET_NAME.search(name) and value is not None:
            return MASK
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return {key: self._value(key, inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(None, inner) for inner in value]
        return value

    def _text(self, text: str) -> str:
        masked = _SECRET_TEXT.sub(lambda found: (found[1] or found[2] or found[3]) + MASK, text)
        return self._known.sub(MASK, masked) if self._known else masked


def _for_a_person(exc_info: ExcInfo) -> str:
    """Return an exception without source lines: what it was, the innermost places it passed, what caused it.

    An EdgeError says itself what is wrong, so that its places are left out.
    """
    return "\n".join(_lines(exc_info[1]))


def _lines(error: BaseException) -> Iterator[str]:
    yield f"  {type(error).__name__}: {error}"
    if not isinstance(error, EdgeError):
        for frame in reversed(traceback.extract_tb(error.__traceback__)[-FRAMES:]):
            yield f"    at {'/'.join(PurePath(frame.filename).parts[-3:])}:{frame.lineno} in {frame.name}"
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield f"  from {type(cause).__name__}: {cause}"


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logger.critical("uncaught exception", exc_info=(kind, error, trace))


def _uncaught_in_thread(found: threading.ExceptHookArgs) -> None:
    if found.exc_value is not None and not issubclass(found.exc_type, SystemExit):
        name = found.thread.name if found.thread is not None else "?"
        logger.critical(
            "uncaught exception",
            exc_info=(found.exc_type, found.exc_value, found.exc_traceback),
            extra={"thread_name": name},
        )
