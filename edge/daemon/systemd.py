"""Tells systemd how the service fares: datagrams of ``NAME=value`` lines to the socket that it names.

The protocol is that of sd_notify(3) and sd_watchdog_enabled(3): ``NOTIFY_SOCKET`` holds a path, or an ``@`` and a name
in the abstract namespace; ``WATCHDOG_USEC`` holds how often, in microseconds, systemd wants to hear of us at least,
where ``WATCHDOG_PID`` is us or is not given. Without the variables nothing is sent. Any program may stand in systemd's
place that reads such a socket.
"""

import logging
import os
import socket
from collections.abc import Mapping

SEND_TIMEOUT_S = 0.5
MAX_STATUS = 500

_log = logging.getLogger(__name__)


class Notifier:
    """The line to the service manager; does nothing where there is none."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._watchdog_s = _watchdog_s(environ) if self._address else None
        self._status = ""
        self._troubled = False

    @property
    def listened_to(self) -> bool:
        """Whether there is a service manager that listens."""
        return self._address is not None

    @property
    def ping_every_s(self) -> float | None:
        """How often the watchdog is to be told that all goes on: half of what systemd allows; None without one."""
        return None if self._watchdog_s is None else self._watchdog_s / 2

    def ready(self) -> None:
        """Say that the start is over."""
        self._send("READY=1")

    def stopping(self) -> None:
        """Say that the stop has begun."""
        self._send("STOPPING=1")

    def ping(self) -> None:
        """Say that all goes on."""
        self._send("WATCHDOG=1")

    def extend(self, seconds: float) -> None:
        """Ask for more time to start or stop: ``seconds`` from now on."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def status(self, text: str) -> None:
        """Say in one line how the service fares; a text that was said last is not said again."""
        line = " ".join(text.split())[:MAX_STATUS]
        if line != self._status:
            self._status = line
            self._send(f"STATUS={line}")

    def _send(self, line: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(SEND_TIMEOUT_S)
                sender.sendto(line.encode(), self._address)
        except OSError as error:
            if not self._troubled:
                _log.warning("the service manager cannot be told", extra={"line": line, "reason": str(error)})
            self._troubled = True
        else:
            self._troubled = False


def _address(named: str) -> str | None:
    """Return the socket's address, None where there is none of a kind that we know."""
    if named.startswith("@") and len(named) > 1:
        return "\0" + named[1:]
    if named and not named.startswith("/"):
        _log.warning(
            "NOTIFY_SOCKET names neither a path nor an abstract socket; nobody is told", extra={"socket": named}
        )
        return None
    return named or None


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    span, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not span.isdecimal() or int(span) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(span) / 1e6
