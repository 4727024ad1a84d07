"""Chooses golden pictures: ones that the trained network answers rightly, with the probabilities it gives them.

A golden picture proves the path on a device, not the network; one that the network gets wrong would freeze a mistake
into the bundle, so it is passed over. Of a multi-label network an answer is right where every class of it is; one that
is never wholly right proves the path by what it answers to pictures where it is at least half right.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from edge.results import Classification
from training.dataset.drawn import defects, draw, encode
from training.dataset.records import Record, read_bytes
from training.errors import ExportError
from training.export import GoldenPicture

PER_CLASS = 3
CANDIDATES_PER_CLASS = 12
MOST = 60
"""How many there are at most: they all run whenever a device loads the bundle."""
HALF = 0.5
SEED_STEP = 7919  # a prime: golden pictures are drawn from another seed than those trained on

Answer = Callable[[bytes], Classification]
"""What the network answers to an encoded picture."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The golden pictures, how many were looked at to find them, and how many of those were answered rightly."""

    pictures: tuple[GoldenPicture, ...]
    looked_at: int
    right: int

    @property
    def shown(self) -> set[str]:
        """The classes that golden pictures show."""
        return {label for picture in self.pictures for label in picture.labels}

    @property
    def share_right(self) -> float:
        """Share of those looked at that the network answers rightly, 0..1."""
        return self.right / self.looked_at


def drawn_candidates(seed: int) -> Iterator[GoldenPicture]:
    """Draw candidates of every drawn class, without answers yet."""
    for label in defects():
        for number in range(1, CANDIDATES_PER_CLASS + 1):
            data = encode(draw(label, number, seed + SEED_STEP))
            yield GoldenPicture(f"{label.lower()}_{number}.png", data, (label,), ())


def record_candidates(records: Sequence[Record], classes: Sequence[str]) -> Iterator[GoldenPicture]:
    """Take candidates from the given pictures, class by class; one that shows several classes comes once."""
    taken: set[int] = set()
    for index, label in enumerate(classes):
        members = [at for at, record in enumerate(records) if label in record.labels and at not in taken]
        for number, at in enumerate(members[:CANDIDATES_PER_CLASS], 1):
            taken.add(at)
            name = f"{index}_{number}{records[at].path.suffix.lower()}"
            yield GoldenPicture(name, read_bytes(records[at].path), records[at].labels, ())


def choose(answer: Answer, candidates: Iterable[GoldenPicture], classes: Sequence[str]) -> Chosen:
    """Return up to three candidates of each class, 60 at most, that the network answers rightly.

    Where it answers none rightly, those it answers half rightly (of the classes answered or present, at least half are
    both), with what it answers for labels.

    Raises:
        ExportError: it answers none even half rightly.
    """
    chosen: list[GoldenPicture] = []
    nearly: list[GoldenPicture] = []
    shown: Counter[str] = Counter()
    looked_at, enough = 0, max(1, min(PER_CLASS, MOST // len(classes)))
    for candidate in candidates:
        if len(chosen) == MOST or all(shown[label] >= enough for label in candidate.labels):
            continue
        looked_at += 1
        found = answer(candidate.data)
        said, probs = selected_of(found), tuple(round(p, 6) for p in found.probs)
        likeness = _likeness(set(said), set(candidate.labels))
        if likeness == 1:
            chosen.append(replace(candidate, probs=probs))
            shown.update(candidate.labels)
        elif likeness >= HALF:
            nearly.append(replace(candidate, labels=said, probs=probs))
    if not chosen and not nearly:
        raise ExportError("the network answers no golden picture rightly: it has learnt too little; train it longer")
    return Chosen(tuple(chosen or nearly[: PER_CLASS * len(classes)])[:MOST], looked_at, len(chosen))


def _likeness(said: set[str], shown: set[str]) -> float:
    """Return intersection over union of classes, 0..1; the same of none is 1."""
    return len(said & shown) / len(said | shown) if said | shown else 1.0


def selected_of(found: Classification) -> tuple[str, ...]:
    """Return the classes that an answer says the picture shows."""
    return (found.label,) if found.selected is None else found.selected
