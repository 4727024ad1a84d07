"""A plain MQTT client for tests: what anybody else at the broker sees and sends."""

import json
import ssl
import threading
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.mosquitto import until


class Listener:
    """Receives everything below ``topic`` in the order of arrival, and publishes. Reconnects by itself."""

    def __init__(
        self,
        port: int,
        topic: str = "#",
        *,
        user: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        v5: bool = False,
        client_id: str = "",
    ) -> None:
        self.messages: list[MQTTMessage] = []
        self._topic = topic
        self._ready = threading.Event()
        version = MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311
        clean = None if v5 else not client_id
        self._client = Client(CallbackAPIVersion.VERSION2, client_id, clean, protocol=version)
        self._client.reconnect_delay_set(0.1, 0.2)  # type: ignore[arg-type]  # paho says int and works with seconds' parts
        if user:
            self._client.username_pw_set(*user)
        if tls:
            self._client.tls_set_context(tls)
        self._client.on_connect = lambda client, *_: client.subscribe(self._topic, qos=1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _c, _u, message: self.messages.append(message)
        self._client.connect("127.0.0.1", port)

    def __enter__(self) -> "Listener":
        self._client.loop_start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, correlation: bytes | None = None
    ) -> None:
        """Publish and wait until the broker has it."""
        properties = None
        if correlation is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho annotates all but this
            properties.CorrelationData = correlation
        self._client.publish(topic, payload, qos=qos, retain=retain, properties=properties).wait_for_publish(10)

    def json(self, suffix: str = "") -> list[dict[str, Any]]:
        """Return the payloads on topics that end in ``suffix``, in the order of arrival."""
        return [json.loads(m.payload) for m in list(self.messages) if m.topic.endswith(suffix) and m.payload]

    def wait_for(self, suffix: str, count: int = 1, *, within_s: float = 10.0) -> list[dict[str, Any]]:
        """Wait until ``count`` messages have come on topics that end in ``suffix``; return them."""
        until(lambda: len(self.json(suffix)) >= count, within_s=within_s, what=f"{count} messages on …{suffix}")
        return self.json(suffix)
