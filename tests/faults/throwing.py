"""Throws spoiled requests at a daemon from several connections at once, and judges what comes back."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.faults.exchange import Hung, Link, throw
from tests.faults.spoiled import Spoiled

THREADS = 8


@dataclass
class Thrown:
    """What came of it. ``statuses`` counts answers; ``faults`` names each thing that was not answered as it must."""

    sent: int = 0
    answered: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class Throwing:
    """One sequence of spoiled things, shared by all connections."""

    def __init__(self, port: int, things: Iterator[Spoiled]) -> None:
        self._port = port
        self._things = things
        self._lock = threading.Lock()
        self._found = Thrown()

    def throw(self, count: int) -> Thrown:
        """Send the next ``count`` things of the sequence; return once all were answered, or were not."""
        self._found = Thrown()
        shares = [count // THREADS + (thread < count % THREADS) for thread in range(THREADS)]
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self._work, shares))
        return self._found

    def _work(self, count: int) -> None:
        link = Link(self._port)
        try:
            for number, thing in self._taken(count):
                self._judge(number, thing, link)
        finally:
            link.close()

    def _taken(self, count: int) -> Iterator[tuple[int, Spoiled]]:
        for _ in range(count):
            with self._lock:
                self._found.sent += 1
                thing = self._found.sent, next(self._things)
            yield thing

    def _judge(self, number: int, thing: Spoiled, link: Link) -> None:
        try:
            statuses = [link.ask(thing.data).status] if thing.whole else throw(self._port, thing.data)
        except (Hung, OSError, ValueError) as error:
            self._note(number, thing, [], str(error) or type(error).__name__)
            return
        wrong = [status for status in statuses if status >= 500 and status != 503]
        self._note(number, thing, statuses, f"answered with {wrong}" if wrong else None)

    def _note(self, number: int, thing: Spoiled, statuses: Sequence[int], fault: str | None) -> None:
        with self._lock:
            self._found.statuses.update(statuses)
            if fault is None:
                self._found.answered += 1
            else:
                self._found.faults.append(f"number {number}, {thing.kind}: {fault}; it began {thing.data[:200]!r}")
