"""Publishes results and state to a broker, takes pictures and commands from it.

Rule: one thread owns the connection and everything that happens to it; callers and paho's network thread only put
events into its queue. Messages stay in the outbox until the broker has acknowledged them; paho gets them only while
connected.
"""

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from edge.errors import PublishError
from edge.ports import Incoming, Mark
from edge.publishers.mqtt_connection import Acknowledged, Complaint, Connection, Down, Event, Up
from edge.publishers.mqtt_faults import why_silent, why_stuck
from edge.publishers.mqtt_payloads import outbox_json, state_payload
from edge.publishers.mqtt_routes import Routes, Subscription
from edge.publishers.mqtt_settings import MqttSettings
from edge.publishers.mqtt_window import Window
from edge.publishers.outbox import Message, Outbox, OutboxStatus
from edge.results import Result, result_json

GOODBYE_S = 1.0
"""How long, at most, the offline state may take to be acknowledged at closing."""
BRIEF_S = 5.0
"""A connection that ends sooner does not count as a recovery: the next wait is longer still."""
REST_S = 0.02
"""How long what comes may wait for more to come; the first after a pause is handled at once."""
FULL_REST_S = 0.005
"""The same while as many as may be are on their way, so that more is waiting."""
REPLAY_PER_S = 1500
"""How many results a second, at most, are sent of those that had waited; more would slow down the pictures' work."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Woken:
    """There may be something to send."""


class MqttPublisher:
    """The device at its broker: at least once, in order, reconnecting for as long as it lives.

    Create, subscribe, ``start``, ``publish``, ``close``. Nothing here waits for the network but ``close``. Raises
    ConfigError where a TLS file is unusable.
    """

    def __init__(self, settings: MqttSettings, outbox: Outbox) -> None:
        self._settings = settings
        self._topics = settings.topics
        self._outbox = outbox
        self._tls = settings.tls.context() if settings.tls else None
        self._events: queue.SimpleQueue[tuple[Connection | None, Event | Woken]] = queue.SimpleQueue()
        self._awake = threading.Event()
        self._routes = Routes()
        self._state: Mapping[str, Any] = {}
        self._state_due = False
        self._connected = threading.Event()
        self._closing = threading.Event()
        self._close_by = self._rested_at = 0.0
        self._problem: str | None = None
        self._window = Window(outbox, settings)
        self._turns = 0
        self._works = False  # this connection has acknowledged something
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        outbox.listen(self._wake)

    def start(self) -> None:
        """Connect in the background, and again whenever the connection is lost."""
        self._thread.start()

    @property
    def mark(self) -> Mark:
        """Where numbering goes on."""
        return self._outbox.mark

    def admit(self) -> None:
        """Raise OverloadedError where the outbox has no room, or its disk refuses, and nothing may be dropped."""
        self._outbox.admit()

    def publish(self, result: Result) -> None:
        """Put a result into the outbox; it is kept once this returns."""
        payload = orjson.dumps(result_json(result))
        self.send(Message(self._topics.result(result.source), payload, result.seq, result.id))

    def send(self, message: Message) -> None:
        """Put any message into the outbox: at least once, in order with the results."""
        self._outbox.put(message)
        self._wake()

    def announce(self, state: Mapping[str, Any]) -> None:
        """Retain ``state`` at the broker, now and after each reconnect; only the newest counts."""
        self._state = dict(state)
        self._state_due = True
        self._wake()

    def subscribe(self, pattern: str, deliver: Callable[[Incoming], None], *, qos: int = 1) -> None:
        """Have matching messages given to ``deliver``: from the next connection on, so call it before ``start``."""
        self._routes.add(Subscription(pattern, deliver, qos))

    @property
    def turns(self) -> int:
        """Rises with each event that the publisher's thread sees; ``nudge`` gives it one."""
        return self._turns

    def nudge(self) -> None:
        """Give an idle thread something to see, so that ``turns`` tells whether it works."""
        self._wake()

    @property
    def connected(self) -> bool:
        """Whether the broker takes messages now."""
        return self._connected.is_set()

    @property
    def problem(self) -> str | None:
        """What is wrong, with its remedy; None where all is well or the first try is not over."""
        return self._problem

    @property
    def depth(self) -> int:
        """How many messages the broker has not acknowledged."""
        return self._outbox.depth

    @property
    def dropped(self) -> int:
        """How many messages the outbox's limits have let go."""
        return self._outbox.dropped

    @property
    def unstored(self) -> int:
        """How many messages would not outlive the process."""
        return self._outbox.unstored

    def outbox_status(self) -> OutboxStatus:
        """Return what there is to say of the outbox."""
        return self._outbox.status()

    def close(self, *, timeout_s: float = 5.0) -> None:
        """Deliver what can be delivered within ``timeout_s``, announce offline, say goodbye, stop.

        ``depth`` then tells how many messages are left. With the broker away nothing is waited for.
        """
        self._close_by = time.monotonic() + timeout_s
        self._closing.set()
        self._wake()
        if self._thread.is_alive():
            self._thread.join(timeout_s + self._settings.connect_timeout_s + GOODBYE_S)
        if self._outbox.depth:
            left = {"left": self._outbox.depth, "broker": self._settings.address}
            log.warning("messages left undelivered", extra=left)
        self._outbox.close()

    def _wake(self) -> None:
        if not self._awake.is_set():  # one pending call is enough, however many results come
            self._awake.set()
            self._events.put((None, Woken()))

    def _run(self) -> None:
        failures = 0
        while not self._closing.is_set():
            began = time.monotonic()
            self._turns += 1
            came_up = self._serve_one_connection()
            failures = 0 if came_up and time.monotonic() - began > BRIEF_S else failures + 1
            self._closing.wait(self._pause_s(failures))

    def _pause_s(self, failures: int) -> float:
        """Return the wait before the next try: doubled each time, with jitter so that devices do not come in step."""
        longest: float = min(self._settings.reconnect_min_s * 2 ** min(failures, 16), self._settings.reconnect_max_s)
        return longest * random.uniform(0.75, 1.25)  # noqa: S311 - spreads reconnects, keeps no secret

    def _serve_one_connection(self) -> bool:
        """Connect once and stay as long as it lasts; tell whether the broker had accepted."""
        connection = Connection(
            self._settings,
            self._state_message("offline", {"reason": "connection lost"}),
            on_event=lambda source, event: self._events.put((source, event)),
            on_message=self._routes.deliver,
            tls=self._tls,
        )
        came_up = False
        try:
            connection.open()
            came_up = self._await_acceptance(connection)
            if came_up:
                self._stay(connection)
        except PublishError as exc:
            self._report(str(exc))
        finally:
            connection.close()
        return came_up

    def _next_event(self, connection: Connection, deadline: float | None) -> Event | Woken | None:
        """Return the next event of this connection; None at ``deadline`` (monotonic, None waits for ever)."""
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                source, event = self._events.get(timeout=left)
            except queue.Empty:
                return None
            finally:
                self._turns += 1
            if source is None:
                self._awake.clear()
            if source in {None, connection}:
                return event

    def _await_acceptance(self, connection: Connection) -> bool:
        deadline = time.monotonic() + self._settings.answer_timeout_s
        while True:
            by = min(deadline, self._close_by) if self._closing.is_set() else deadline
            match self._next_event(connection, by):
                case Up():
                    return True
                case Down(problem):
                    self._report(problem)
                    return False
                case None:
                    self._report(why_silent(self._settings))
                    return False

    def _stay(self, connection: Connection) -> None:
        self._greet(connection)
        try:
            while not self._finished():
                self._send_state(connection)
                if not self._window.careful or self._works:
                    self._window.fill(connection)
                event = self._next_event(connection, self._patience())
                if event is None and self._window.overdue:
                    self._report(why_stuck(self._settings))
                    return
                self._rest()
                if not self._handle_all(connection, event):
                    return
            self._say_goodbye(connection)
        finally:
            self._connected.clear()
            self._window.reset()

    def _rest(self) -> None:
        """Let what comes close together be handled together: waking up for each would cost the pictures' work.

        What had waited for the connection is paced beside that.
        """
        now = time.monotonic()
        rest_s = FULL_REST_S if self._window.full else REST_S
        until = self._rested_at + max(rest_s, self._window.replayed / REPLAY_PER_S)
        if now < until:
            self._closing.wait(until - now)
        self._rested_at = time.monotonic()

    def _handle_all(self, connection: Connection, event: Event | Woken | None) -> bool:
        """Act on an event and those that have come meanwhile; tell whether the connection stands."""
        while event is not None:
            if not self._handle(event):
                return False
            event = self._next_event(connection, 0.0)
        return True

    def _patience(self) -> float | None:
        """Return until when to wait for the next event; None is for ever."""
        ends = [self._window.overdue_at, self._close_by if self._closing.is_set() else None]
        return min((end for end in ends if end is not None), default=None)

    def _greet(self, connection: Connection) -> None:
        connection.subscribe(self._routes.filters(self._topics.root))
        self._window.reset()
        self._state_due = True
        self._works = False
        self._connected.set()
        self._report(None)

    def _finished(self) -> bool:
        if not self._closing.is_set():
            return False
        return self._outbox.depth == 0 or time.monotonic() >= self._close_by

    def _handle(self, event: Event | Woken | None) -> bool:
        """Act on an event; tell whether the connection stands."""
        match event:
            case Acknowledged(mid):
                self._works = True
                self._window.acknowledged(mid)
            case Complaint(problem):
                self._report(problem)
            case Down(problem, by_message):
                self._report(problem)
                if by_message:
                    self._window.hung_up()
                return False
        return True

    def _send_state(self, connection: Connection) -> None:
        if self._state_due:
            self._state_due = False
            state = {**self._state, **outbox_json(self._outbox.status())}
            connection.publish(self._state_message("online", state), retain=True)

    def _say_goodbye(self, connection: Connection) -> None:
        offline = self._state_message("offline", {"reason": "stopped", **outbox_json(self._outbox.status())})
        mid = connection.publish(offline, retain=True)
        deadline = time.monotonic() + GOODBYE_S
        while mid is not None:
            event = self._next_event(connection, deadline)
            if event is None or isinstance(event, Down) or event == Acknowledged(mid):
                break
            self._handle(event)
        connection.close(politely=True)

    def _state_message(self, state: str, more: Mapping[str, Any]) -> Message:
        return Message(self._topics.state, state_payload(self._topics.device, state, more))

    def _report(self, problem: str | None) -> None:
        """Keep what is wrong and log it once, however often it is tried again."""
        if problem is None:
            log.info("connected to MQTT broker", extra={"broker": self._settings.address})
        elif problem != self._problem:
            log.warning(problem)
        self._problem = problem
