"""One connection to a broker over paho-mqtt: opened, used, given up, never reused.

Rule: what paho holds must never matter. Each connection is a fresh paho client, so that nothing it queued survives to
be sent out of order, and its network thread only passes events on.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.errors import PublishError
from edge.ports import Incoming
from edge.publishers.mqtt_faults import why_forbidden, why_lost, why_refused, why_unreachable
from edge.publishers.mqtt_settings import MqttSettings
from edge.publishers.outbox import Message

SESSION_EXPIRY_S = 86_400
"""How long an MQTT 5 broker keeps pictures for a device that is away (a 3.1.1 broker has its own rule)."""
GOODBYE_S = 1.0
"""How long, at most, a goodbye may take to leave."""
KEEPALIVE = {socket.TCP_KEEPIDLE: 10, socket.TCP_KEEPINTVL: 2, socket.TCP_KEEPCNT: 3}
"""An idle connection is probed after 10 s, and given up after three probes without an answer."""

_BAD_MESSAGE = frozenset({"Topic name invalid", "Packet too large", "Payload format invalid"})
"""Reasons (MQTT 5) that are the message's own."""
_VERSIONS = {"3.1.1": MQTTProtocolVersion.MQTTv311, "5": MQTTProtocolVersion.MQTTv5}


@dataclass(frozen=True, slots=True)
class Up:
    """The broker accepted the connection."""


@dataclass(frozen=True, slots=True)
class Down:
    """The connection ended or was refused. ``problem`` says why and what to do.

    ``by_message`` tells that a message may be the reason: the broker hung up, or called one malformed or too large.
    """

    problem: str
    by_message: bool = False


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker has the message that ``Connection.publish`` gave this number."""

    mid: int


@dataclass(frozen=True, slots=True)
class Complaint:
    """The broker refused something, the connection stands."""

    problem: str


Event = Up | Down | Acknowledged | Complaint


class Connection:
    """One try at one broker.

    ``will`` is what the broker announces, retained, should the connection end without a goodbye. ``on_event`` and
    ``on_message`` are called in paho's network thread and may only queue.
    """

    def __init__(
        self,
        settings: MqttSettings,
        will: Message,
        *,
        on_event: Callable[["Connection", Event], None],
        on_message: Callable[[Incoming], None],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._settings = settings
        self._tell = on_event
        self._on_message = on_message
        self._ended = threading.Event()
        self._accepted = False
        self._socket: object = None
        self._client = self._make_client(will, tls)

    def _make_client(self, will: Message, tls: ssl.SSLContext | None) -> Client:
        settings = self._settings
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.own_client_id,
            # the broker keeps unacknowledged pictures for this client id; MQTT 5 says the same by its expiry property
            clean_session=None if settings.protocol == "5" else False,
            protocol=_VERSIONS[settings.protocol],
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = settings.connect_timeout_s
        client.max_inflight_messages_set(0)  # the publisher keeps its own window; paho shall hold nothing back
        if settings.username is not None:
            client.username_pw_set(settings.username, settings.password)
        if tls is not None:
            client.tls_set_context(tls)
        client.will_set(will.topic, will.payload, qos=1, retain=True)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_publish = self._published
        client.on_subscribe = self._subscribed
        client.on_message = self._received
        return client

    def open(self) -> None:
        """Connect and start the network thread; Up or Down follows. Raises PublishError with reason and remedy."""
        settings = self._settings
        options: dict[str, Any] = {}
        if settings.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho annotates all but this
            properties.SessionExpiryInterval = SESSION_EXPIRY_S
            options = {"clean_start": False, "properties": properties}
        try:
            self._client.connect(settings.host, settings.port, keepalive=settings.keepalive_s, **options)
        except (OSError, UnicodeError) as exc:  # a host name that is no name fails in the idna codec
            raise PublishError(why_unreachable(settings, exc)) from exc
        self._notice_silence()
        self._socket = self._client.socket()
        self._client.loop_start()

    def _notice_silence(self) -> None:
        """Have the system end a connection whose packets get lost: by itself it would try for a quarter of an hour."""
        sock = self._client.socket()
        if isinstance(sock, socket.socket):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self._settings.silence_s * 1e3))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in KEEPALIVE.items():
                sock.setsockopt(socket.IPPROTO_TCP, option, value)

    def publish(self, message: Message, *, retain: bool = False) -> int | None:
        """Hand a message over; Acknowledged with the returned number follows. None where the connection is gone."""
        info = self._client.publish(message.topic, message.payload, qos=1, retain=retain)
        return info.mid if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def subscribe(self, filters: Iterable[tuple[str, int]]) -> None:
        """Ask for messages by (filter, QoS); a refusal follows as a Complaint."""
        wanted = list(filters)
        if wanted:
            self._client.subscribe(wanted)

    def close(self, *, politely: bool = False) -> None:
        """End the connection and its thread. ``politely`` says goodbye, so that the broker keeps the will to itself."""
        if politely:
            self._client.disconnect()
            self._ended.wait(GOODBYE_S)
        sock = self._client.socket()
        if isinstance(sock, socket.socket):
            # a broker that hangs would keep paho's thread until the keepalive runs out
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        self._client.loop_stop()
        self._let_go()

    def _let_go(self) -> None:
        """Break the circle of references: paho closes its wake-up sockets only when the client is collected."""
        client = self._client
        client.on_connect = client.on_disconnect = client.on_publish = client.on_subscribe = client.on_message = None

    def _connected(self, _c: Client, _u: Any, _flags: ConnectFlags, reason: ReasonCode, _p: Properties | None) -> None:
        self._accepted = True  # or refused in so many words: whatever ends the connection now, it is not TLS
        self._tell(self, Down(why_refused(self._settings, str(reason))) if reason.is_failure else Up())

    def _disconnected(
        self, _c: Client, _u: Any, _flags: DisconnectFlags, reason: ReasonCode, _p: Properties | None
    ) -> None:
        self._ended.set()
        alert = getattr(self._socket, "alert", None)
        self._tell(
            self, Down(why_lost(self._settings, str(reason), alert=alert, accepted=self._accepted), by_message=True)
        )

    def _published(self, _c: Client, _u: Any, mid: int, reason: ReasonCode, _p: Properties | None) -> None:
        if reason.is_failure:
            problem = why_forbidden(self._settings, "messages", str(reason))
            self._tell(self, Down(problem, by_message=str(reason) in _BAD_MESSAGE))
        else:
            self._tell(self, Acknowledged(mid))

    def _subscribed(self, _c: Client, _u: Any, _mid: int, reasons: list[ReasonCode], _p: Properties | None) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            self._tell(self, Complaint(why_forbidden(self._settings, "subscriptions", refused[0])))

    def _received(self, client: Client, _u: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            client.ack(message.mid, message.qos)  # no name, nobody to answer
            return
        correlation = getattr(message.properties, "CorrelationData", None)
        self._on_message(
            Incoming(
                topic=self._settings.topics.below(topic),
                payload=bytes(message.payload),
                acknowledge=partial(client.ack, message.mid, message.qos),
                correlation_id=None if correlation is None else _text(correlation),
                retained=message.retain,
                packet_id=message.mid,
                redelivered=message.dup,
            )
        )


def _text(data: bytes) -> str:
    """Return correlation data as text, in hexadecimal where it is none."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.hex()
