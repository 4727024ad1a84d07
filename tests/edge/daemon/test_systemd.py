"""What systemd is told, read from a socket as systemd has one."""

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from edge.daemon.systemd import Notifier
from tests.notified import NotifySocket


@pytest.fixture(params=["path", "abstract"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NotifySocket]:
    name = f"@automl-edge-test-{secrets.token_hex(8)}" if request.param == "abstract" else str(tmp_path / "notify")
    with NotifySocket(name) as listening:
        yield listening


def test_start_status_and_stop_are_told(service: NotifySocket) -> None:
    """One datagram each, over a path and over the abstract namespace; a status that is the same is not repeated."""
    notifier = Notifier({"NOTIFY_SOCKET": service.name})
    assert notifier.listened_to
    notifier.status("serves a:1\non CPU")
    notifier.status("serves a:1 on CPU")
    notifier.ready()
    notifier.ping()
    notifier.extend(1.5)
    notifier.stopping()
    service.until("STOPPING=1")
    assert service.lines == [
        "STATUS=serves a:1 on CPU", "READY=1", "WATCHDOG=1", "EXTEND_TIMEOUT_USEC=1500000", "STOPPING=1"
    ]  # fmt: skip


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_systemd_nothing_happens(environ: dict[str, str]) -> None:
    """Neither is an unknown kind of socket a reason to fail."""
    notifier = Notifier(environ | {"WATCHDOG_USEC": "1000000"})
    assert not notifier.listened_to
    assert notifier.ping_every_s is None
    notifier.ready()


def test_a_manager_that_is_gone_is_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The daemon goes on."""
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    notifier.ready()
    notifier.ping()
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def fill(name: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(BlockingIOError):
        sender.setblocking(False)
        while True:
            sender.sendto(b"x", name)


def test_a_manager_that_reads_nothing_does_not_hold_up_the_daemon(tmp_path: Path) -> None:
    """Its queue is full and stays so: sending gives up."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "notify"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        fill(str(tmp_path / "notify"))
        notifier.ping()


@pytest.mark.parametrize(
    ("environ", "every_s"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "often"}, None),
        ({}, None),
    ],
)
def test_how_often_the_watchdog_is_told(environ: dict[str, str], every_s: float | None) -> None:
    """Twice in the time that systemd allows; never where the watchdog watches another process or none."""
    assert Notifier({"NOTIFY_SOCKET": "/run/notify"} | environ).ping_every_s == every_s
