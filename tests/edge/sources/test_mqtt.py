"""Pictures over MQTT, without a broker: what becomes of each message, and when it is acknowledged."""

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from edge.errors import ModelNotReadyError, OverloadedError, StoppingError
from edge.ports import Incoming
from edge.sources.mqtt import MqttImages
from tests.edge.sources.emissions import Emissions, SteppedClock
from tests.mosquitto import until


@dataclass
class Inbox:
    """Stands for the connection: delivers messages, remembers acknowledgements in order."""

    acknowledged: list[str] = field(default_factory=list)
    patterns: dict[str, Callable[[Incoming], None]] = field(default_factory=dict)

    def subscribe(self, pattern: str, deliver: Callable[[Incoming], None], *, qos: int = 1) -> None:
        assert qos == 1
        self.patterns[pattern] = deliver

    def send(
        self,
        topic: str,
        payload: bytes = b"x",
        *,
        correlation_id: str | None = None,
        retained: bool = False,
        packet_id: int = 0,
        redelivered: bool = False,
    ) -> None:
        deliver = self.patterns["+/image/+" if topic.count("/") > 1 else "+/image"]
        acknowledge = partial(self.acknowledged.append, topic)
        deliver(Incoming(topic, payload, acknowledge, correlation_id, retained, packet_id, redelivered))


class Running:
    """Runs the source in a thread until the block ends; ``error`` is what ended it."""

    def __init__(self, inbox: Inbox, emit: Emissions, *, max_waiting_bytes: int = 1000) -> None:
        self.source = MqttImages(inbox, max_waiting_bytes=max_waiting_bytes, clock=SteppedClock())
        self.error: Exception | None = None
        self._emit = emit
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.source.run(self._emit, self._stop)
        except StoppingError as exc:
            self.error = exc

    def __enter__(self) -> "Running":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.mark.parametrize(
    ("topic", "correlation", "source", "expected"),
    [
        ("line-3/image", None, "line-3", None),
        ("line-3/image/part 7", None, "line-3", "part 7"),
        ("line-3/image", "from MQTT 5", "line-3", "from MQTT 5"),
        ("line-3/image/part-7", "from MQTT 5", "line-3", "part-7"),
        ("line-3/image/", "from MQTT 5", "line-3", "from MQTT 5"),
    ],
)
def test_source_and_id_come_from_the_topic(
    topic: str, correlation: str | None, source: str, expected: str | None
) -> None:
    """The id in the topic goes before MQTT 5 correlation data."""
    inbox, emit = Inbox(), Emissions()
    with Running(inbox, emit):
        inbox.send(topic, b"picture", correlation_id=correlation)
        until(lambda: inbox.acknowledged)
    frame = emit.frames[0]
    assert (frame.source, frame.correlation_id, frame.image) == (source, expected, b"picture")


def test_a_picture_is_acknowledged_only_when_its_result_was_delivered() -> None:
    """In the order of arrival, whichever answer comes first."""
    inbox, emit = Inbox(), Emissions(answering=False)
    with Running(inbox, emit):
        for topic in ("a/image", "b/image", "c/image"):
            inbox.send(topic)
        until(lambda: len(emit.frames) == 3)
        emit.answer(1)
        emit.answer(2)
        assert inbox.acknowledged == []
        emit.answer(0)
        until(lambda: inbox.acknowledged == ["a/image", "b/image", "c/image"])


@pytest.mark.parametrize("refusal", [OverloadedError("full"), ModelNotReadyError("none yet")])
def test_a_full_queue_holds_pictures_back(refusal: Exception) -> None:
    """They wait, unacknowledged, and are done later; none is dropped."""
    inbox, emit = Inbox(), Emissions()
    emit.refusals = [refusal] * 3
    with Running(inbox, emit):
        inbox.send("a/image")
        inbox.send("b/image")
        until(lambda: inbox.acknowledged == ["a/image", "b/image"])
    assert emit.refused == 3


def test_a_bad_picture_is_handed_in_and_acknowledged() -> None:
    """Its result says what is wrong; the broker need not send it again. Empty ones too."""
    inbox, emit = Inbox(), Emissions()
    with Running(inbox, emit):
        inbox.send("a/image", b"bad")
        inbox.send("b/image", b"")
        until(lambda: len(inbox.acknowledged) == 2)
    assert len(emit.frames) == 2


