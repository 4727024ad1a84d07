"""The broker's side of the daemon: the embedded broker where no other is named, the publisher, the topics."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from edge.config.network import MqttSection
from edge.publishers.broker import EmbeddedBroker
from edge.publishers.memory_outbox import MemoryOutbox
from edge.publishers.mqtt import MqttPublisher
from edge.publishers.mqtt_settings import MqttSettings, Tls
from edge.publishers.outbox import MIB, Limits, Outbox
from edge.publishers.sqlite_outbox import SqliteOutbox
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


OUTBOX = "outbox.db"
"""Where results wait, below the storage's path."""
HOUR_S = 3600.0


def open_messaging(mqtt: MqttSection, storage: Path, stack: ExitStack) -> Messaging:
    """Start the broker, where none is named; the publisher connects when it is started. Raises ConfigError."""
    topics = Topics(mqtt.prefix, mqtt.device)
    host, port = mqtt.host, mqtt.port
    if not host:
        broker = EmbeddedBroker(port=mqtt.port)
        broker.start()
        stack.callback(broker.close)
        host, port = "127.0.0.1", broker.port
    publisher = MqttPublisher(_settings(mqtt, topics, host, port), open_outbox(mqtt, storage))
    stack.callback(publisher.close)
    return Messaging(publisher, topics, host, port, embedded=not mqtt.host)


def open_outbox(mqtt: MqttSection, storage: Path) -> Outbox:
    """Return where results wait, as the configuration says; what is wrong with the disk is told by its status."""
    limits = Limits(
        entries=mqtt.queue_size,
        bytes=mqtt.queue_mb * MIB,
        max_age_s=mqtt.queue_max_age_h * HOUR_S,
        full=mqtt.queue_full,
    )
    if mqtt.queue_store == "memory":
        return MemoryOutbox(limits)
    return SqliteOutbox(storage / OUTBOX, limits, sync=mqtt.queue_sync)


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
