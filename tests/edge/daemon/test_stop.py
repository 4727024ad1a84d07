"""Stopping the real daemon in the middle of what it does."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.daemon import RunningDaemon, running
from tests.edge.daemon.test_run import RED, register
from tests.fakes import CREATED_AT, GraphOptions, make_bundle
from tests.mosquitto import Mosquitto, needs_mosquitto, until
from tests.notified import NotifySocket

SHORT: dict[str, Any] = {"EDGE_DAEMON__STOP_TIMEOUT_S": "2"}
IN_TIME_S = 4.0
"""What a short stop may take, with what a busy machine needs to end a process."""
ENDLESS = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n12345"
"""What a client sends whose picture never comes to its end."""
SLOW_ANSWER = 500
"""Products of matrices in a run of the model: many such answers take longer than the shortest stop."""
SLOW_RUN = 400_000
"""Products of matrices in a run of the model: far more than any test waits for."""


def stopped_in(daemon: RunningDaemon, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
    """Stop the daemon; return exit code and seconds."""
    began = time.monotonic()
    return daemon.stop(number), time.monotonic() - began


def register_slow(folder: Path, version: str, *, slowness: int = SLOW_RUN) -> None:
    """Register a version whose proof takes longer than any stop."""
    staged = folder / f"slow-{version}"
    created_at = CREATED_AT + timedelta(days=int(version))
    make_bundle(staged, version=version, created_at=created_at, graph=GraphOptions(slowness=slowness))
    target = folder / "models" / "colours" / version
    target.parent.mkdir(parents=True, exist_ok=True)
    staged.rename(target)


@contextmanager
def started(folder: Path, **options: Any) -> Iterator[RunningDaemon]:
    """Give a daemon that answers over HTTP, ready or not."""
    daemon = RunningDaemon(folder, **options)
    try:
        until(lambda: daemon.process.poll() is not None or lives(daemon), within_s=30, what="an answer")
        yield daemon
    finally:
        daemon.process.kill()
        daemon.process.wait()


def lives(daemon: RunningDaemon) -> bool:
    try:
        return httpx.get(f"{daemon.url}/livez").status_code == 200
    except httpx.TransportError:
        return False


class Asking:
    """Clients that ask without a pause until they are sent away; ``ends`` tells what befell those who got no answer."""

    def __init__(self, url: str, count: int = 8) -> None:
        self.statuses: list[int] = []
        self.ends: list[Exception] = []
        self.count = count
        self._threads = [threading.Thread(target=self._ask, args=(url,)) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _ask(self, url: str) -> None:
        with httpx.Client() as client:
            while True:
                try:
                    status = client.post(f"{url}/v1/predict", content=RED).status_code
                except httpx.TransportError as error:
                    self.ends.append(error)
                    return
                self.statuses.append(status)
                if status == 503:  # which asks to come again later, elsewhere
                    return

    def join(self) -> None:
        for thread in self._threads:
            thread.join()


def test_under_load_every_request_is_answered_or_refused(tmp_path: Path) -> None:
    """What was accepted is answered; what comes later gets 503 and then no connection; nobody's connection is reset."""
    register(tmp_path, "1")
    with running(tmp_path) as daemon:
        clients = Asking(daemon.url)
        until(lambda: len(clients.statuses) > 100, what="load")
        assert daemon.stop() == 0
        clients.join()
        assert set(clients.statuses) <= {200, 503}
        assert {type(end) for end in clients.ends} <= {httpx.ConnectError}
        assert len(clients.ends) + clients.statuses.count(503) == clients.count
        assert daemon.logged()[-1]["event"] == "stopped"


@needs_mosquitto
def test_a_broker_that_hangs_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    """What it has not taken stays stored, so that nothing is lost: exit code 0, in time."""
    register(tmp_path, "1")
    broker = Mosquitto(tmp_path / "broker").start()
    try:
        options = SHORT | {"EDGE_MQTT__HOST": "127.0.0.1", "EDGE_MQTT__PORT": str(broker.port)}
        with running(tmp_path, mqtt=True, **options) as daemon:
            until(lambda: daemon.status()["mqtt"]["connected"], what="the connection")
            broker.freeze()
            daemon.predict(RED)
            code, seconds = stopped_in(daemon)
            assert (code, seconds < IN_TIME_S) == (0, True)
    finally:
        broker.thaw()
        broker.stop()


def test_a_client_that_sends_for_ever_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    """Its picture was not taken yet, so that nothing is lost."""
    register(tmp_path, "1")
    with running(tmp_path, **SHORT) as daemon, socket.create_connection(("127.0.0.1", daemon.port)) as sender:
        sender.sendall(ENDLESS)
        daemon.predict(RED)
        code, seconds = stopped_in(daemon)
        assert (code, seconds < IN_TIME_S) == (0, True)


def test_readiness_ends_at_once(tmp_path: Path) -> None:
    """While accepted work is still answered, the daemon is not ready and takes no more."""
    register(tmp_path, "1")
    with running(tmp_path, **SHORT) as daemon, socket.create_connection(("127.0.0.1", daemon.port)) as sender:
        with httpx.Client(base_url=daemon.url) as client:
            sender.sendall(ENDLESS)
            client.get("/livez")
            daemon.process.send_signal(signal.SIGTERM)
            until(lambda: "stopping" in daemon.stderr, what="the stop")
            refused = answered_until_closed(client)
        assert refused in (None, 503)
        assert daemon.process.wait(10) == 0