@pytest.mark.parametrize("topic", ["/image", "cmd/image", "ack/image", "a+b/image"])
def test_a_picture_that_names_no_source_is_ignored(topic: str) -> None:
    """Told in the log and acknowledged, so that it does not come again."""
    inbox, emit = Inbox(), Emissions()
    with Running(inbox, emit):
        inbox.send(topic)
        inbox.send("a/image")
        until(lambda: len(inbox.acknowledged) == 2)
    assert len(emit.frames) == 1


def test_a_retained_picture_is_ignored() -> None:
    """It would be answered anew at each reconnect."""
    inbox, emit = Inbox(), Emissions()
    with Running(inbox, emit):
        inbox.send("a/image", retained=True)
        until(lambda: inbox.acknowledged)
    assert emit.frames == []


def test_a_result_that_could_not_be_delivered_is_tried_again() -> None:
    """The picture stays unacknowledged until then."""
    inbox, emit = Inbox(), Emissions(answering=False)
    with Running(inbox, emit):
        inbox.send("a/image")
        until(lambda: len(emit.frames) == 1)
        emit.answering = True
        emit.futures[0].set_exception(CancelledError())
        until(lambda: inbox.acknowledged)
    assert len(emit.frames) == 2


def test_a_stopping_daemon_leaves_the_rest_to_the_broker() -> None:
    """What is not acknowledged comes again after the next start."""
    inbox, emit = Inbox(), Emissions()
    emit.refusals = [StoppingError("stopping")]
    running = Running(inbox, emit)
    with running:
        inbox.send("a/image")
        until(lambda: running.error)
    assert inbox.acknowledged == []


def test_what_is_under_way_when_the_source_stops_is_still_acknowledged() -> None:
    """Its answer is awaited."""
    inbox, emit = Inbox(), Emissions(answering=False)
    with Running(inbox, emit):
        inbox.send("a/image")
        until(lambda: emit.frames)
        threading.Timer(0.05, emit.answer, [0]).start()
    assert inbox.acknowledged == ["a/image"]


def test_memory_for_waiting_pictures_is_bounded() -> None:
    """A sender that waits for no acknowledgement loses pictures, counted; the daemon goes on."""
    inbox = Inbox()
    running = Running(inbox, Emissions(), max_waiting_bytes=10)
    for _ in range(3):
        inbox.send("a/image", b"123456")
    assert running.source.dropped == 2
    with running:
        until(lambda: inbox.acknowledged == ["a/image"])
        inbox.send("b/image", b"123456")
        until(lambda: inbox.acknowledged == ["a/image", "b/image"])


def test_it_cannot_capture() -> None:
    """Pictures are sent, not taken."""
    source = MqttImages(Inbox())
    assert (source.capture(), source.name, source.kind) == (False, "mqtt", "mqtt")


def test_a_picture_that_is_delivered_again_is_answered_once() -> None:
    """The broker that missed an acknowledgement gets another one; the picture has one result."""
    inbox, emit = Inbox(), Emissions()
    with Running(inbox, emit):
        inbox.send("belt/image/7", packet_id=3)
        until(lambda: len(inbox.acknowledged) == 1)
        inbox.send("belt/image/7", packet_id=3, redelivered=True)
        until(lambda: len(inbox.acknowledged) == 2)
    assert len(emit.frames) == 1


@pytest.mark.parametrize(
    "again",
    [
        {"packet_id": 4, "redelivered": True},
        {"packet_id": 3, "redelivered": False},
        {"packet_id": 3, "redelivered": True, "payload": b"another"},
    ],
    ids=["another packet id", "no DUP flag", "another content"],
)
def test_what_only_looks_like_a_repetition_is_answered(again: dict[str, Any]) -> None:
    """A flag, a packet id or the content alone prove no repetition: the first delivery may never have come."""
    inbox, emit = Inbox(), Emissions()
    with Running(inbox, emit):
        inbox.send("belt/image", packet_id=3)
        inbox.send("belt/image", **again)
        until(lambda: len(inbox.acknowledged) == 2)
    assert len(emit.frames) == 2
