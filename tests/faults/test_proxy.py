"""The recording proxy between a real client and a real broker."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.edge.publishers.listener import Listener
from tests.faults.proxy import RecordingProxy
from tests.mosquitto import Mosquitto, needs_mosquitto, until

pytestmark = needs_mosquitto


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[RecordingProxy]:
    broker = Mosquitto(tmp_path).start()
    with RecordingProxy(broker.port) as proxy:
        yield proxy
    broker.stop()


def gone(connection: socket.socket) -> bool:
    """Tell whether the other side has ended a connection."""
    with suppress(ConnectionError):
        return connection.recv(1) == b""
    return True


@pytest.mark.parametrize("v5", [False, True], ids=["3.1.1", "5"])
def test_what_the_broker_acknowledged_is_noted(proxy: RecordingProxy, *, v5: bool) -> None:
    """With topic and payload, in order; messages without acknowledgement are only sent."""
    with Listener(proxy.port, "back", v5=v5) as device:
        device.send("a/result", b"1")
        device.send("a/image", b"2")
        device.send("a/state", b"3", qos=0)
        device.send("b/result", b"x" * 100_000)
    noted = [(one.message.topic, len(one.message.payload)) for one in proxy.recording.acknowledged]
    assert noted == [("a/result", 1), ("a/image", 1), ("b/result", 100_000)]
    assert [one.message.topic for one in proxy.recording.sent] == ["a/result", "a/image", "a/state", "b/result"]
    assert len(proxy.recording.accepted_at) == 1
    assert proxy.recording.last_result_at == proxy.recording.acknowledged[2].at
    assert proxy.recording.first_result_after(0) == proxy.recording.acknowledged[0].at


def test_what_the_device_gets_is_noted(proxy: RecordingProxy) -> None:
    """By the last level of its topic."""
    with Listener(proxy.port, "camera/image/+") as device:
        device.send("camera/image/7.png", b"picture")
        until(lambda: device.messages, what="the picture")
    assert proxy.recording.pictures_handed == {"7.png"}


def test_a_cut_ends_connections_and_takes_new_ones(proxy: RecordingProxy) -> None:
    """A client that comes back goes on."""
    with Listener(proxy.port) as device:
        proxy.cut()
        until(lambda: len(proxy.recording.accepted_at) == 2, what="the second connection")
        device.send("a/result", b"1")
    assert proxy.recording.acknowledged[0].connection == 2


def test_a_refusal_lasts_until_it_is_mended(proxy: RecordingProxy) -> None:
    """Whoever connects is thrown out."""
    proxy.refuse()
    with socket.create_connection(("127.0.0.1", proxy.port)) as connection:
        assert gone(connection)
    proxy.mend()
    with Listener(proxy.port) as device:
        device.send("a/result", b"1")
    assert len(proxy.recording.acknowledged) == 1


def test_silence_holds_what_is_sent(proxy: RecordingProxy) -> None:
    """Nothing is acknowledged meanwhile, nothing is missing afterwards."""
    with Listener(proxy.port, "x") as device:
        proxy.black_hole()
        sending = threading.Thread(target=device.send, args=("a/result", b"1"))
        sending.start()
        assert not proxy.recording.acknowledged
        proxy.mend()
        until(lambda: proxy.recording.acknowledged, what="the acknowledgement")
        sending.join()
