"""The publisher against a real mosquitto: delivery, outages, refusals, state."""

import json
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from edge.errors import ConfigError
from edge.publishers.memory_outbox import MemoryOutbox
from edge.publishers.mqtt import MqttPublisher
from edge.publishers.mqtt_settings import MqttSettings, Tls
from edge.publishers.outbox import Limits, Message
from edge.publishers.topics import Topics
from tests.edge.publishers.conftest import TOPICS, MakeBroker, MakePublisher
from tests.edge.publishers.listener import Listener
from tests.edge.publishers.results import make_result
from tests.mosquitto import Certificates, Mosquitto, free_port, needs_mosquitto, until

pytestmark = needs_mosquitto
ALL = "plant/press-1/#"
DAEMON = """
import sys, time
from edge.publishers.memory_outbox import MemoryOutbox
from edge.publishers.mqtt import MqttPublisher
from edge.publishers.mqtt_settings import MqttSettings
from edge.publishers.topics import Topics
MqttPublisher(MqttSettings(topics=Topics("plant", "press-1"), port=int(sys.argv[1])), MemoryOutbox()).start()
time.sleep(60)
"""


@pytest.fixture
def listener(broker: Mosquitto) -> Iterator[Listener]:
    """Somebody who listens to all that the device says."""
    with Listener(broker.port, ALL) as listener:
        yield listener


def connected(publisher: MqttPublisher) -> MqttPublisher:
    publisher.start()
    until(lambda: publisher.connected, what="the connection")
    return publisher


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_results_arrive_in_order_on_their_sources_topic(
    broker: Mosquitto, listener: Listener, make_publisher: MakePublisher, protocol: str
) -> None:
    """More results than may be on their way at once arrive once each, in order, and leave the outbox."""
    publisher = connected(make_publisher(broker.port, protocol=protocol))
    for seq in range(1, 101):
        publisher.publish(make_result(seq))
    results = listener.wait_for("camera/result", 100)
    assert [r["seq"] for r in results] == list(range(1, 101))
    assert results[0]["schema"] == "automl-edge/result/1"
    assert not any(r["replayed"] for r in results)
    until(lambda: publisher.depth == 0, what="an empty outbox")


def test_a_broker_that_dies_in_mid_traffic_loses_nothing(
    make_broker: MakeBroker, make_publisher: MakePublisher
) -> None:
    """All results arrive in order, those too that were on their way when it died; copies only by id."""
    broker = make_broker(persistent=True)
    publisher = connected(make_publisher(broker.port))
    with Listener(broker.port, ALL, client_id="line") as listener:
        for seq in range(1, 21):
            publisher.publish(make_result(seq))
        listener.wait_for("/result", 20)
        until(lambda: publisher.depth == 0, what="all acknowledged")
        broker.freeze()
        for seq in range(21, 46):
            publisher.publish(make_result(seq))
        broker.kill()
        for seq in range(46, 61):
            publisher.publish(make_result(seq))
        until(lambda: not publisher.connected and publisher.problem is not None, what="a loud state")
        broker.start()
        until(lambda: publisher.depth == 0, what="an empty outbox")
        until(lambda: len({r["id"] for r in listener.json("/result")}) == 60, what="all 60 results")
        first_arrivals = list(dict.fromkeys(r["id"] for r in listener.json("/result")))
    assert first_arrivals == [make_result(seq).id for seq in range(1, 61)]
    assert all(r["replayed"] for r in listener.json("/result") if r["seq"] > 20)
    assert publisher.problem is None


def test_a_frozen_broker_is_noticed_and_left(broker: Mosquitto, make_publisher: MakePublisher) -> None:
    """A connection that stands but does not answer is given up after about twice the keepalive; nothing is lost."""
    publisher = connected(make_publisher(broker.port, keepalive_s=1, connect_timeout_s=0.5))
    broker.freeze()
    publisher.publish(make_result(1))
    until(lambda: not publisher.connected, what="the loss noticed")
    broker.thaw()
    until(lambda: publisher.connected and publisher.depth == 0, what="the result delivered")


def test_a_broker_that_acknowledges_nothing_is_left(broker: Mosquitto, make_publisher: MakePublisher) -> None:
    """Long before the keepalive notices; what was sent is sent again."""
    publisher = connected(make_publisher(broker.port, keepalive_s=60, acknowledge_timeout_s=0.3))
    broker.freeze()
    publisher.publish(make_result(1))
    until(lambda: "has acknowledged nothing for 0.3 s" in (publisher.problem or ""), what="the problem told")
    broker.thaw()
    until(lambda: publisher.connected and publisher.depth == 0, what="the result delivered")


