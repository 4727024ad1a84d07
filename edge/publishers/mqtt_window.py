"""The messages that are on their way: taken from the outbox, not yet acknowledged by the broker."""

import logging
import time
from typing import Protocol

from edge.publishers.mqtt_payloads import dropped_payload, replayed_payload
from edge.publishers.mqtt_settings import MqttSettings
from edge.publishers.mqtt_suspicion import Suspicion
from edge.publishers.outbox import Dropped, Message, Outbox, Queued, numbers

log = logging.getLogger(__name__)


class Sender(Protocol):
    """Takes messages while it lasts."""

    def publish(self, message: Message) -> int | None:
        """Return the number under which the acknowledgement will come, None where the connection is gone."""


class Window:
    """At most ``settings.window`` messages on their way. Used by the publisher's own thread only."""

    def __init__(self, outbox: Outbox, settings: MqttSettings) -> None:
        self._outbox = outbox
        self._topics = settings.topics
        self._size = settings.window
        self._longest_s = settings.acknowledge_timeout_s
        self._on_their_way: dict[int, int] = {}
        self._waited_up_to = 0
        self._moved_at = self._sent_at = 0.0
        self._suspicion = Suspicion()

    @property
    def careful(self) -> bool:
        """Whether nothing may be sent before the broker has shown that this connection works."""
        return self._suspicion.careful

    def hung_up(self) -> None:
        """Note that the broker ended the connection, perhaps for the oldest message on its way."""
        oldest = next(iter(self._on_their_way.values()), None)
        convicted = self._suspicion.ended(oldest, sent_s=time.monotonic() - self._sent_at)
        if convicted is not None:
            log.error(
                "the broker ends each connection that brings a message; it is left out", extra={"entry": convicted}
            )

    @property
    def full(self) -> bool:
        """Whether as many as may be are on their way."""
        return len(self._on_their_way) >= self._size

    @property
    def overdue_at(self) -> float | None:
        """When (monotonic) a broker that acknowledges nothing will have had its time; None where nothing is sent."""
        return self._moved_at + self._longest_s if self._on_their_way else None

    @property
    def overdue(self) -> bool:
        """Whether the broker has acknowledged nothing for too long."""
        return self.overdue_at is not None and time.monotonic() >= self.overdue_at

    def reset(self) -> None:
        """Begin anew with another connection: everything unacknowledged is sent again, in order."""
        self._on_their_way.clear()
        self._waited_up_to = self._outbox.rewind()

    def fill(self, sender: Sender) -> None:
        """Send as many as there is room for. Should the connection be gone, ``reset`` puts things right."""
        room = (1 if self.careful else self._size) - len(self._on_their_way)
        if not self._on_their_way:
            self._moved_at = time.monotonic()
        self.replayed = 0
        for queued in self._outbox.take(room) if room > 0 else ():
            self.replayed += queued.id <= self._waited_up_to
            if queued.id in self._suspicion and numbers(queued) == (0, 0):
                self._outbox.acknowledge(queued.id)  # nobody counts on it, so nothing need be said in its place
                continue
            mid = sender.publish(self._message(queued))
            if mid is None:
                return
            if not self._on_their_way:
                self._sent_at = time.monotonic()
            self._on_their_way[mid] = queued.id

    def acknowledged(self, mid: int) -> None:
        """Let a message leave the outbox; numbers of other messages are no error."""
        id_ = self._on_their_way.pop(mid, None)
        if id_ is not None:
            self._moved_at = time.monotonic()
            self._sent_at = self._moved_at
            self._suspicion.moved(id_)
            self._outbox.acknowledge(id_)

    def _message(self, queued: Queued) -> Message:
        """Return what goes over the wire; a result that waited for this connection is marked as replayed."""
        content = queued.content
        if isinstance(content, Message) and queued.id in self._suspicion:
            content = Dropped(content.seq, content.seq, "refused")
        if isinstance(content, Dropped):
            return Message(self._topics.dropped, dropped_payload(self._topics.device, content))
        message = content
        if queued.id > self._waited_up_to or message.seq == 0:
            return message
        return Message(message.topic, replayed_payload(message.payload), message.seq)
