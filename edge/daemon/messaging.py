"""The broker's side of the daemon: the embedded broker where no other is named, the publisher, the topics."""

from contextlib import ExitStack
from dataclasses import dataclass

from edge.config.network import MqttSection
from edge.publishers.broker import EmbeddedBroker
from edge.publishers.mqtt import MqttPublisher
from edge.publishers.mqtt_settings import MqttSettings, Tls
from edge.publishers.outbox import MemoryOutbox
from edge.publishers.topics import Topics


@dataclass(frozen=True, slots=True)
class Messaging:
    """The connection to a broker; ``embedded`` tells whether it runs in this process."""

    publisher: MqttPublisher
    topics: Topics
    host: str
    port: int
    embedded: bool

    @property
    def address(self) -> str:
        """Host and port, for a person."""
        return f"{self.host}:{self.port}"


def open_messaging(mqtt: MqttSection, stack: ExitStack) -> Messaging:
    """Start the broker, where none is named; the publisher connects when it is started. Raises ConfigError."""
    topics = Topics(mqtt.prefix, mqtt.device)
    host, port = mqtt.host, mqtt.port
    if not host:
        broker = EmbeddedBroker(port=mqtt.port)
        broker.start()
        stack.callback(broker.close)
        host, port = "127.0.0.1", broker.port
    publisher = MqttPublisher(_settings(mqtt, topics, host, port), MemoryOutbox(mqtt.queue_size))
    stack.callback(publisher.close)
    return Messaging(publisher, topics, host, port, embedded=not mqtt.host)


def _settings(mqtt: MqttSection, topics: Topics, host: str, port: int) -> MqttSettings:
    tls = Tls(ca_file=mqtt.ca_file, cert_file=mqtt.cert_file, key_file=mqtt.key_file) if mqtt.tls else None
    return MqttSettings(
        topics=topics,
        host=host,
        port=port,
        protocol=mqtt.protocol,
        username=mqtt.username,
        password=mqtt.password.get_secret_value() if mqtt.password else None,
        tls=tls,
        keepalive_s=mqtt.keepalive_s,
    )
