"""A proxy between the daemon and the broker that notes what the device sends and what the broker acknowledges.

Rule: what the broker acknowledged here counts as delivered, whether the device learns of it or not.
"""

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from tests.faults.mqtt_packets import (
    CONNACK,
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

CHUNK = 1 << 16
GLANCE_S = 0.05
LINGER_NONE = struct.pack("ii", 1, 0)
"""SO_LINGER that ends a connection with a reset."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that the device handed to the broker, on its ``connection``-th connection, at ``at`` (monotonic)."""

    message: Publish
    connection: int
    at: float


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A message of the device that the broker has acknowledged, when, and on which connection."""

    message: Publish
    connection: int
    at: float


@dataclass
class Recording:
    """Everything that went over the proxy, in order. Lists only grow."""

    sent: list[Sent] = field(default_factory=list)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    refused: list[Publish] = field(default_factory=list)
    """Messages that the broker answered with a reason of failure (MQTT 5)."""
    accepted_at: list[float] = field(default_factory=list)
    """When the broker accepted each connection (monotonic)."""
    pictures_handed: set[str] = field(default_factory=set)
    """Last levels of the topics of messages that the broker passed on to the device."""

    @property
    def last_result_at(self) -> float:
        """When the last result was acknowledged (monotonic); 0 before the first."""
        return next((noted.at for noted in reversed(self.acknowledged) if noted.message.is_result), 0.0)

    def first_result_after(self, moment: float) -> float:
        """Return when the first result after ``moment`` was acknowledged (monotonic)."""
        return next(noted.at for noted in self.acknowledged if noted.at > moment and noted.message.is_result)


class RecordingProxy:
    """Listens on ``port`` and passes connections on to ``target`` (both on loopback)."""

    def __init__(self, target: int) -> None:
        self.recording = Recording()
        self._target = target
        self._open = threading.Event()
        self._open.set()
        self._refusing = False
        self._closing = False
        self._links: list[_Link] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, name="proxy", daemon=True)
        self._thread.start()

    def __enter__(self) -> "RecordingProxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def cut(self) -> None:
        """End every connection with a reset, now; new ones are taken."""
        with self._lock:
            links, self._links = self._links, []
        for link in links:
            link.close()

    def black_hole(self) -> None:
        """Let nothing pass in either direction; connections stand, as when a cable is pulled."""
        self._open.clear()

    def refuse(self) -> None:
        """End every connection, and every new one at once."""
        self._refusing = True
        self.cut()

    def mend(self) -> None:
        """Let everything pass again; what was held goes on where it stopped."""
        self._refusing = False
        self._open.set()

    def close(self) -> None:
        """Stop listening and end everything."""
        self._closing = True
        self._open.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self.cut()

    def _accept(self) -> None:
        number = 0
        while not self._closing:
            try:
                device, _ = self._listener.accept()
            except OSError:
                return
            number += 1
            self._link(device, number)

    def _link(self, device: socket.socket, number: int) -> None:
        try:
            if self._refusing:
                raise ConnectionRefusedError
            broker = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        except OSError:
            _reset(device)
            return
        broker.settimeout(None)
        link = _Link(device, broker, number, self.recording, self._open)
        with self._lock:
            self._links = [*(old for old in self._links if not old.ended), link]
        link.start()


class _Link:
    """One connection of the device, joined to one to the broker."""

    def __init__(
        self,
        device: socket.socket,
        broker: socket.socket,
        number: int,
        recording: Recording,
        passing: threading.Event,
    ) -> None:
        self._device, self._broker = device, broker
        self._number = number
        self._recording = recording
        self._passing = passing
        self._version = 4
        self._on_their_way: dict[int, Publish] = {}
        self._sides = 2
        self._lock = threading.Lock()
        self.ended = False

    def start(self) -> None:
        """Begin to pass bytes in both directions."""
        directions = ((self._device, self._broker, self._from_device), (self._broker, self._device, self._from_broker))
        for source, target, note in directions:
            threading.Thread(target=self._pass, args=(source, target, note), name="proxy-link", daemon=True).start()

    def close(self) -> None:
        """End both connections with a reset."""
        self.ended = True
        for end in (self._device, self._broker):
            _reset(end)

    def _pass(self, source: socket.socket, target: socket.socket, note: Callable[[Packet], None]) -> None:
        """Pass on what comes until there is no more, then say so: what one side has sent reaches the other."""
        stream = PacketStream()
        # a ValueError is no MQTT: a fault of the row
        with suppress(OSError, ValueError):
            while data := source.recv(CHUNK):
                while not self._passing.wait(GLANCE_S):
                    if self.ended:
                        return
                for packet in stream.feed(data):
                    note(packet)
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)
        with suppress(OSError):  # unread bytes would turn the end into a reset, which throws away what went before it
            while source.recv(CHUNK):
                pass
        self._one_side_ended()

    def _one_side_ended(self) -> None:
        with self._lock:
            self._sides -= 1
            if self._sides:
                return
        self.ended = True
        self._device.close()
        self._broker.close()

    def _from_device(self, packet: Packet) -> None:
        if packet.kind == CONNECT:
            self._version = protocol_of(packet)
        elif packet.kind == PUBLISH:
            message = publish_of(packet, version=self._version)
            self._recording.sent.append(Sent(message, self._number, time.monotonic()))
            if message.qos:
                self._on_their_way[message.mid] = message

    def _from_broker(self, packet: Packet) -> None:
        if packet.kind == CONNACK:
            self._recording.accepted_at.append(time.monotonic())
        elif packet.kind == PUBACK:
            self._note(packet)
        elif packet.kind == PUBLISH:
            topic = publish_of(packet, version=self._version).topic
            self._recording.pictures_handed.add(topic.rpartition("/")[2])

    def _note(self, packet: Packet) -> None:
        answer = puback_of(packet)
        message = self._on_their_way.pop(answer.mid, None)
        if message is None:
            return
        if answer.accepted:
            self._recording.acknowledged.append(Acknowledged(message, self._number, time.monotonic()))
        else:
            self._recording.refused.append(message)


def _reset(end: socket.socket) -> None:
    """Close with a reset; a thread that waits for the socket wakes."""
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
