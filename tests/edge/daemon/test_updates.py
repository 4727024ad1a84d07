"""New versions that hurt: the daemon as a process keeps serving, and says everywhere what was refused and why."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from edge.bundle.signing import generate_key, sign
from tests.daemon import RunningDaemon, running
from tests.edge.daemon.test_run import RED, Listener, register
from tests.faulty import CRASHES_HERE, make_crashing, make_slow
from tests.mosquitto import until


def told(listener: Listener) -> list[Any]:
    """Return what came on the model topic, but for the first version, which may serve before anybody listens."""
    return [event for event in listener.on("model") if event["change"] != "activated" or event["previous"]]


def events(listener: Listener) -> list[tuple[str, str]]:
    return [(event["change"], event["model"]["version"]) for event in told(listener)]


@pytest.mark.skipif(not CRASHES_HERE, reason="this processor does not trap the division")
def test_what_is_refused_shows_everywhere(tmp_path: Path) -> None:
    """A version that crashes onnxruntime, then good ones: in the status, the log, the state and on the model topic."""
    register(tmp_path, "1")
    with running(tmp_path, mqtt=True) as daemon:
        listener = Listener(daemon.mqtt_port)
        try:
            register(tmp_path, "2", spoil=make_crashing)
            until(lambda: events(listener), what="the refusal")
            _check_refused(daemon, listener)
            register(tmp_path, "3")
            until(lambda: len(events(listener)) == 2, what="the activation")
            httpx.post(f"{daemon.url}/v1/models/colours/rollback").raise_for_status()
            until(lambda: len(events(listener)) == 3, what="the rollback")
            assert events(listener) == [("refused", "2"), ("activated", "3"), ("rolled-back", "1")]
            assert told(listener)[1]["previous"] == {"name": "colours", "version": "1"}
            assert told(listener)[2]["previous"] == {"name": "colours", "version": "3"}
        finally:
            listener.close()


def _check_refused(daemon: RunningDaemon, listener: Listener) -> None:
    (event,) = told(listener)
    assert event["schema"] == "automl-edge/model/1"
    assert event["device"] == "press-7"
    assert event["previous"] is None
    assert "its rehearsal crashed (SIGFPE)" in event["reason"]
    refused = [{"name": "colours", "version": "2", "reason": event["reason"]}]
    until(lambda: listener.on("state") and listener.on("state")[-1]["refused"] == refused, what="the state")
    status = daemon.status()
    assert (status["refused"], status["update"], status["ready"]) == (refused, None, True)
    assert any("colours:2" in warning and "SIGFPE" in warning for warning in status["warnings"])
    assert [line["reason"] for line in daemon.logged() if line["event"] == "a model is refused"] == [event["reason"]]
    assert daemon.predict(RED)["model"]["version"] == "1"


def test_a_slow_version_is_given_up(tmp_path: Path) -> None:
    """While it is rehearsed the status says so; after the time limit it is refused."""
    register(tmp_path, "1")
    with running(tmp_path, EDGE_ROLLOUT__LOAD_TIMEOUT_S="2") as daemon:
        register(tmp_path, "2", spoil=make_slow)
        until(lambda: (daemon.status()["update"] or {}).get("phase") == "rehearsing", what="the rehearsal")
        assert daemon.predict(RED)["model"]["version"] == "1"
        until(lambda: daemon.status()["refused"], what="the refusal")
        assert "took longer than 2 s (rollout.load_timeout_s)" in daemon.status()["refused"][0]["reason"]
        assert daemon.status()["update"] is None


def test_a_stop_does_not_wait_for_a_rehearsal(tmp_path: Path) -> None:
    """SIGTERM in the middle of one: the process it runs in is gone, the exit code is 0, nothing is refused."""
    register(tmp_path, "1")
    with running(tmp_path, EDGE_ROLLOUT__LOAD_TIMEOUT_S="600") as daemon:
        register(tmp_path, "2", spoil=make_slow)
        until(lambda: (daemon.status()["update"] or {}).get("phase") == "rehearsing", what="the rehearsal")
        children = psutil.Process(daemon.process.pid).children()
        began = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began < 10
        assert not [child for child in children if child.is_running()]
        assert "a model is refused" not in daemon.stderr


@pytest.mark.skipif(not CRASHES_HERE, reason="this processor does not trap the division")
def test_a_model_that_kills_the_start_does_so_once(tmp_path: Path) -> None:
    """The next start rehearses it, refuses it, and serves the version that was kept before."""
    register(tmp_path, "1")
    with running(tmp_path) as daemon:
        daemon.predict(RED)
    register(tmp_path, "2", spoil=make_crashing)
    died = RunningDaemon(tmp_path, EDGE_MODEL__NAME="colours", EDGE_MODEL__VERSION="2")  # version 1 is not asked for
    assert died.process.wait(30) == -signal.SIGFPE
    again = RunningDaemon(tmp_path, EDGE_MODEL__NAME="colours", EDGE_MODEL__VERSION="2", EDGE_ROLLOUT__REHEARSE="false")
    try:
        until(lambda: "a model is refused" in again.stderr, what="the refusal")
        assert again.process.poll() is None
        assert "SIGFPE" in httpx.get(f"{again.url}/readyz").json()["problems"][0]
    finally:
        assert again.stop() == 0
    with running(tmp_path) as daemon:
        assert daemon.predict(RED)["model"]["version"] == "1"


def test_keys_keep_strangers_out(tmp_path: Path) -> None:
    """With a trusted key set, only what it signed is taken."""
    public = generate_key(tmp_path / "key.pem")
    register(tmp_path, "1", spoil=lambda folder: sign(folder, tmp_path / "key.pem"))
    with running(tmp_path, EDGE_REGISTRY__TRUSTED_KEYS=f'["{public}"]') as daemon:
        register(tmp_path, "2")
        until(lambda: daemon.status()["refused"], what="the refusal")
        assert "colours:2 is not signed" in daemon.status()["refused"][0]["reason"]
        sign(tmp_path / "models/colours/2", tmp_path / "key.pem")
        until(lambda: daemon.predict(RED)["model"]["version"] == "2", what="version 2")
        assert daemon.status()["refused"] == []


def test_a_daemon_killed_in_a_rehearsal_leaves_nothing(tmp_path: Path) -> None:
    """SIGKILL: its rehearsal ends too, and the next start serves the old version."""
    register(tmp_path, "1")
    with running(tmp_path, EDGE_ROLLOUT__LOAD_TIMEOUT_S="600") as daemon:
        folder = register(tmp_path, "2", spoil=make_slow)
        until(lambda: (daemon.status()["update"] or {}).get("phase") == "rehearsing", what="the rehearsal")
        (child,) = psutil.Process(daemon.process.pid).children()
        os.kill(daemon.process.pid, signal.SIGKILL)
        daemon.process.wait(10)
        until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, what="the end of it")
    (folder / "manifest.json").unlink()
    with running(tmp_path) as daemon:
        assert daemon.predict(RED)["model"]["version"] == "1"