def answered_until_closed(client: httpx.Client) -> int | None:
    """Return the status of a request into a connection that a stopping daemon may have closed already."""
    try:
        return client.post("/v1/predict", content=RED).status_code
    except httpx.TransportError:
        return None


def test_a_run_that_hangs_is_told_as_lost(tmp_path: Path) -> None:
    """What was accepted and could not be answered in time is counted, and the exit code is 1."""
    register_slow(tmp_path, "1", slowness=SLOW_ANSWER)
    with running(tmp_path, EDGE_DAEMON__STOP_TIMEOUT_S="0.3") as daemon:
        asking = [threading.Thread(target=quietly_ask, args=(daemon.url,)) for _ in range(40)]
        for thread in asking:
            thread.start()
        until(lambda: daemon.status()["execution"]["queued"] > 20, within_s=30, what="accepted work")
        code, seconds = stopped_in(daemon)
        for thread in asking:
            thread.join()
        assert (code, seconds < IN_TIME_S) == (1, True)
        (lost,) = [record["lost"] for record in daemon.logged() if "lost" in record]
        assert lost > 0


def quietly_ask(url: str) -> None:
    try:
        httpx.post(f"{url}/v1/predict", content=RED, timeout=60)
    except httpx.TransportError:
        return


def test_a_start_that_takes_long_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    """A model that is still being loaded cannot be interrupted; it is left behind."""
    register_slow(tmp_path, "1")
    with started(tmp_path, **SHORT) as daemon:
        until(lambda: (daemon.status()["update"] or {}).get("phase") == "loading", within_s=20, what="the loading")
        code, seconds = stopped_in(daemon)
        assert (code, seconds < IN_TIME_S) == (0, True)


def test_a_version_that_is_being_rehearsed_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    """Its process is ended, and none stays behind."""
    register(tmp_path, "1")
    with running(tmp_path, **SHORT) as daemon:
        register_slow(tmp_path, "2")
        process = psutil.Process(daemon.process.pid)
        until(process.children, within_s=20, what="the rehearsal")
        rehearsing = process.children()
        code, seconds = stopped_in(daemon)
        assert (code, seconds < IN_TIME_S) == (0, True)
        assert psutil.wait_procs(rehearsing, timeout=5)[1] == []


def test_a_second_signal_ends_a_long_stop_at_once(tmp_path: Path) -> None:
    """Who asks again does not wait for the configured time."""
    register_slow(tmp_path, "1")
    with started(tmp_path) as daemon:
        until(lambda: (daemon.status()["update"] or {}).get("phase") == "loading", within_s=20, what="the loading")
        daemon.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 10
        while daemon.process.poll() is None and time.monotonic() < deadline:
            daemon.process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
        assert daemon.process.wait(1) == 128 + signal.SIGTERM


def test_control_c_at_a_terminal_reaches_the_whole_group(tmp_path: Path) -> None:
    """The rehearsal's process gets the signal too, and the daemon ends as cleanly as ever."""
    register(tmp_path, "1")
    with running(tmp_path, wrapper=["setsid"], **SHORT) as daemon:
        register_slow(tmp_path, "2")
        until(psutil.Process(daemon.process.pid).children, within_s=20, what="the rehearsal")
        os.killpg(daemon.process.pid, signal.SIGINT)
        assert daemon.process.wait(10) == 0
        assert "Traceback" not in daemon.stderr


def test_systemd_is_told_of_start_work_and_stop(tmp_path: Path) -> None:
    """Ready once a model serves, alive while it does, stopping when asked to."""
    register(tmp_path, "1")
    with NotifySocket(str(tmp_path / "notify")) as service:
        with running(tmp_path, NOTIFY_SOCKET=service.name, WATCHDOG_USEC="1000000") as daemon:
            service.until("READY=1")
            service.until("STATUS=serves colours:1 on CPUExecutionProvider")
            service.until("WATCHDOG=1", times=3)
            assert daemon.stop() == 0
        service.until("STOPPING=1")
        assert service.lines.index("READY=1") < service.lines.index("STOPPING=1")


def test_systemd_is_told_why_nothing_serves(tmp_path: Path) -> None:
    """A daemon without a model is up, and says so."""
    with NotifySocket(str(tmp_path / "notify")) as service, started(tmp_path, NOTIFY_SOCKET=service.name) as daemon:
        service.until("READY=1")
        until(lambda: any("not ready; cannot read the registry" in line for line in service.lines), what="the reason")
        assert daemon.stop() == 0


@pytest.mark.parametrize(("store", "code"), [("disk", 0), ("memory", 1)])
def test_results_that_the_broker_never_took(tmp_path: Path, store: str, code: int) -> None:
    """On the disk they wait for the next start; those that were in memory only are told as lost."""
    register(tmp_path, "1")
    with running(tmp_path, mqtt=True, EDGE_MQTT__HOST="127.0.0.1", EDGE_MQTT__QUEUE_STORE=store) as daemon:
        daemon.predict(RED)
        assert daemon.stop() == code
        assert any("lost" in record for record in daemon.logged()) == bool(code)