def test_a_broker_that_takes_the_connection_and_says_nothing_is_tried_again(make_publisher: MakePublisher) -> None:
    """Each try ends within its time."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(10)
        publisher = make_publisher(silent.getsockname()[1], answer_timeout_s=0.2)
        publisher.start()
        for _ in range(2):
            silent.accept()[0].close()
        until(lambda: publisher.problem is not None, what="the problem told")
        publisher.close(timeout_s=0.1)


def test_a_tls_handshake_that_never_ends_is_given_up(
    make_publisher: MakePublisher,
) -> None:
    """Also by a connection whose keepalive is long."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(10)
        publisher = make_publisher(silent.getsockname()[1], tls=Tls(), keepalive_s=60)
        publisher.start()
        first, _ = silent.accept()
        silent.accept()[0].close()
        first.close()
        publisher.close(timeout_s=0.1)


def test_what_comes_close_together_keeps_its_order_and_comes_once(
    broker: Mosquitto, listener: Listener, make_publisher: MakePublisher
) -> None:
    """Results that waited come first, new ones behind them, each once."""
    publisher = make_publisher(broker.port)
    for seq in range(1, 201):
        publisher.publish(make_result(seq))
    connected(publisher)
    for seq in range(201, 401):
        publisher.publish(make_result(seq))
    results = listener.wait_for("/result", 400)
    assert [r["seq"] for r in results] == list(range(1, 401))
    assert [r["replayed"] for r in results[:200]] == [True] * 200
    assert results[-1]["replayed"] is False


def test_reconnecting_leaves_no_open_files(make_broker: MakeBroker, make_publisher: MakePublisher) -> None:
    """A device lives through many outages."""
    broker = make_broker()
    publisher = connected(make_publisher(broker.port))
    process = psutil.Process()
    before = process.num_fds()
    for _ in range(3):
        broker.kill()
        until(lambda: not publisher.connected, what="the loss noticed")
        broker.start()
        until(lambda: publisher.connected, what="the connection")
    assert process.num_fds() == before


def test_results_wait_for_a_broker_that_comes_later(
    make_broker: MakeBroker, make_publisher: MakePublisher, caplog: pytest.LogCaptureFixture
) -> None:
    """While there is none the state says why and what to do, logged once for many tries."""
    port = free_port()
    publisher = make_publisher(port, reconnect_min_s=0.01, reconnect_max_s=0.02)
    publisher.publish(make_result(1))
    with caplog.at_level(logging.INFO, "edge.publishers"):
        publisher.start()
        until(lambda: publisher.problem is not None, what="a problem")
        assert publisher.problem is not None
        assert f"127.0.0.1:{port} refuses connections; is it running?" in publisher.problem
        make_broker(port=port)
        with Listener(port, ALL) as listener:
            assert [r["replayed"] for r in listener.json("/result") or [{"replayed": True}]] == [True]
            until(lambda: publisher.depth == 0, what="the result delivered")
    assert [r.getMessage() for r in caplog.records].count(caplog.records[0].getMessage()) == 1


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_wrong_password_is_told_and_tried_again(
    make_broker: MakeBroker, make_publisher: MakePublisher, protocol: str
) -> None:
    """The daemon goes on, the state names the remedy, and the right password is all it takes."""
    broker = make_broker(users={"press": "right"})
    publisher = make_publisher(broker.port, username="press", password="wrong", protocol=protocol)
    publisher.start()
    until(lambda: publisher.problem is not None, what="a problem")
    assert publisher.problem is not None
    assert "refuses this device" in publisher.problem
    assert "mqtt.username" in publisher.problem
    assert "wrong" not in publisher.problem
    assert connected(make_publisher(broker.port, username="press", password="right", protocol=protocol)).problem is None


def test_a_topic_that_the_broker_forbids_is_told_and_its_results_are_kept(
    make_broker: MakeBroker, make_publisher: MakePublisher, tmp_path: Path
) -> None:
    """An MQTT 5 broker says so; once its rules are put right the results are delivered."""
    rules = tmp_path / "rules"
    rules.write_text("topic read #\ntopic write plant/press-1/state\n")
    broker = make_broker(extra=[f"acl_file {rules}"])
    publisher = make_publisher(broker.port, protocol="5")
    publisher.publish(make_result(1))
    publisher.start()
    until(lambda: "refuses messages on plant/press-1/#: Not authorized" in (publisher.problem or ""), what="a problem")
    assert publisher.depth == 1
    rules.write_text("topic readwrite #\n")
    broker.reload()
    until(lambda: publisher.depth == 0, what="the result delivered")


