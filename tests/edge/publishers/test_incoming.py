"""Pictures and commands through a real mosquitto: what reaches subscribers, and what comes again."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace

import pytest

from edge.ports import Frame, Incoming
from edge.publishers.mqtt import MqttPublisher
from edge.results import Result
from edge.sources.mqtt import MqttImages
from tests.edge.publishers.conftest import MakeBroker, MakePublisher
from tests.edge.publishers.listener import Listener
from tests.edge.publishers.results import make_result
from tests.mosquitto import Mosquitto, needs_mosquitto, until

pytestmark = needs_mosquitto


class Received(list[Incoming]):
    """Messages in the order of arrival."""

    @property
    def topics(self) -> list[str]:
        """Their topics below the device."""
        return [incoming.topic for incoming in self]


@pytest.fixture
def sender(broker: Mosquitto) -> Iterator[Listener]:
    """Somebody who sends, by MQTT 5."""
    with Listener(broker.port, "nothing", v5=True) as sender:
        yield sender


def subscribed(publisher: MqttPublisher, *patterns: str, qos: int = 1) -> Received:
    """Subscribe and wait until the broker knows: it answers in order, and the state is sent after the subscriptions."""
    received = Received()
    for pattern in patterns:
        publisher.subscribe(pattern, received.append, qos=qos)
    return received


def start(publisher: MqttPublisher, port: int) -> None:
    publisher.start()
    with Listener(port, "plant/press-1/state") as listener:
        listener.wait_for("state")


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_subscribers_get_topic_payload_and_correlation_data(
    broker: Mosquitto, sender: Listener, make_publisher: MakePublisher, protocol: str
) -> None:
    """Correlation data needs MQTT 5 on both sides; bytes that are no text are given in hexadecimal."""
    publisher = make_publisher(broker.port, protocol=protocol)
    received = subscribed(publisher, "+/image", "+/image/+")
    start(publisher, broker.port)
    sender.send("plant/press-1/line-3/image/7", b"picture")
    sender.send("plant/press-1/line-3/image", b"picture", correlation=b"part 8")
    sender.send("plant/press-1/line-3/image", b"picture", correlation=b"\xff\x00")
    sender.send("plant/press-2/line-3/image", b"not for us")
    until(lambda: len(received) == 3)
    assert received.topics == ["line-3/image/7", "line-3/image", "line-3/image"]
    assert received[0].payload == b"picture"
    ids = [incoming.correlation_id for incoming in received]
    assert ids == ([None, "part 8", "ff00"] if protocol == "5" else [None, None, None])


def test_a_message_goes_to_the_pattern_that_names_more(
    broker: Mosquitto, sender: Listener, make_publisher: MakePublisher
) -> None:
    """Whichever was subscribed first."""
    publisher = make_publisher(broker.port)
    wide = subscribed(publisher, "+/+")
    narrow = subscribed(publisher, "cmd/+")
    start(publisher, broker.port)
    sender.send("plant/press-1/cmd/reload", b"{}")
    until(lambda: narrow)
    assert narrow.topics == ["cmd/reload"]
    assert "cmd/reload" not in wide.topics


def test_a_name_that_begins_with_a_dollar_is_a_name(
    broker: Mosquitto, sender: Listener, make_publisher: MakePublisher
) -> None:
    """The rule that wildcards leave out such topics is about the first level of all, not of ours."""
    publisher = make_publisher(broker.port)
    received = subscribed(publisher, "+/image")
    start(publisher, broker.port)
    sender.send("plant/press-1/$line/image", b"picture")
    until(lambda: received)
    assert received.topics == ["$line/image"]


def test_a_retained_message_is_marked(broker: Mosquitto, sender: Listener, make_publisher: MakePublisher) -> None:
    """It was there before the device came."""
    sender.send("plant/press-1/line-3/image", b"old", retain=True)
    publisher = make_publisher(broker.port)
    received = subscribed(publisher, "+/image")
    start(publisher, broker.port)
    until(lambda: received)
    assert received[0].retained


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_what_was_not_acknowledged_comes_again_after_a_restart_of_the_device(
    broker: Mosquitto, sender: Listener, make_publisher: MakePublisher, protocol: str
) -> None:
    """The broker keeps pictures for the device, those too that are sent while it is away."""
    first = make_publisher(broker.port, protocol=protocol)
    received = subscribed(first, "+/image")
    start(first, broker.port)
    sender.send("plant/press-1/a/image", b"1")
    sender.send("plant/press-1/b/image", b"2")
    until(lambda: len(received) == 2)
    received[0].acknowledge()
    first.close()
    received[1].acknowledge()  # too late: nothing happens
    sender.send("plant/press-1/c/image", b"3")
    second = make_publisher(broker.port, protocol=protocol)
    again = subscribed(second, "+/image")
    second.start()
    until(lambda: len(again) == 2)
    assert again.topics == ["b/image", "c/image"]


def test_subscriptions_outlive_a_broker_that_forgets_them(
    make_broker: MakeBroker, make_publisher: MakePublisher
) -> None:
    """They are asked for at every connection."""
    broker = make_broker()
    publisher = make_publisher(broker.port)
    received = subscribed(publisher, "+/image")
    start(publisher, broker.port)
    broker.kill()
    until(lambda: not publisher.connected)
    broker.start()
    until(lambda: publisher.connected)
    with Listener(broker.port, "plant/press-1/state") as sender:
        sender.wait_for("state")
        sender.send("plant/press-1/a/image", b"1")
        until(lambda: received)


def test_commands_get_past_pictures_that_wait(
    broker: Mosquitto, sender: Listener, make_publisher: MakePublisher
) -> None:
    """A broker holds back all QoS 1 messages once 20 are unacknowledged; commands come with QoS 0."""
    publisher = make_publisher(broker.port)
    pictures = subscribed(publisher, "+/image")
    commands = subscribed(publisher, "cmd/+", qos=0)
    start(publisher, broker.port)
    for number in range(30):
        sender.send(f"plant/press-1/line-{number}/image", b"picture")
    until(lambda: len(pictures) == 20)
    sender.send("plant/press-1/cmd/activate", b"{}")
    until(lambda: commands)
    assert len(pictures) == 20
    for picture in list(pictures):
        picture.acknowledge()
    until(lambda: len(pictures) == 30)


def test_a_picture_goes_in_and_its_result_comes_out(
    broker: Mosquitto, sender: Listener, make_publisher: MakePublisher
) -> None:
    """The whole way over a broker: the sender's id comes back as correlation id, and the picture is done with."""
    publisher = make_publisher(broker.port)
    source, stop = MqttImages(publisher), threading.Event()

    def emit(frame: Frame) -> Future[Result]:
        result = replace(make_result(1, source=frame.source), correlation_id=frame.correlation_id)
        publisher.publish(result)
        delivered: Future[Result] = Future()
        delivered.set_result(result)
        return delivered

    thread = threading.Thread(target=source.run, args=(emit, stop))
    thread.start()
    start(publisher, broker.port)
    with Listener(broker.port, "plant/press-1/+/result") as listener:
        sender.send("plant/press-1/line-3/image/part-7", b"picture")
        result = listener.wait_for("line-3/result")[0]
    assert result["correlation_id"] == "part-7"
    stop.set()
    thread.join()
    publisher.close()
    again = make_publisher(broker.port)
    received = subscribed(again, "+/image/+")
    start(again, broker.port)
    sender.send("plant/press-1/line-3/image/part-8", b"picture")
    until(lambda: received)
    assert received.topics == ["line-3/image/part-8"]


def test_messages_that_nobody_asked_for_are_acknowledged_and_forgotten(
    broker: Mosquitto, sender: Listener, make_publisher: MakePublisher
) -> None:
    """A session from before may still hold an old subscription."""
    old = make_publisher(broker.port)
    subscribed(old, "old/+")
    start(old, broker.port)
    old.close()
    sender.send("plant/press-1/old/message", b"1")
    new = make_publisher(broker.port)
    received = subscribed(new, "+/image")
    start(new, broker.port)
    for number in range(25):
        sender.send("plant/press-1/old/message", b"1")
        sender.send(f"plant/press-1/line-{number}/image", b"picture")
        until(lambda: f"line-{number}/image" in received.topics)  # noqa: B023 - called within this turn of the loop
        received[-1].acknowledge()
