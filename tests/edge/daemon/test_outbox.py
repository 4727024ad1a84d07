"""What the real daemon does with results while the broker or the disk is away."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.daemon import RunningDaemon, running
from tests.edge.daemon.test_run import BLUE, RED, register
from tests.edge.publishers.listener import Listener
from tests.mosquitto import Mosquitto, free_port, needs_mosquitto, until

pytestmark = needs_mosquitto
FOLDER = """
[[source]]
kind = "folder"
name = "inbox"
path = "{folder}/inbox"
"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that does not run yet."""
    broker = Mosquitto(tmp_path / "broker", port=free_port())
    yield broker
    broker.stop()


@contextmanager
def daemon_at(broker: Mosquitto, folder: Path, **options: Any) -> Iterator[RunningDaemon]:
    """Give a daemon whose results go to ``broker``, with its storage in ``folder``/var."""
    at = {"EDGE_MQTT__HOST": "127.0.0.1", "EDGE_MQTT__PORT": str(broker.port), **options}
    with running(folder, mqtt=True, **at) as daemon:
        yield daemon


def results(listener: Listener) -> list[dict[str, Any]]:
    return listener.json("/result")


def test_results_outlive_the_process_and_arrive_in_order(broker: Mosquitto, tmp_path: Path) -> None:
    """Stopped, killed and started again without a broker: all arrive once it is there, marked as replayed."""
    register(tmp_path, "1")
    with daemon_at(broker, tmp_path) as daemon:
        daemon.predict(RED)
        daemon.predict(BLUE)
        daemon.stop()
    with daemon_at(broker, tmp_path) as daemon:
        assert daemon.status()["mqtt"]["outbox"] >= 2
        daemon.predict(RED)
        daemon.process.kill()
    with daemon_at(broker, tmp_path) as daemon:
        detail = daemon.status()["mqtt"]["outbox_detail"]
        assert (detail["store"], detail["depth"] >= 3, detail["problem"]) == ("disk", True, None)
        assert detail["bytes"] > 1000
        assert f"automl_edge_outbox_depth {detail['depth']}.0" in httpx.get(f"{daemon.url}/metrics").text
        broker.start()
        with Listener(broker.port, "automl-edge/press-7/#") as listener:
            until(lambda: daemon.status()["mqtt"]["connected"], what="the connection")
            daemon.predict(BLUE)
            until(lambda: results(listener) and results(listener)[-1]["seq"] == 4, what="the newest result")
            assert all(r["replayed"] for r in results(listener)[:-1])
            assert [r["seq"] for r in results(listener)] == sorted(r["seq"] for r in results(listener))
            until(lambda: daemon.status()["mqtt"]["outbox"] == 0, what="an empty outbox")


def test_a_full_outbox_that_may_drop_nothing_refuses_pictures(broker: Mosquitto, tmp_path: Path) -> None:
    """HTTP gets 503 with Retry-After and the remedy, a watched folder waits; with the broker back all goes on."""
    register(tmp_path, "1")
    (tmp_path / "inbox").mkdir()
    config = tmp_path / "edge.toml"
    config.write_text(FOLDER.format(folder=tmp_path))
    limits = {"EDGE_MQTT__QUEUE_FULL": "refuse", "EDGE_MQTT__QUEUE_SIZE": "8"}
    with daemon_at(broker, tmp_path, config=config, **limits) as daemon:
        answers = [httpx.post(f"{daemon.url}/v1/predict", content=RED) for _ in range(9)]
        taken = [answer.status_code for answer in answers].count(200)
        refused = answers[-1]
        assert (taken > 1, refused.status_code) == (True, 503)
        assert int(refused.headers["Retry-After"]) >= 1
        assert "mqtt.queue_size = 8 is reached; bring the broker back" in refused.json()["detail"]
        assert any("outbox is full" in warning for warning in daemon.status()["warnings"])
        (tmp_path / "inbox" / "part.png").write_bytes(BLUE)
        broker.start()
        with Listener(broker.port, "automl-edge/press-7/inbox/result") as listener:
            assert listener.wait_for("/result")[0]["seq"] == taken + 1
        until(lambda: httpx.post(f"{daemon.url}/v1/predict", content=RED).status_code == 200, what="room again")


@contextmanager
def own_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Give a small disk of its own."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def filled_up(disk: Path) -> Path:
    hog = disk / "hog"
    with pytest.raises(OSError, match="No space"):
        hog.write_bytes(bytes(64 << 20))
    return hog


def test_a_full_disk_is_told_everywhere_and_stops_nothing(broker: Mosquitto, tmp_path: Path) -> None:
    """Status, log, state and metrics say so; answers and results go on, also after a restart, and it ends by itself."""
    register(tmp_path, "1")
    broker.start()
    with own_disk(tmp_path / "var", 8) as disk:
        with daemon_at(broker, tmp_path) as daemon:
            daemon.predict(RED)
            daemon.stop()
        hog = filled_up(disk)
        with daemon_at(broker, tmp_path) as daemon, Listener(broker.port, "automl-edge/press-7/#") as listener:
            for _ in range(30):
                daemon.predict(RED)
            assert len(listener.wait_for("http/result", 30)) == 30
            until(lambda: not daemon.status()["mqtt"]["outbox_detail"]["writable"], what="the full disk told")
            assert any("outbox" in warning and "full" in warning for warning in daemon.status()["warnings"])
            assert "automl_edge_outbox_writable 0.0" in httpx.get(f"{daemon.url}/metrics").text
            until(lambda: "full" in str(listener.json("state")[-1]["outbox"]["problem"]), what="the state")
            assert 1 <= len([line for line in daemon.logged() if "cannot be written" in line["event"]]) <= 2
            hog.unlink()
            until(lambda: daemon.status()["mqtt"]["outbox_detail"]["writable"], what="the disk taken up again")
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.process.wait(20) == 0
            assert [r["seq"] for r in results(listener)] == list(range(2, 32))


def test_a_damaged_outbox_does_not_stop_the_daemon(broker: Mosquitto, tmp_path: Path) -> None:
    """It is set aside; what it held is named on ``dropped``, with the reason, and numbers go on."""
    register(tmp_path, "1")
    with daemon_at(broker, tmp_path) as daemon:
        daemon.predict(RED)
        daemon.stop()
    (tmp_path / "var" / "outbox.db").write_bytes(b"garbage" * 1000)
    broker.start()
    with Listener(broker.port, "automl-edge/press-7/#") as listener, daemon_at(broker, tmp_path) as daemon:
        daemon.predict(RED)
        record = listener.wait_for("dropped")[0]
        assert (record["first_seq"], record["last_seq"], record["reason"]) == (1, 1, "damaged")
        assert listener.wait_for("/result")[0]["seq"] == 2
        assert daemon.status()["mqtt"]["outbox_detail"]["damaged"] == 1
    assert len(list((tmp_path / "var").glob("outbox.db.damaged-*Z"))) == 1
