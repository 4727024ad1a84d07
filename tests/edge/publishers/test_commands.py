"""Commands: every one is answered, in order, whatever is in it."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from edge.errors import ModelNotFoundError, RequestError
from edge.ports import Incoming
from edge.publishers.commands import MAX_WAITING, Commands
from edge.publishers.outbox import Message
from edge.results import ModelRef
from tests.edge.publishers.conftest import TOPICS, MakePublisher
from tests.edge.publishers.listener import Listener
from tests.mosquitto import Mosquitto, needs_mosquitto, until


@dataclass
class FakeControl:
    """A daemon that does as it is told and remembers it. ``version`` 9 does not exist; source ``boom`` is a bug."""

    done: list[tuple[str, ...]] = field(default_factory=list)
    may_go_on: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.may_go_on.set()

    def status(self) -> Mapping[str, Any]:
        return {}

    def problems(self) -> Sequence[str]:
        return []

    def models(self) -> Sequence[Mapping[str, Any]]:
        return []

    def activate(self, name: str, version: str | None = None) -> ModelRef:
        if version == "9":
            raise ModelNotFoundError("there is no parts:9")
        self.done.append(("activate", name, str(version)))
        return ModelRef(name, version or "2")

    def rollback(self, name: str) -> ModelRef:
        self.done.append(("rollback", name))
        return ModelRef(name, "1")

    def reload(self) -> None:
        self.may_go_on.wait(10)
        self.done.append(("reload",))

    def capture(self, source: str) -> None:
        if source == "boom":
            raise ZeroDivisionError
        if source != "camera":
            raise RequestError(f"there is no source {source!r}")
        self.done.append(("capture", source))


@dataclass
class FakeLink:
    """Stands for the connection."""

    sent: list[Message] = field(default_factory=list)
    deliver: Callable[[Incoming], None] = field(init=False)
    qos: int = 9

    def subscribe(self, pattern: str, deliver: Callable[[Incoming], None], *, qos: int = 1) -> None:
        assert pattern == "cmd/+"
        self.deliver, self.qos = deliver, qos

    def send(self, message: Message) -> None:
        self.sent.append(message)

    def command(self, verb: str, payload: bytes, *, retained: bool = False) -> None:
        self.deliver(Incoming(f"cmd/{verb}", payload, lambda: None, retained=retained))

    def ask(self, verb: str, body: object) -> dict[str, Any]:
        """Send a command and return its answer."""
        before = len(self.sent)
        self.command(verb, body if isinstance(body, bytes) else json.dumps(body).encode())
        until(lambda: len(self.sent) > before, what="an answer")
        answer: dict[str, Any] = json.loads(self.sent[-1].payload)
        return answer


@pytest.fixture
def control() -> FakeControl:
    """A daemon."""
    return FakeControl()


@pytest.fixture
def link(control: FakeControl) -> Iterator[FakeLink]:
    """A connection with commands behind it."""
    link = FakeLink()
    commands = Commands(link, control, TOPICS)
    commands.start()
    yield link
    commands.close()


@pytest.mark.parametrize(
    ("verb", "body", "detail", "done"),
    [
        ("capture", {"source": "camera"}, {"source": "camera"}, ("capture", "camera")),
        (
            "activate",
            {"name": "parts", "version": "3"},
            {"model": {"name": "parts", "version": "3", "proven": True}},
            ("activate", "parts", "3"),
        ),
        (
            "activate",
            {"name": "parts", "version": None},
            {"model": {"name": "parts", "version": "2", "proven": True}},
            ("activate", "parts", "None"),
        ),
        (
            "rollback",
            {"name": "parts"},
            {"model": {"name": "parts", "version": "1", "proven": True}},
            ("rollback", "parts"),
        ),
        ("reload", {}, {}, ("reload",)),
    ],
)
def test_a_command_is_carried_out_and_answered_on_its_id(
    link: FakeLink, control: FakeControl, verb: str, body: dict[str, object], detail: object, done: tuple[str, ...]
) -> None:
    """The answer tells what came of it."""
    assert link.ask(verb, {"id": "a 1", **body}) == {"id": "a 1", "verb": verb, "ok": True, "detail": detail}
    assert link.sent[0].topic == "plant/press-1/ack/a 1"
    assert control.done == [done]


@pytest.mark.parametrize(
    ("verb", "payload", "id_", "kind", "detail"),
    [
        ("activate", {"id": "1", "name": "parts", "version": "9"}, "1", "ModelNotFoundError", "there is no parts:9"),
        ("activate", {"id": "1"}, "1", "RequestError", '"name"'),
        ("activate", {"id": "1", "name": "parts", "version": 3}, "1", "RequestError", '"version"'),
        ("capture", {"id": "1", "source": "door"}, "1", "RequestError", "there is no source 'door'"),
        ("capture", {"id": "1", "source": "boom"}, "1", "InternalError", "log"),
        ("explode", {"id": "1"}, "1", "RequestError", "capture, activate, rollback, reload"),
        ("reload", b"{", "-", "RequestError", "no JSON"),
        ("reload", b"\xff", "-", "RequestError", "no JSON"),
        ("reload", b"", "-", "RequestError", "no JSON"),
        ("reload", [1], "-", "RequestError", "JSON object"),
        ("reload", {}, "-", "RequestError", '"id"'),
        ("reload", {"id": ""}, "-", "RequestError", '"id"'),
        ("reload", {"id": True}, "-", "RequestError", '"id"'),
        ("reload", {"id": "x" * 129}, "-", "RequestError", '"id"'),
    ],
)
def test_a_command_that_fails_is_answered_with_the_reason(
    link: FakeLink, verb: str, payload: object, id_: str, kind: str, detail: str
) -> None:
    """And the next one is carried out."""
    answer = link.ask(verb, payload)
    assert (answer["id"], answer["verb"], answer["ok"], answer["error"]["kind"]) == (id_, verb, False, kind)
    assert detail in answer["error"]["detail"]
    assert link.ask("reload", {"id": 7})["id"] == "7"


def test_an_id_that_is_no_topic_level_is_answered_on_a_safe_one(link: FakeLink) -> None:
    """The payload keeps the id as it was."""
    assert link.ask("reload", {"id": "a/b#"})["id"] == "a/b#"
    assert link.sent[0].topic == "plant/press-1/ack/a_b_"


def test_commands_are_carried_out_in_order_and_all_before_closing(control: FakeControl) -> None:
    """One worker: no two cross."""
    link = FakeLink()
    commands = Commands(link, control, TOPICS)
    commands.start()
    control.may_go_on.clear()
    link.command("reload", b'{"id": "1"}')
    link.command("capture", b'{"id": "2", "source": "camera"}')
    control.may_go_on.set()
    commands.close()
    assert control.done == [("reload",), ("capture", "camera")]


def test_a_retained_command_is_ignored(link: FakeLink, control: FakeControl) -> None:
    """Each reconnect would repeat it."""
    link.command("rollback", b'{"id": "1", "name": "parts"}', retained=True)
    link.ask("reload", {"id": "2"})
    assert control.done == [("reload",)]


def test_a_flood_of_commands_is_bounded(control: FakeControl) -> None:
    """More than wait at a time are ignored; their senders get no answer."""
    link = FakeLink()
    commands = Commands(link, control, TOPICS)
    for number in range(MAX_WAITING + 10):
        link.command("reload", b'{"id": "%d"}' % number)
    commands.start()
    until(lambda: len(link.sent) == MAX_WAITING)
    commands.close()
    assert len(link.sent) == MAX_WAITING


def test_closing_what_never_started_does_nothing(control: FakeControl) -> None:
    """However a start was broken off."""
    Commands(FakeLink(), control, TOPICS).close()


def test_closing_ends_in_time_behind_a_command_that_hangs(control: FakeControl) -> None:
    """Also while as many wait as may; what was asked for is still carried out as long as the process lives."""
    link = FakeLink()
    commands = Commands(link, control, TOPICS)
    control.may_go_on.clear()
    commands.start()
    for number in range(MAX_WAITING + 10):
        link.command("reload", b'{"id": "%d"}' % number)
    closing = threading.Thread(target=commands.close, kwargs={"timeout_s": 0.2}, daemon=True)
    closing.start()
    closing.join(5)
    ended = not closing.is_alive()
    control.may_go_on.set()
    assert ended
    until(lambda: len(link.sent) >= MAX_WAITING, what="the answers")
    commands.close()


@needs_mosquitto
def test_over_a_real_broker(broker: Mosquitto, control: FakeControl, make_publisher: MakePublisher) -> None:
    """A command in, its answer out."""
    publisher = make_publisher(broker.port)
    commands = Commands(publisher, control, TOPICS)
    commands.start()
    publisher.start()
    with Listener(broker.port, "plant/press-1/#") as person:
        person.wait_for("state")
        person.send("plant/press-1/cmd/capture", b'{"id": "42", "source": "camera"}')
        answer = person.wait_for("ack/42")[0]
    commands.close()
    assert answer == {"id": "42", "verb": "capture", "ok": True, "detail": {"source": "camera"}}