def test_tls_with_the_right_authority_and_client_certificate(
    make_broker: MakeBroker, make_publisher: MakePublisher, certificates: Certificates
) -> None:
    """Both sides know each other."""
    broker = make_broker(tls=certificates, client_certificates=True)
    tls = Tls(ca_file=certificates.ca, cert_file=certificates.client_cert, key_file=certificates.client_key)
    publisher = connected(make_publisher(broker.port, tls=tls))
    publisher.publish(make_result(1))
    with Listener(broker.port, ALL, tls=tls.context()):
        until(lambda: publisher.depth == 0, what="the result delivered")


def test_a_certificate_of_an_unknown_authority_is_told(
    make_broker: MakeBroker, make_publisher: MakePublisher, certificates: Certificates
) -> None:
    """The remedy names the key of the configuration."""
    publisher = make_publisher(make_broker(tls=certificates).port, tls=Tls())
    publisher.start()
    until(lambda: publisher.problem is not None, what="a problem")
    assert publisher.problem is not None
    assert "mqtt.ca_file" in publisher.problem


def test_plain_text_to_a_tls_port_is_told(
    make_broker: MakeBroker, make_publisher: MakePublisher, certificates: Certificates
) -> None:
    """The connection ends at once; the publisher says so and goes on trying."""
    publisher = make_publisher(make_broker(tls=certificates).port)
    publisher.start()
    until(lambda: publisher.problem is not None, what="a problem")


def test_files_that_are_no_certificates_are_refused_before_anything_starts(certificates: Certificates) -> None:
    """The error names the file."""
    with pytest.raises(ConfigError, match=r"nowhere\.pem cannot be used"):
        Tls(ca_file=certificates.ca.with_name("nowhere.pem")).context()
    with pytest.raises(ConfigError, match=r"ca\.key cannot be used"):
        Tls(ca_file=certificates.ca.with_name("ca.key")).context()
    with pytest.raises(ConfigError, match="belong together"):
        Tls(cert_file=certificates.client_cert).context()


def test_the_state_is_retained_and_announced_again_at_each_reconnect(
    make_broker: MakeBroker, make_publisher: MakePublisher
) -> None:
    """Who comes later reads it, even at a broker that has forgotten everything."""
    broker = make_broker()
    publisher = make_publisher(broker.port)
    publisher.announce({"model": {"name": "parts", "version": "1"}})
    connected(publisher)
    for _ in range(2):
        with Listener(broker.port, "plant/press-1/state") as late:
            state = late.wait_for("state")[0]
        assert (state["state"], state["device"], state["model"]["name"]) == ("online", "press-1", "parts")
        assert state["outbox"] == {"depth": 0, "dropped": 0, "damaged": 0, "problem": None}
        broker.kill()
        until(lambda: not publisher.connected, what="the loss noticed")
        broker.start()


def test_the_last_will_of_a_killed_daemon_says_offline(broker: Mosquitto) -> None:
    """The broker says it, retained, for the device that cannot."""
    with Listener(broker.port, "plant/press-1/state") as listener:
        daemon = subprocess.Popen([sys.executable, "-c", DAEMON, str(broker.port)], cwd=Path(__file__).parents[3])
        try:
            assert listener.wait_for("state", within_s=20)[0]["state"] == "online"
        finally:
            daemon.kill()
            daemon.wait()
        will = listener.wait_for("state", 2)[1]
    assert (will["state"], will["reason"]) == ("offline", "connection lost")
    with Listener(broker.port, "plant/press-1/state") as late:
        assert late.wait_for("state")[0]["state"] == "offline"


def test_closing_delivers_what_is_left_and_says_goodbye(
    broker: Mosquitto, listener: Listener, make_publisher: MakePublisher
) -> None:
    """The broker keeps the will to itself: offline because stopped, not because lost."""
    publisher = connected(make_publisher(broker.port))
    for seq in range(1, 61):
        publisher.publish(make_result(seq))
    publisher.close()
    assert publisher.depth == 0
    assert len(listener.wait_for("/result", 60)) == 60
    until(lambda: listener.json("state") and listener.json("state")[-1]["state"] == "offline", what="the goodbye")
    assert listener.json("state")[-1]["reason"] == "stopped"
    assert not publisher.connected


