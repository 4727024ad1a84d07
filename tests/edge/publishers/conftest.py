"""Brokers and publishers that are closed however a test ends."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.publishers.memory_outbox import MemoryOutbox
from edge.publishers.mqtt import MqttPublisher
from edge.publishers.mqtt_settings import MqttSettings
from edge.publishers.outbox import Outbox
from edge.publishers.topics import Topics
from tests.mosquitto import Certificates, Mosquitto, make_certificates

TOPICS = Topics("plant", "press-1")

MakeBroker = Callable[..., Mosquitto]
MakePublisher = Callable[..., MqttPublisher]


@pytest.fixture
def make_broker(tmp_path: Path) -> Iterator[MakeBroker]:
    """Return how to start a mosquitto."""
    brokers: list[Mosquitto] = []

    def make(**options: object) -> Mosquitto:
        broker = Mosquitto(tmp_path / f"mosquitto-{len(brokers)}", **options)  # type: ignore[arg-type]  # passed through
        brokers.append(broker)
        return broker.start()

    yield make
    for broker in brokers:
        broker.stop()


@pytest.fixture
def broker(make_broker: MakeBroker) -> Mosquitto:
    """A plain mosquitto."""
    return make_broker()


@pytest.fixture
def make_publisher() -> Iterator[MakePublisher]:
    """Return how to make a publisher that retries soon; the test starts it."""
    publishers: list[MqttPublisher] = []

    def make(port: int, *, outbox: Outbox | None = None, **options: object) -> MqttPublisher:
        brief = {"reconnect_min_s": 0.05, "reconnect_max_s": 0.1, "keepalive_s": 20, **options}
        settings = MqttSettings(topics=TOPICS, port=port, **brief)  # type: ignore[arg-type]  # passed through
        publisher = MqttPublisher(settings, outbox or MemoryOutbox())
        publishers.append(publisher)
        return publisher

    yield make
    for publisher in publishers:
        publisher.close(timeout_s=1.0)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates for a day."""
    folder = tmp_path_factory.mktemp("certificates")
    folder.parent.chmod(0o755)
    return make_certificates(folder)
