"""Splits a collection into training, validation and test: by class, by seed, the same on every machine."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from training.dataset.annotations import Example, Picture, Tag, pictures_per_class
from training.dataset.records import Record, content_of

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Shares:
    """How much of each class is held out, 0..1; the rest is trained on."""

    validation: float = 0.2
    test: float = 0.0
    seed: int = 0


def assign(examples: Sequence[Example], contents: Sequence[str], shares: Shares) -> list[Part]:
    """Return the part of each example.

    Pictures of the same content are never parted. Each picture counts for its rarest class; of each class, as near its
    share as whole pictures allow is held out, at least one where there are two, and never all. Which ones is told by
    content and seed alone: not by names, places or order.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for number, content in enumerate(contents):
        groups[content].append(number)
    frequency = pictures_per_class(examples)
    strata: dict[str, list[str]] = defaultdict(list)
    for content, members in groups.items():
        strata[_rarest([examples[n] for n in members], frequency)].append(content)
    chosen: list[Part] = ["train"] * len(examples)
    for _, inside in sorted(strata.items()):
        for content, part in _dealt(inside, groups, shares).items():
            for number in groups[content]:
                chosen[number] = part
    return chosen


def joined(contents: Sequence[str], groups: Iterable[Sequence[int]]) -> list[str]:
    """Return contents in which the positions of each group, and whatever equals them, have one: the least of theirs.

    So pictures that are not parted are told to :func:`assign`; one that is in no group keeps its content, and its part.
    """
    links: dict[str, str] = {}

    def root(content: str) -> str:
        while content in links:
            content = links[content]
        return content

    for group in groups:
        roots = sorted({root(contents[position]) for position in group})
        links.update(dict.fromkeys(roots[1:], roots[0]))
    return [root(content) for content in contents]


def named_groups(names: Sequence[str], pattern: re.Pattern[str]) -> list[list[int]]:
    """Return the positions of names in which the pattern finds the same: its groups, or all of what it finds."""
    found: dict[tuple[str | None, ...], list[int]] = defaultdict(list)
    for position, name in enumerate(names):
        if match := pattern.search(name):
            found[match.groups() or (match[0],)].append(position)
    return list(found.values())


def assign_records(records: Sequence[Record], shares: Shares) -> list[Part]:
    """Return the part of each record, by its file's content.

    Raises:
        DataError: a file cannot be read.
    """
    examples = [Example(Picture(str(r.path), r.path), tuple(map(Tag, r.labels))) for r in records]
    return assign(examples, [content_of(record) for record in records], shares)


def _rarest(members: Sequence[Example], frequency: Mapping[str, int]) -> str:
    """Return the class of the fewest pictures on some, the first by name of several; empty where there is none."""
    labels = {label for example in members for label in example.labels}
    return min(labels, key=lambda label: (frequency[label], label), default="")


def _dealt(contents: Sequence[str], groups: Mapping[str, Sequence[int]], shares: Shares) -> dict[str, Part]:
    """Return the held-out ones of one class."""
    left = sorted(contents, key=lambda content: _key(content, shares.seed))
    total = sum(len(groups[content]) for content in left)
    dealt: dict[str, Part] = {}
    wanted: tuple[tuple[Part, float], ...] = (("validation", shares.validation), ("test", shares.test))
    for part, share in wanted:
        if share <= 0:
            continue
        dealt |= dict.fromkeys(_taken(left, groups, max(1, round(share * total))), part)
        left = [content for content in left if content not in dealt]
    return dealt


def _taken(left: Sequence[str], groups: Mapping[str, Sequence[int]], wanted: int) -> list[str]:
    """Return contents that hold as many pictures as wanted, or the nearest below; one at least, and never all."""
    taken: list[str] = []
    room = wanted
    for content in left:
        if len(taken) + 1 < len(left) and len(groups[content]) <= room:
            taken.append(content)
            room -= len(groups[content])
    if not taken and len(left) > 1:
        taken = [min(left, key=lambda content: len(groups[content]))]
    return taken


def _key(content: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {content}".encode()).digest()


def counts(examples: Sequence[Example], parts: Sequence[Part]) -> dict[str, Counter[Part]]:
    """Count the pictures of each class in each part."""
    counted: dict[str, Counter[Part]] = {}
    for example, part in zip(examples, parts, strict=True):
        for label in example.labels:
            counted.setdefault(label, Counter())[part] += 1
    return dict(sorted(counted.items()))
