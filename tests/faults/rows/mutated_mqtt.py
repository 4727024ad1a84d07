"""Mutated pictures and commands over MQTT: every picture is answered, with an error where it is none."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice

from tests.daemon import running
from tests.edge.publishers.listener import Listener
from tests.faults.corpus import corpus
from tests.faults.footprint import GIVING_BACK, footprint, growth
from tests.faults.logbook import ending
from tests.faults.registered import register
from tests.faults.spoiled_messages import HUGE_BYTES, Message, messages, retained
from tests.faults.tally import Scale, Tally
from tests.faults.testbed import ROOT
from tests.mosquitto import Mosquitto, free_port, until

TITLE = "mutated pictures and commands over MQTT"
COUNT = 2_000
WARMUP = 100
RETAINED = 10
WINDOW = 40
"""Most messages that wait for an answer: fewer than the 100 commands of which the device keeps its promise."""
PATIENCE_S = 20.0
MEMORY_MIB = 32.0
THREADS = 2
SHOWN = 5


class Exchange:
    """Sends messages and reads what comes back; keeps count of what is owed."""

    def __init__(self, listener: Listener) -> None:
        self.results: Counter[tuple[str, str | None]] = Counter()
        self.ids: Counter[str] = Counter()
        self.owed_results: list[tuple[str, str | None]] = []
        self.owed_answers = 0
        self.answers = 0
        self.errors = 0
        self._listener = listener
        self._read = 0

    @property
    def open(self) -> int:
        """How much is still owed."""
        self._look()
        unanswered = sum(key not in self.results for key in self.owed_results[-WINDOW:])
        return unanswered + self.owed_answers - self.answers

    def missing(self) -> list[tuple[str, str | None]]:
        """Return the pictures whose result never came."""
        self._look()
        return [key for key in self.owed_results if key not in self.results]

    def send(self, messages: Iterable[Message]) -> None:
        """Send each as soon as fewer than :data:`WINDOW` are unanswered; give up where no answers come any more."""
        for message in messages:
            if not self._wait_for(WINDOW - 1):
                return
            if message.picture is not None:
                self.owed_results.append(message.picture)
            self.owed_answers += message.command
            self._listener.send(f"{ROOT}/{message.topic}", message.payload, qos=message.qos, retain=message.retain)
        self._wait_for(0)

    def _wait_for(self, most: int) -> bool:
        before = self.open
        deadline = time.monotonic() + PATIENCE_S
        while (now := self.open) > most and time.monotonic() < deadline:
            if now < before:
                before, deadline = now, time.monotonic() + PATIENCE_S
            time.sleep(0.002)
        return now <= most

    def _look(self) -> None:
        new = self._listener.messages[self._read :]
        self._read += len(new)
        for message in new:
            if message.topic.endswith("/result"):
                result = json.loads(message.payload)
                self.ids[result["id"]] += 1
                self.errors += "error" in result["predictions"][0]
                self.results[result["source"], result.get("correlation_id")] += 1
            elif message.topic.startswith(f"{ROOT}/ack/") and b'"ok":' in message.payload:
                self.answers += 1


def run(scale: Scale) -> Tally:
    """Send everything through a real broker; what lies there retained from before is passed over."""
    chance = scale.chance("mutated_mqtt")
    originals = list(corpus(scale.seed).values())
    register(scale.folder, "1")
    broker = Mosquitto(scale.folder / "broker", free_port()).start()
    try:
        with Listener(broker.port, f"{ROOT}/#") as listener:
            old = retained(chance, originals, RETAINED)
            for message in old:
                listener.send(f"{ROOT}/{message.topic}", message.payload, retain=True)
            settings = {"EDGE_MQTT__HOST": "127.0.0.1", "EDGE_MQTT__PORT": str(broker.port)}
            with running(scale.folder, mqtt=True, **settings, **GIVING_BACK) as daemon:
                until(lambda: daemon.status()["mqtt"]["connected"], what="the connection to the broker")
                exchange = Exchange(listener)
                exchange.send([_huge(originals), *islice(messages(chance, originals), WARMUP)])
                before = footprint(daemon.process.pid)
                sent = scale.of(COUNT)
                exchange.send(islice(messages(chance, originals, first=WARMUP + 1), sent))
                more, after = growth(daemon.process.pid, before, memory_mib=MEMORY_MIB, threads=THREADS)
                end = ending(daemon, scale.folder)
    finally:
        broker.stop()
    tally = _tally(exchange, sent)
    noted = Tally(**{**tally.as_json(), "notes": (*tally.notes, f"after the warm-up {before}; in the end {after}")})
    return noted.with_problems([*more, *end, *_wrong(exchange)])


def _huge(originals: Sequence[bytes]) -> Message:
    return Message("bench/image/huge", originals[0] + bytes(HUGE_BYTES * 4), picture=("bench", "huge"))


def _tally(exchange: Exchange, sent: int) -> Tally:
    missing = exchange.missing()
    produced = len(exchange.owed_results) + exchange.owed_answers
    lost = len(missing) + exchange.owed_answers - exchange.answers
    return Tally(
        TITLE,
        times=sent,
        produced=produced,
        delivered=produced - lost,
        duplicated=sum(count - 1 for count in exchange.ids.values()),
        lost=lost,
        notes=(
            f"{len(exchange.owed_results)} pictures, {exchange.errors} results with an error; "
            f"{exchange.owed_answers} commands",
        ),
    )


def _wrong(exchange: Exchange) -> list[str]:
    unanswered = [f"no result for {source[:40]!r}, {str(id_)[:40]!r}" for source, id_ in exchange.missing()[:SHOWN]]
    owed = set(exchange.owed_results)
    unasked = [f"a result that nobody asked for: {key!r}" for key in exchange.results if key not in owed]
    twice = [f"answered {count} times: {key!r}" for key, count in exchange.results.items() if count > 1]
    return [*unanswered, *unasked[:SHOWN], *twice[:SHOWN]]
