"""Pictures that come over MQTT: ``{source}/image`` or ``{source}/image/{id}``; the source is whatever the sender says.

Rule: a picture that the broker delivers again, because the connection broke before it saw the acknowledgement, is not
answered again; it shares the answer of its first delivery.

Rule: a picture is acknowledged to the broker only once its result was delivered, so that none is lost. With the queue
full or no model ready it waits here, unacknowledged, and the broker holds back what comes after.
"""

import logging
import queue
import threading
from collections import deque
from concurrent.futures import ALL_COMPLETED, Future, wait
from dataclasses import dataclass
from datetime import datetime

from edge.ports import Emit, Frame, Incoming, Priority, Subscriptions
from edge.results import Result
from edge.sources.clock import Clock, SystemClock
from edge.sources.deliveries import Deliveries
from edge.sources.patience import emit_patiently

PATTERNS = ("+/image", "+/image/+")
NOT_SOURCES = frozenset({"", "ack", "cmd"})
MAX_WAITING_BYTES = 256 * 1024 * 1024
"""Pictures that a broker sends without waiting for acknowledgements (QoS 0) are dropped beyond this."""
MAX_PENDING = 64
GLANCE_S = 0.1
LAST_ANSWERS_S = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message, the source that its topic names, and when it came."""

    message: Incoming
    source: str
    correlation_id: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Answered:
    """Some answer has come."""


class MqttImages:
    """Emits pictures in the order of their arrival. Subscribes when created: create it before the connection starts.

    Retained pictures are ignored: they would be answered anew at each reconnect.
    """

    kind = "mqtt"

    def __init__(
        self,
        subscriptions: Subscriptions,
        *,
        name: str = "mqtt",
        max_waiting_bytes: int = MAX_WAITING_BYTES,
        clock: Clock | None = None,
    ) -> None:
        self._name = name
        self._max_waiting_bytes = max_waiting_bytes
        self._clock = clock or SystemClock()
        self._events: queue.SimpleQueue[Arrival | Answered] = queue.SimpleQueue()
        self._pending: deque[tuple[Arrival, Future[Result]]] = deque()
        self._waiting_bytes = 0
        self._counting = threading.Lock()
        self._dropped = 0
        self._deliveries = Deliveries()
        for pattern in PATTERNS:
            subscriptions.subscribe(pattern, self._take)

    @property
    def name(self) -> str:
        """The name of this way in; results carry the sender's."""
        return self._name

    @property
    def dropped(self) -> int:
        """How many pictures found no room in memory."""
        return self._dropped

    def capture(self) -> bool:
        """Return False: pictures are sent, not taken."""
        return False

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Emit pictures until ``stop``. Raises StoppingError."""
        try:
            while not stop.is_set():
                event = self._next()
                if isinstance(event, Arrival):
                    self._offer(event, emit, stop)
                self._settle(emit, stop)
        finally:
            wait([future for _, future in self._pending], timeout=LAST_ANSWERS_S, return_when=ALL_COMPLETED)
            self._acknowledge_delivered()

    def _take(self, message: Incoming) -> None:
        """Queue a message: called in the connection's thread."""
        source, correlation_id = _parse(message)
        if message.retained or source in NOT_SOURCES:
            log.warning("ignoring a picture that is retained or names no source", extra={"topic": message.topic})
            message.acknowledge()
            return
        with self._counting:
            fits = self._waiting_bytes + len(message.payload) <= self._max_waiting_bytes or self._waiting_bytes == 0
            self._waiting_bytes += len(message.payload) if fits else 0
            self._dropped += 0 if fits else 1
        if fits:
            self._events.put(Arrival(message, source, correlation_id, self._clock.now()))

    def _next(self) -> Arrival | Answered | None:
        try:
            return self._events.get(timeout=GLANCE_S)
        except queue.Empty:
            return None

    def _offer(self, arrival: Arrival, emit: Emit, stop: threading.Event) -> None:
        message = arrival.message
        earlier = self._deliveries.earlier(message)
        if earlier is not None:
            self._await(arrival, earlier)
            return
        frame = Frame(
            message.payload,
            arrival.source,
            arrival.at,
            correlation_id=arrival.correlation_id,
            priority=Priority.TRIGGER,
        )
        while len(self._pending) >= MAX_PENDING and not stop.is_set():
            wait([self._pending[0][1]], timeout=GLANCE_S)
            self._acknowledge_delivered()
        future = emit_patiently(emit, frame, stop, self._clock)
        if future is not None:
            self._deliveries.note(message, future)
            self._await(arrival, future)

    def _await(self, arrival: Arrival, future: Future[Result]) -> None:
        self._pending.append((arrival, future))
        future.add_done_callback(lambda _: self._events.put(Answered()))

    def _settle(self, emit: Emit, stop: threading.Event) -> None:
        """Acknowledge what was delivered; hand in again what was not, for no fault of its own."""
        for arrival in self._acknowledge_delivered():
            self._offer(arrival, emit, stop)

    def _acknowledge_delivered(self) -> list[Arrival]:
        """Acknowledge in the order of arrival, as MQTT asks; return what could not be delivered."""
        undelivered = []
        while self._pending and self._pending[0][1].done():
            arrival, future = self._pending.popleft()
            if future.cancelled() or future.exception() is not None:
                undelivered.append(arrival)
                continue
            arrival.message.acknowledge()
            with self._counting:
                self._waiting_bytes -= len(arrival.message.payload)
        return undelivered


def _parse(message: Incoming) -> tuple[str, str | None]:
    """Return source and correlation id; the id in the topic goes before MQTT 5 correlation data."""
    source, _, rest = message.topic.partition("/")
    id_ = rest.partition("/")[2]
    usable = "" if set(source) & set("+#") else source
    return usable, id_ or message.correlation_id
