"""The messages that are on their way: taken from the outbox, not yet acknowledged by the broker."""

from typing import Protocol

from edge.publishers.mqtt_payloads import dropped_payload, replayed_payload
from edge.publishers.outbox import Dropped, Message, Outbox, Queued
from edge.publishers.topics import Topics


class Sender(Protocol):
    """Takes messages while it lasts."""

    def publish(self, message: Message) -> int | None:
        """Return the number under which the acknowledgement will come, None where the connection is gone."""


class Window:
    """At most ``size`` messages on their way. Used by the publisher's own thread only."""

    def __init__(self, outbox: Outbox, topics: Topics, size: int) -> None:
        self._outbox = outbox
        self._topics = topics
        self._size = size
        self._on_their_way: dict[int, int] = {}
        self._waited_up_to = 0

    def reset(self) -> None:
        """Begin anew with another connection: everything unacknowledged is sent again, in order."""
        self._on_their_way.clear()
        self._waited_up_to = self._outbox.rewind()

    def fill(self, sender: Sender) -> None:
        """Send as many as there is room for. Should the connection be gone, ``reset`` puts things right."""
        room = self._size - len(self._on_their_way)
        for queued in self._outbox.take(room) if room > 0 else ():
            mid = sender.publish(self._message(queued))
            if mid is None:
                return
            self._on_their_way[mid] = queued.id

    def acknowledged(self, mid: int) -> None:
        """Let a message leave the outbox; numbers of other messages are no error."""
        id_ = self._on_their_way.pop(mid, None)
        if id_ is not None:
            self._outbox.acknowledge(id_)

    def _message(self, queued: Queued) -> Message:
        """Return what goes over the wire; a result that waited for this connection is marked as replayed."""
        if isinstance(queued.content, Dropped):
            return Message(self._topics.dropped, dropped_payload(self._topics.device, queued.content))
        message = queued.content
        if queued.id > self._waited_up_to or message.seq == 0:
            return message
        return Message(message.topic, replayed_payload(message.payload), message.seq)
