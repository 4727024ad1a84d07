"""The recording proxy's reading of MQTT."""

import struct

import pytest

from tests.faults.mqtt_packets import (
    CONNECT,
    PUBACK,
    PUBLISH,
    Packet,
    PacketStream,
    Publish,
    protocol_of,
    puback_of,
    publish_of,
)


def packet(first: int, body: bytes) -> bytes:
    length, head = len(body), bytearray([first])
    while True:
        length, byte = divmod(length, 128)
        head.append(byte | (0x80 if length else 0))
        if not length:
            return bytes(head) + body


def publish(topic: str, payload: bytes, *, qos: int = 1, mid: int = 7, properties: bytes | None = None) -> bytes:
    name = topic.encode()
    body = struct.pack("!H", len(name)) + name + (struct.pack("!H", mid) if qos else b"")
    body += b"" if properties is None else bytes([len(properties)]) + properties
    return packet(0x30 | qos << 1, body + payload)


BYTES = publish("a/result", b"x" * 300) + packet(0x40, b"\0\7") + publish("a/état", b"", qos=0) + packet(0xC0, b"")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 200, len(BYTES)])
def test_packets_are_found_however_bytes_are_divided(size: int) -> None:
    """Also where a length or a body is torn."""
    stream = PacketStream()
    found = [p for at in range(0, len(BYTES), size) for p in stream.feed(BYTES[at : at + size])]
    assert [p.kind for p in found] == [PUBLISH, PUBACK, PUBLISH, 12]
    assert publish_of(found[0], version=4) == Publish("a/result", b"x" * 300, 7, 1, retain=False, repeated=False)
    assert puback_of(found[1]).mid == 7
    assert publish_of(found[2], version=4) == Publish("a/état", b"", 0, 0, retain=False, repeated=False)


def test_properties_of_mqtt_5_are_not_payload() -> None:
    """Whatever their length."""
    (found,) = PacketStream().feed(publish("a/b", b"payload", properties=b"\x01\x01"))
    assert publish_of(found, version=5).payload == b"payload"


@pytest.mark.parametrize(("body", "accepted"), [(b"\0\7", True), (b"\0\7\x10", True), (b"\0\7\x87\0", False)])
def test_an_answer_may_be_a_refusal(body: bytes, accepted: bool) -> None:
    """MQTT 5 says so by a reason code; 0x10 is no failure: nobody was subscribed."""
    assert puback_of(Packet(PUBACK, 0, body)).accepted is accepted


@pytest.mark.parametrize("level", [4, 5])
def test_the_version_stands_in_connect(level: int) -> None:
    """Behind the protocol's name."""
    assert protocol_of(Packet(CONNECT, 0, b"\0\4MQTT" + bytes([level]))) == level


def test_what_is_no_mqtt_is_refused() -> None:
    """A length that never ends."""
    with pytest.raises(ValueError, match="no MQTT"):
        list(PacketStream().feed(b"\x10\xff\xff\xff\xff\xff"))
