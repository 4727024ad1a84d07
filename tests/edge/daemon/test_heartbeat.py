"""The watchdog hears of the daemon only while real work gets on. The parts are real, their clock is the test's."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from edge.api.feed import Feed
from edge.api.server import HttpServer
from edge.daemon.heartbeat import Heartbeat, signs_of, told
from edge.daemon.progress import STUCK_S, Progress, Pulse, Sign
from edge.daemon.systemd import Notifier
from edge.execution.delivery import Delivery
from edge.ports import Executor, Frame, Priority
from edge.rollout import Watch
from tests.edge.execution.echo import EchoSession, echo_model, lanes
from tests.mosquitto import until
from tests.notified import NotifySocket

STATUS = {"model": {"name": "a", "version": "1"}, "provider": "CPU", "problems": [], "progress": {"stuck": []}}
WATCHDOG_S = 10.0


async def answers_nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Stand in for an application."""


class Daemon:
    """The parts that the watchdog asks about, and a clock."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.now = 100.0
        self.gate = threading.Event()
        stack.callback(self.gate.set)
        self.executor: Executor = lanes(workers=1)
        stack.callback(self.executor.close)
        self.executor.swap(echo_model(session=EchoSession(gate=self.gate)))
        self.delivery = Delivery(self.executor, device="press-7")
        self.server = stack.enter_context(HttpServer(answers_nothing, feed=Feed(), host="127.0.0.1", port=0))
        self.watch = Watch(lambda: None, poll_s=0.01)
        stack.callback(self.watch.close)
        self.service = stack.enter_context(NotifySocket(str(folder / "notify")))
        environ = {"NOTIFY_SOCKET": self.service.name, "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6))}
        signs = signs_of(
            server=self.server,
            work=self.delivery.tally,
            publisher=None,
            watch=self.watch,
            pulse=Pulse(),
            sources=(),
            load_s=1.0,
            clock=lambda: self.now,
        )
        self.progress = Progress(signs)
        self.heartbeat = Heartbeat(self.progress, Notifier(environ), lambda: STATUS, clock=lambda: self.now)

    def submit(self) -> Any:
        return self.delivery.emit(Frame(b"7", "belt", datetime.now(UTC), priority=Priority.TRIGGER))

    def pass_by(self, seconds: float) -> None:
        """Let the daemon look once a second, its loop and its watch turning meanwhile."""
        for _ in range(int(seconds)):
            self.now += 1.0
            beats, looks = self.server.beats, self.watch.looks
            self.heartbeat.round()
            until(partial(self._turned, beats, looks))

    def _turned(self, beats: int, looks: int) -> bool:
        return self.server.beats > beats and self.watch.looks > looks

    def pings_in(self, seconds: float) -> int:
        before = self.service.count("WATCHDOG=1")
        self.pass_by(seconds)
        self.heartbeat._notifier.status(f"mark {self.now}")  # noqa: SLF001 - told last, so that all before it has come
        self.service.until(f"STATUS=mark {self.now}")
        return self.service.count("WATCHDOG=1") - before


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with ExitStack() as stack:
        yield Daemon(tmp_path, stack)


def test_an_idle_daemon_pings(daemon: Daemon) -> None:
    """Twice in the time that systemd allows, for as long as nothing is stuck."""
    assert daemon.pings_in(4 * STUCK_S) == pytest.approx(4 * STUCK_S / (WATCHDOG_S / 2), abs=1)


def test_a_daemon_whose_lanes_are_blocked_stops_pinging(daemon: Daemon) -> None:
    """A picture that was taken and to which nothing happens: no ping, a reason in the status, until it moves again."""
    picture = daemon.submit()
    assert daemon.pings_in(STUCK_S) > 0
    assert daemon.pings_in(STUCK_S) == 0
    assert [one["part"] for one in daemon.progress.status()["stuck"]] == ["execution"]
    daemon.gate.set()
    picture.result(10)
    assert daemon.pings_in(STUCK_S) > 0
    assert daemon.progress.status()["moving"]


def test_a_busy_daemon_pings(daemon: Daemon) -> None:
    """However many wait: as long as some are answered."""
    daemon.gate.set()
    for _ in range(2):
        daemon.submit().result(10)
        assert daemon.pings_in(STUCK_S - 5) > 0


def test_a_server_that_has_ended_stops_the_pings(daemon: Daemon) -> None:
    """Its loop answers no heartbeat any more."""
    daemon.server.close()
    for _ in range(int(STUCK_S) + 2):
        daemon.now += 1.0
        daemon.heartbeat.round()
    assert list(daemon.progress.stuck) == ["http"]


def test_a_look_may_hang_and_the_time_to_the_next_may_be_long(daemon: Daemon) -> None:
    """A device that asks Azure once an hour must not be ended for it; one whose look never ends must."""
    watch = Watch(lambda: None, poll_s=3600, first=partial(_wait, daemon.gate))
    try:
        signs = signs_of(
            server=None,
            work=daemon.delivery.tally,
            publisher=None,
            watch=watch,
            pulse=Pulse(),
            sources=(),
            load_s=1.0,
            clock=lambda: daemon.now,
        )
        assert _stuck_within(daemon, signs, 3600) == ["rollout"]
        daemon.gate.set()
        until(lambda: watch.looks == 1 and not watch.due)
        assert _stuck_within(daemon, signs, 3600) == []
    finally:
        daemon.gate.set()
        watch.close()


def _wait(gate: threading.Event) -> None:
    gate.wait(60)


def _stuck_within(daemon: Daemon, signs: Sequence[Sign], seconds: int) -> list[str]:
    """Look once a second; return what is stuck at the end."""
    progress = Progress(signs)
    for _ in range(seconds):
        daemon.now += 1.0
        progress.look()
    return list(progress.stuck)


def test_more_time_to_start_is_asked_for_while_the_start_gets_on(daemon: Daemon) -> None:
    """So that no limit in the unit has to fit every model."""
    daemon.heartbeat.round(starting=True)
    daemon.service.until("EXTEND_TIMEOUT_USEC=60000000")


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (STATUS, "serves a:1 on CPU"),
        (STATUS | {"model": None, "problems": ["no model serves"]}, "not ready; no model serves"),
        (
            STATUS | {"progress": {"stuck": [{"part": "http", "reason": "nothing has moved for 31 s"}]}},
            "http is stuck: nothing has moved for 31 s; serves a:1 on CPU",
        ),
    ],
    ids=["serves", "not ready", "stuck"],
)
def test_what_systemctl_shows(status: dict[str, Any], line: str) -> None:
    """Model and provider, or why nothing serves, and first of all what hangs."""
    assert told(status) == line
