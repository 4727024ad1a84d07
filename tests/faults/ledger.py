"""Accounts of results: what was owed against what the broker acknowledged. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

import orjson

from tests.faults.mqtt_packets import Publish

SHOWN = 5
"""How many examples a problem names."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A result as it went over the wire. ``picture`` is the sender's own name or id of the picture."""

    id: str
    seq: int
    source: str
    picture: str
    connection: int

    @property
    def key(self) -> tuple[str, str]:
        """What names the picture."""
        return self.source, self.picture

    @property
    def sender(self) -> str:
        """Who numbered the picture: what its name begins with."""
        return self.picture.partition("-")[0] if "-" in self.picture else ""


@dataclass(frozen=True, slots=True)
class Gap:
    """A ``dropped`` record: these numbers will not come."""

    first_seq: int
    last_seq: int


def read_results(messages: Iterable[tuple[Publish, int]]) -> Sequence[Delivered | Gap]:
    """Return what the results and ``dropped`` records among (message, connection) say, in order."""
    return tuple(_read(message, connection) for message, connection in messages if _counts(message.topic))


def _counts(topic: str) -> bool:
    return topic.endswith(("/result", "/dropped"))


def _read(message: Publish, connection: int) -> Delivered | Gap:
    found = orjson.loads(message.payload)
    if message.topic.endswith("/dropped"):
        return Gap(found["first_seq"], found["last_seq"])
    picture = found.get("correlation_id") or found.get("name") or ""
    return Delivered(found["id"], found["seq"], found["source"], picture, connection)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the device ``sent``, what the broker ``acknowledged`` (both in order), which ids the witness got."""

    sent: Sequence[Delivered | Gap]
    acknowledged: Sequence[Delivered | Gap]
    witnessed: Set[str]

    @property
    def results(self) -> Sequence[Delivered]:
        """The acknowledged results, repetitions too."""
        return [one for one in self.acknowledged if isinstance(one, Delivered)]

    @property
    def duplicated(self) -> int:
        """How many results the broker got again under an id that it had."""
        return len(self.results) - len({one.id for one in self.results})

    @property
    def dropped(self) -> int:
        """How many numbers ``dropped`` records name."""
        return len(self._named_numbers())

    def delivered(self, owed: Set[tuple[str, str]]) -> int:
        """Return how many of the owed pictures have an acknowledged result."""
        return len(owed & {one.key for one in self.results})

    def lost_by_broker(self) -> int:
        """Return how many ids the broker acknowledged and the witness never got."""
        return len({one.id for one in self.results} - self.witnessed)

    def missing(self, owed: Set[tuple[str, str]]) -> Sequence[tuple[str, str]]:
        """Return the owed pictures without an acknowledged result."""
        return sorted(owed - {one.key for one in self.results})

    def answered_again(self, sources: Set[str]) -> int:
        """Return how many pictures of these sources have results under several ids."""
        ids: Mapping[object, set[str]] = defaultdict(set)
        for one in self.results:
            if one.source in sources:
                ids[one.key].add(one.id)
        return sum(len(found) > 1 for found in ids.values())

    def problems(self, *, may_be_answered_again: Set[str] = frozenset()) -> Iterator[str]:
        """Tell what breaks the promises about ids, numbers and order; some sources' pictures may get several ids."""
        sure = [one for one in self.results if one.picture and one.source not in may_be_answered_again]
        yield from _several(sure, "pictures got results under several ids", _named, lambda one: one.id)
        yield from _several(self.results, "numbers went to several ids", lambda one: one.seq, lambda one: one.id)
        yield from _several(self.results, "ids went to several pictures", lambda one: one.id, lambda one: one.key)
        yield from _shown("numbers never came and no record names them", sorted(self._holes()))
        yield from _shown("results were sent out of order on one connection", list(self._overtaken()))
        yield from _shown("pictures got numbers out of their order", list(self._disordered()))

    def _named_numbers(self) -> Set[int]:
        gaps = (one for one in self.acknowledged if isinstance(one, Gap))
        return {seq for gap in gaps for seq in range(gap.first_seq, gap.last_seq + 1)}

    def _holes(self) -> Set[int]:
        known = {one.seq for one in self.results} | self._named_numbers()
        return set(range(1, max(known, default=0) + 1)) - known

    def _overtaken(self) -> Iterator[str]:
        """Give each place where a source's numbers do not rise within a connection."""
        lines: Mapping[tuple[str, int], list[int]] = defaultdict(list)
        for one in self.sent:
            if isinstance(one, Delivered):
                lines[one.source, one.connection].append(one.seq)
        for (source, connection), line in lines.items():
            yield from (f"{source}: {b} after {a} ({connection})" for a, b in pairwise(line) if b <= a)

    def _disordered(self) -> Iterator[str]:
        """Give each place where pictures that one sender has numbered got results with falling numbers."""
        firsts: Mapping[tuple[str, str], dict[str, int]] = defaultdict(dict)
        for one in self.results:
            line = firsts[one.source, one.sender]
            line[one.picture] = min(line.get(one.picture, one.seq), one.seq)
        for (source, _), line in firsts.items():
            in_order = [picture for picture, _ in sorted(line.items(), key=lambda item: item[1])]
            yield from (f"{source}: {b} after {a}" for a, b in pairwise(in_order) if b < a)


def _named(one: Delivered) -> object:
    return one.key


def _several(
    results: Sequence[Delivered],
    what: str,
    key: Callable[[Delivered], object],
    value: Callable[[Delivered], object],
) -> Iterator[str]:
    found: Mapping[object, set[object]] = defaultdict(set)
    for one in results:
        found[key(one)].add(value(one))
    yield from _shown(what, [f"{name}: {len(values)}" for name, values in found.items() if len(values) > 1])


def _shown(what: str, examples: Sequence[object]) -> Iterator[str]:
    if examples:
        some = ", ".join(map(str, examples[:SHOWN]))
        yield f"{len(examples)} {what}: {some}{', …' if len(examples) > SHOWN else ''}"
