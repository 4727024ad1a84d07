"""The embedded broker: a real amqtt in this process."""

import logging
import sys
import threading
from collections.abc import Iterator

import pytest

from edge.errors import ConfigError
from edge.ports import Incoming
from edge.publishers.broker import EmbeddedBroker
from tests.edge.publishers.conftest import MakePublisher
from tests.edge.publishers.listener import Listener
from tests.edge.publishers.results import make_result
from tests.mosquitto import until

pytest.importorskip("amqtt", reason="amqtt is not installed (extra demo)")


@pytest.fixture
def embedded() -> Iterator[EmbeddedBroker]:
    """A broker on a free port."""
    broker = EmbeddedBroker(port=0)
    broker.start()
    yield broker
    broker.close()


def test_results_go_through_it_in_order_and_pictures_come_back(
    embedded: EmbeddedBroker, make_publisher: MakePublisher
) -> None:
    """As through any broker; a picture may have many megabytes."""
    received: list[Incoming] = []
    publisher = make_publisher(embedded.port)
    publisher.subscribe("+/image", received.append)
    publisher.start()
    until(lambda: publisher.connected)
    with Listener(embedded.port, "plant/press-1/#") as listener:
        for seq in range(1, 61):
            publisher.publish(make_result(seq))
        assert [r["seq"] for r in listener.wait_for("/result", 60)] == list(range(1, 61))
        until(lambda: listener.json("state"))
        listener.send("plant/press-1/line/image", bytes(9_000_000))
        until(lambda: received)
        received[0].acknowledge()
    assert len(received[0].payload) == 9_000_000


def test_a_daemon_that_closes_says_goodbye_to_it(embedded: EmbeddedBroker, make_publisher: MakePublisher) -> None:
    """Publisher first, then the broker: the order in which the daemon stops."""
    publisher = make_publisher(embedded.port)
    publisher.start()
    until(lambda: publisher.connected)
    with Listener(embedded.port, "plant/press-1/state") as listener:
        publisher.close()
        until(lambda: listener.json("state") and listener.json("state")[-1]["state"] == "offline")


def test_closing_with_clients_connected_leaves_nothing_behind(make_publisher: MakePublisher) -> None:
    """They notice, and nothing is logged as a fault."""
    broker = EmbeddedBroker(port=0)
    broker.start()
    publisher = make_publisher(broker.port)
    publisher.start()
    until(lambda: publisher.connected)
    broker.close()
    broker.close()
    until(lambda: not publisher.connected)
    assert not any(thread.name == "mqtt-broker" for thread in threading.enumerate())


def test_a_device_that_wants_mqtt_5_is_told_what_it_may_be(
    embedded: EmbeddedBroker, make_publisher: MakePublisher
) -> None:
    """The embedded broker does not answer such clients at all."""
    publisher = make_publisher(embedded.port, protocol="5", answer_timeout_s=0.3)
    publisher.start()
    until(lambda: publisher.problem is not None)
    assert publisher.problem is not None
    assert "mqtt.protocol" in publisher.problem


def test_a_port_that_is_taken_is_named_with_the_remedy(embedded: EmbeddedBroker) -> None:
    """Most likely a broker runs there already."""
    with pytest.raises(ConfigError) as error:
        EmbeddedBroker(port=embedded.port).start()
    text = str(error.value)
    assert f"127.0.0.1:{embedded.port}: Address already in use" in text
    assert "set EDGE_MQTT__HOST=127.0.0.1" in text


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.1", "plant-server"])
def test_it_stays_on_this_machine(host: str) -> None:
    """It has no passwords."""
    with pytest.raises(ConfigError, match="no loopback"):
        EmbeddedBroker(host=host)


def test_without_the_package_the_three_ways_out_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install it, name a broker, or go without."""
    monkeypatch.setitem(sys.modules, "amqtt.broker", None)
    with pytest.raises(ConfigError) as error:
        EmbeddedBroker(port=0).start()
    for remedy in ("automl-edge[demo]", "EDGE_MQTT__HOST", "EDGE_MQTT__ENABLED=false"):
        assert remedy in str(error.value)


def test_its_logging_is_no_louder_than_warnings(embedded: EmbeddedBroker, caplog: pytest.LogCaptureFixture) -> None:
    """It would tell of every packet."""
    with caplog.at_level(logging.INFO), Listener(embedded.port, "nothing"):
        pass
    assert not [record for record in caplog.records if record.name.startswith(("amqtt", "transitions"))]


def test_closing_what_never_started_does_nothing() -> None:
    """However a start was broken off."""
    EmbeddedBroker().close()
