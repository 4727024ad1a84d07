"""The daemon follows Azure: the real process, the real SDK over the real wire, against the stand-in and Azurite.

Slow, for each look costs the SDK's start: this is the whole line from a registered version to an answered picture.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from edge.bundle import file_entries
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.standin import Cloud
from tests.daemon import RunningDaemon
from tests.edge.azureml.held import put_bundle
from tests.edge.daemon.test_run import RED, Listener
from tests.fakes import edit_manifest, make_bundle
from tests.mosquitto import free_port, until

MIB = 1 << 20
WITHIN_S = 60.0
"""A look takes two seconds on an idle machine, and as many times longer as others are busy."""


def settings(azure: Cloud, folder: Path) -> dict[str, Any]:
    """Return variables that let a daemon follow the stand-in's model, and look when it is told to."""
    return {
        "EDGE_MODEL__NAME": "colours",
        "EDGE_REGISTRY__KIND": "azureml",
        "EDGE_REGISTRY__POLL_S": "3600",
        "EDGE_AZURE__SUBSCRIPTION_ID": SUBSCRIPTION,
        "EDGE_AZURE__RESOURCE_GROUP": RESOURCE_GROUP,
        "EDGE_AZURE__WORKSPACE": WORKSPACE,
        "EDGE_AZURE__CREDENTIAL": "managed-identity",
        "EDGE_AZURE__CLOUD": str(azure.cloud_file(folder)),
        "EDGE_AZURE__TIMEOUT_S": "5",
    }


@contextmanager
def following(azure: Cloud, folder: Path, **more: Any) -> Iterator[RunningDaemon]:
    """Run a daemon that follows the stand-in's model."""
    daemon = RunningDaemon(folder, mqtt=True, **(settings(azure, folder) | more))
    try:
        yield daemon.until_ready(within_s=WITHIN_S)
    finally:
        daemon.process.kill()
        daemon.process.wait()


class Requests:
    """Asks without a pause from a thread of its own; ``versions`` are those that answered, in order."""

    def __init__(self, daemon: RunningDaemon) -> None:
        self._daemon = daemon
        self._over = threading.Event()
        self.versions: list[str] = []
        self.failures: list[str] = []
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> "Requests":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._over.wait(0.02):
            try:
                self.versions.append(self._daemon.predict(RED)["model"]["version"])
            except AssertionError as error:
                self.failures.append(str(error))


class Reloads(Listener):
    """A person at the broker, who lets the daemon look now and reads what it says."""

    def reload(self) -> None:
        self.send("cmd/reload", b'{"id": "r"}')

    def warnings(self) -> list[str]:
        """Return what the retained state warns of."""
        return [str(warning) for state in self.on("state")[-1:] for warning in state["warnings"]]


@contextmanager
def listening(daemon: RunningDaemon) -> Iterator[Reloads]:
    listener = Reloads(daemon.mqtt_port)
    try:
        yield listener
    finally:
        listener.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "device"
    made.mkdir()
    return made


def test_a_new_version_rolls_out_while_requests_flow(azure: Cloud, tmp_path: Path, folder: Path) -> None:
    """Version 1 serves; version 2 is registered and takes over; no request fails and none goes back."""
    put_bundle(azure, tmp_path, "1")
    with following(azure, folder) as daemon, listening(daemon) as listener, Requests(daemon) as requests:
        until(lambda: requests.versions, what="answers")
        put_bundle(azure, tmp_path, "2", hour=1)
        listener.reload()
        until(lambda: "2" in requests.versions, what="version 2", within_s=WITHIN_S)
        until(lambda: requests.versions[-20:] == ["2"] * 20, what="only version 2")
    assert requests.failures == []
    assert requests.versions == sorted(requests.versions)