def test_closing_without_a_broker_does_not_wait_and_tells_what_is_left(
    make_publisher: MakePublisher, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing can be delivered, so nothing is waited for."""
    publisher = make_publisher(free_port(), reconnect_min_s=30.0, reconnect_max_s=30.0)
    publisher.publish(make_result(1))
    publisher.start()
    until(lambda: publisher.problem is not None, what="a problem")
    publisher.close(timeout_s=60.0)
    assert publisher.depth == 1
    assert caplog.records[-1].getMessage() == "messages left undelivered"


def test_closing_gives_a_hung_broker_no_more_than_its_time(broker: Mosquitto, make_publisher: MakePublisher) -> None:
    """The threads end although the broker holds the connection."""
    publisher = connected(make_publisher(broker.port))
    broker.freeze()
    publisher.publish(make_result(1))
    publisher.close(timeout_s=0.2)
    broker.thaw()
    assert publisher.depth == 1
    assert not any(thread.name == "mqtt" for thread in threading.enumerate())


def test_dropped_numbers_are_named_where_they_are_missing(
    broker: Mosquitto, listener: Listener, make_publisher: MakePublisher
) -> None:
    """The stream explains its own gaps: record first, then what follows."""
    publisher = make_publisher(broker.port, outbox=MemoryOutbox(Limits(entries=3)))
    for seq in range(1, 6):
        publisher.publish(make_result(seq))
    connected(publisher)
    listener.wait_for("/result", 3)
    record = listener.wait_for("/dropped")[0]
    assert record == {
        "schema": "automl-edge/dropped/1",
        "device": "press-1",
        "first_seq": 1,
        "last_seq": 2,
        "count": 2,
        "reason": "full",
    }
    topics = [m.topic.rpartition("/")[2] for m in listener.messages if not m.topic.endswith("state")]
    assert topics == ["dropped", "result", "result", "result"]
    assert publisher.dropped == 2


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_message_that_the_broker_never_takes_holds_up_no_other(
    make_broker: MakeBroker, make_publisher: MakePublisher, protocol: str
) -> None:
    """The broker hangs up on it each time: its number is named as refused, an answer is left out, the rest arrives."""
    broker = make_broker(extra=["max_packet_size 3000"])
    publisher = make_publisher(broker.port, protocol=protocol)
    with Listener(broker.port, "plant/#") as listener:
        for seq, size in enumerate((10, 10, 5000, 10), start=1):
            publisher.send(Message("plant/press-1/belt/result", b'{"x":"' + b"x" * size + b'"}', seq))
        publisher.send(Message("plant/press-1/ack/1", b"x" * 5000))
        publisher.send(Message("plant/press-1/ack/2", b"last"))
        publisher.start()
        until(lambda: b"last" in [message.payload for message in listener.messages], within_s=20)
        until(lambda: publisher.depth == 0)
        named = [json.loads(m.payload) for m in listener.messages if m.topic == "plant/press-1/dropped"]
    assert {(record["first_seq"], record["last_seq"], record["reason"]) for record in named} == {(3, 3, "refused")}


def test_source_names_that_are_no_topic_level_do_not_stop_the_stream(
    broker: Mosquitto, listener: Listener, make_publisher: MakePublisher
) -> None:
    """The topic is made safe; the payload keeps the name."""
    publisher = connected(make_publisher(broker.port))
    for seq, source in enumerate(("a/b+#", "", "cmd", "ä"), start=1):
        publisher.publish(make_result(seq, source=source))
    results = listener.wait_for("/result", 4)
    topics = [m.topic.split("/")[2] for m in listener.messages if m.topic.endswith("/result")]
    assert topics == ["a_b__", "_", "cmd_", "ä"]
    assert results[0]["source"] == "a/b+#"


def test_any_message_can_be_sent_in_order_with_the_results(
    broker: Mosquitto, listener: Listener, make_publisher: MakePublisher
) -> None:
    """Answers to commands take the same way; they are outside of the numbering and never marked as replayed."""
    publisher = make_publisher(broker.port)
    publisher.send(Message(TOPICS.ack("7"), b'{"id": "7"}'))
    connected(publisher)
    assert listener.wait_for("ack/7") == [{"id": "7"}]


@pytest.mark.parametrize(("prefix", "device"), [("", "d"), ("a//b", "d"), ("a/+", "d"), ("a", "b/c"), ("a", "")])
def test_a_prefix_or_device_that_is_no_topic_is_refused(prefix: str, device: str) -> None:
    """Before anything starts."""
    with pytest.raises(ConfigError, match=r"mqtt\.(prefix|device)"):
        Topics(prefix, device)


def test_settings_refuse_a_password_without_a_user_and_keep_it_secret() -> None:
    """The password does not show where settings are printed."""
    with pytest.raises(ConfigError, match=r"mqtt\.username"):
        MqttSettings(topics=TOPICS, password="secret")
    assert "secret" not in repr(MqttSettings(topics=TOPICS, username="u", password="secret"))
