"""Reads the packets that concern delivery out of a stream of MQTT bytes (3.1.1 and 5). Pure.

Source of the formats: OASIS MQTT 3.1.1, sections 2.2, 3.1, 3.3, 3.4; OASIS MQTT 5.0, the same sections.
"""

from collections.abc import Iterator
from dataclasses import dataclass

CONNECT, CONNACK, PUBLISH, PUBACK = 1, 2, 3, 4
VERSION_5 = 5
FAILURE = 0x80
"""Reason codes from here on say that the broker did not take a message (MQTT 5)."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One control packet: its type, the four flags beside the type, what follows the length."""

    kind: int
    flags: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Publish:
    """A message on its way. ``mid`` is 0 with QoS 0."""

    topic: str
    payload: bytes
    mid: int
    qos: int
    retain: bool
    repeated: bool

    @property
    def is_result(self) -> bool:
        """Whether it is a result, by its topic."""
        return self.topic.endswith("/result")


@dataclass(frozen=True, slots=True)
class Puback:
    """The answer to a message. ``reason`` is 0 in MQTT 3.1.1."""

    mid: int
    reason: int

    @property
    def accepted(self) -> bool:
        """Whether the receiver has the message."""
        return self.reason < FAILURE


class PacketStream:
    """Cuts what comes over a connection into packets, however the bytes are divided."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Give every packet that is whole now. Raises ValueError for bytes that are no MQTT."""
        self._rest += data
        at = 0
        while (head := _length(self._rest, at + 1)) is not None:
            length, body = head
            if len(self._rest) < body + length:
                break
            first = self._rest[at]
            yield Packet(first >> 4, first & 0x0F, bytes(self._rest[body : body + length]))
            at = body + length
        del self._rest[:at]


def _length(data: bytearray, at: int) -> tuple[int, int] | None:
    """Return a variable byte integer and where it ends; None where it is not whole yet."""
    value = 0
    for place in range(4):
        if at + place >= len(data):
            return None
        byte = data[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    msg = "a length of more than four bytes: this is no MQTT"
    raise ValueError(msg)


def protocol_of(connect: Packet) -> int:
    """Return the protocol level of a CONNECT packet: 4 for 3.1.1, 5 for 5."""
    name = int.from_bytes(connect.body[:2], "big")
    return connect.body[2 + name]


def publish_of(packet: Packet, *, version: int) -> Publish:
    """Return what a PUBLISH packet says."""
    qos = packet.flags >> 1 & 0x03
    end = 2 + int.from_bytes(packet.body[:2], "big")
    topic = packet.body[2:end].decode("utf-8", "replace")
    mid = int.from_bytes(packet.body[end : end + 2], "big") if qos else 0
    end += 2 if qos else 0
    if version == VERSION_5:
        properties = _length(bytearray(packet.body), end)
        end = sum(properties) if properties else end
    return Publish(topic, packet.body[end:], mid, qos, bool(packet.flags & 0x01), bool(packet.flags & 0x08))


def puback_of(packet: Packet) -> Puback:
    """Return what a PUBACK packet says."""
    reason = packet.body[2] if len(packet.body) > 2 else 0
    return Puback(int.from_bytes(packet.body[:2], "big"), reason)