def test_what_azure_refuses_keeps_the_running_one(azure: Cloud, tmp_path: Path, folder: Path) -> None:
    """Denied, then throttled: version 1 answers on; the reason stands in status and topic, and in the log once."""
    put_bundle(azure, tmp_path, "1")
    with following(azure, folder) as daemon, listening(daemon) as listener:
        put_bundle(azure, tmp_path, "2", hour=1)
        azure.wire.break_("GET .*/models/", 403, code="AuthorizationFailed", message="no authorization for this")
        for times in (1, 2):
            listener.reload()
            until(lambda: azure.wire.count("GET", "/models/") > times, what="a look", within_s=WITHIN_S)  # noqa: B023
        _check_told(daemon, listener, "no authorization for this")
        azure.wire.break_("GET .*/models/", 429, message="too many", headers={"Retry-After": "600"})
        listener.reload()
        _check_told(daemon, listener, "too many")
        azure.wire.mend()
        before = len(azure.wire.exchanges)
        listener.reload()
        assert daemon.predict(RED)["model"]["version"] == "1"
        assert daemon.stop() == 0
        assert len(azure.wire.exchanges) == before
        logged = [line["reason"] for line in daemon.logged() if line["event"] == "the registry cannot be read"]
    assert len(logged) == 2


def _check_told(daemon: RunningDaemon, listener: Reloads, what: str) -> None:
    until(lambda: any(what in warning for warning in listener.warnings()), what=what, within_s=WITHIN_S)
    assert any(what in warning for warning in daemon.status()["warnings"])
    assert daemon.predict(RED)["model"]["version"] == "1"


def padded(folder: Path, mib: int) -> None:
    """Add a file of so many MiB to a bundle."""
    (folder / "weights.bin").write_bytes(os.urandom(mib * MIB))
    entry = file_entries(folder, ["weights.bin"])["weights.bin"].model_dump()
    edit_manifest(folder, lambda manifest: manifest["files"].update({"weights.bin": entry}))


def test_a_download_costs_the_daemon_no_memory(azure: Cloud, tmp_path: Path, folder: Path) -> None:
    """The largest that it has been, from version 1 to version 2 in service, is far from what was downloaded."""
    put_bundle(azure, tmp_path, "1")
    padded(make_bundle(tmp_path / "bundles/2", version="2"), 48)
    with following(azure, folder) as daemon, listening(daemon) as listener:
        for _ in range(20):
            daemon.predict(RED)
        before = peak_rss(daemon)
        put_bundle(azure, tmp_path, "2", hour=1)
        listener.reload()
        until(lambda: daemon.predict(RED)["model"]["version"] == "2", what="version 2", within_s=WITHIN_S)
        assert peak_rss(daemon) - before < 16 * MIB


def peak_rss(daemon: RunningDaemon) -> int:
    """Return the largest that a daemon has been, in bytes."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def test_an_offline_restart_serves_from_the_store(azure: Cloud, tmp_path: Path, folder: Path) -> None:
    """Without Azure the device starts with what it has, and says what it cannot reach."""
    put_bundle(azure, tmp_path, "1")
    with following(azure, folder) as daemon:
        assert daemon.stop() == 0
    nowhere = f"https://localhost:{free_port()}"
    with following(replace(azure, port=free_port()), folder, IDENTITY_ENDPOINT=f"{nowhere}/msi/token") as daemon:
        assert daemon.predict(RED)["model"]["version"] == "1"
        until(lambda: daemon.status()["warnings"], what="the reason", within_s=WITHIN_S)
        assert "nothing listens there" in daemon.status()["warnings"][0]
        assert daemon.status()["ready"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_asking_process_ends_with_the_daemon(azure: Cloud, folder: Path, number: signal.Signals) -> None:
    """Azure hangs: a stop waits for no answer, and a daemon that is killed leaves no process behind."""
    azure.wire.break_(".*", hang_s=60)
    daemon = RunningDaemon(folder, **settings(azure, folder))
    try:
        until(lambda: psutil.Process(daemon.process.pid).children(), what="the process", within_s=WITHIN_S)
        time.sleep(1)  # by then it has asked not to outlive the daemon
        children = psutil.Process(daemon.process.pid).children()
        began = time.monotonic()
        assert daemon.stop(number) == (0 if number == signal.SIGTERM else -signal.SIGKILL)
        assert time.monotonic() - began < 5
        gone, _ = psutil.wait_procs(children, timeout=5)
        assert gone == children
        assert "the registry cannot be read" not in daemon.stderr
    finally:
        azure.wire.mend()
        daemon.process.kill()
        daemon.process.wait()
