"""A labelled collection from end to end before Azure: read, looked at, split, checked."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from training.dataset.annotations import MULTICLASS, Dataset, Example, Picture, pictures_per_class
from training.dataset.checks import check
from training.dataset.finding import LEAST_SIDE, Checked, Finding
from training.dataset.inspection import Looked, contents, look_at
from training.dataset.mltable import rows_in
from training.dataset.near import BLANK, Seen, near_groups
from training.dataset.parts import PARTS, Part, Shares, assign, counts, joined, named_groups
from training.dataset.reading import Wishes, read_dataset
from training.dataset.suspects import Suspects, suspects
from training.errors import DataError, UsageError

Told = Callable[[int, int], object]
"""Hears how many of how many pictures are done."""


@dataclass(frozen=True, slots=True)
class Collection:
    """What was read, and what was found wrong with it."""

    checked: Checked
    findings: tuple[Finding, ...]
    shares: Shares

    @property
    def problems(self) -> list[Finding]:
        """What stops an upload."""
        return [finding for finding in self.findings if finding.level == "problem"]

    @property
    def worries(self) -> list[Finding]:
        """What is to be put right where warnings count."""
        return [finding for finding in self.findings if finding.level != "hint"]

    @property
    def parts(self) -> list[Part]:
        """The parts that have pictures."""
        return [part for part in PARTS if part in self.checked.parts]

    def rows(self, part: Part) -> list[tuple[Example, Looked]]:
        """Return the pictures of a part with what their files show, by name."""
        checked = self.checked
        return rows_in(checked.dataset.examples, checked.looked, [found == part for found in checked.parts])

    def files(self) -> list[tuple[Example, Looked]]:
        """Return the pictures whose files are to be sent, by name: all but those that are used where they lie."""
        checked = self.checked
        wanted = [not self.stays(example) for example in checked.dataset.examples]
        return rows_in(checked.dataset.examples, checked.looked, wanted)

    def stays(self, example: Example) -> bool:
        """Tell whether a picture is used where it lies in Azure."""
        return self.checked.in_place and example.picture.url is not None

    def as_json(self) -> dict[str, Any]:
        """Return what programs are told."""
        dataset = self.checked.dataset
        counted = counts(dataset.examples, self.checked.parts)
        return {
            "task": dataset.task,
            "format": dataset.format,
            "pictures": len(dataset.examples),
            "split": {part: self.checked.parts.count(part) for part in PARTS},
            "classes": {label: {part: by_part[part] for part in PARTS} for label, by_part in counted.items()},
            "findings": [finding.as_json() for finding in self.findings],
            **({"suspects_not_searched": silent} if (silent := self.checked.suspects.silent) else {}),
        }


@dataclass(frozen=True, slots=True)
class Care:
    """How a collection is looked at and split beside its shares.

    ``near`` keeps pictures that look the same on one side, ``by_name`` those in whose names it finds the same;
    ``suspects`` looks for wrong labels, which imports scikit-learn; a side below ``least_side`` pixels is tiny.
    """

    near: bool = True
    by_name: re.Pattern[str] | None = None
    suspects: bool = False
    least_side: int = LEAST_SIDE


def collect(
    folder: Path,
    wishes: Wishes = Wishes(),
    shares: Shares = Shares(),
    care: Care = Care(),
    *,
    in_place: bool = False,
    told: Told = lambda _done, _total: None,
) -> Collection:
    """Read, look at, split and check a collection. With ``in_place``, pictures that lie in Azure are used there.

    Raises:
        DataError, UsageError: it cannot be read, see :func:`training.dataset.reading.read_dataset`; or the pattern for
            names finds nothing in any.
    """
    if not shares.validation + shares.test < 1:  # no number is below it, either
        raise DataError("nothing would be left to train on: the shares of validation and test are below 1 together")
    dataset = read_dataset(folder, wishes)
    pictures = [example.picture for example in dataset.examples]
    looked = look_at(pictures, lambda done: told(done, len(pictures)), features=care.suspects)
    near = near_groups([_seen(found) for found in looked])
    alike = [group for group in near.groups if care.near and not _overlarge(group, dataset.examples)]
    groups: list[Sequence[int]] = [*alike, *_named(pictures, care.by_name)]
    parts = assign(dataset.examples, joined(list(contents(pictures, looked)), groups), shares)
    found = _suspects(dataset, looked, shares.seed, care.least_side) if care.suspects else Suspects()
    checked = Checked(dataset, looked, parts, in_place, near, found, care.least_side)
    return Collection(checked, tuple(check(checked)), shares)


def _seen(looked: Looked) -> Seen | None:
    width, height = looked.size
    return Seen(looked.sight, width / height) if looked.sight else None


def _overlarge(group: Sequence[int], examples: Sequence[Example]) -> bool:
    """Tell whether a group is more than half of a class: kept together, it would leave too little of it to hold out."""
    inside = pictures_per_class(examples[position] for position in group)
    total = pictures_per_class(examples)
    return any(2 * count > total[label] for label, count in inside.items())


def _named(pictures: Sequence[Picture], pattern: re.Pattern[str] | None) -> list[list[int]]:
    if not pattern:
        return []
    groups = named_groups([picture.name for picture in pictures], pattern)
    if not groups:
        raise UsageError(f"{pattern.pattern!r} is found in no picture's name, as {pictures[0].name}; see --by-name")
    return groups


def _shows(seen: Looked, least_side: int) -> bool:
    """Tell whether there is something on a picture to judge it by; where there is not, that is told of itself."""
    return seen.sight is not None and seen.sight.contrast >= BLANK and min(seen.size) >= least_side


def _suspects(dataset: Dataset, looked: Sequence[Looked], seed: int, least_side: int) -> Suspects:
    """Look for labels that do not look right, where each picture has one."""
    if dataset.task != MULTICLASS:
        return Suspects(silent=f"labels of {dataset.task} are not searched for wrong ones")
    rows = [
        (position, seen.sight.features, example.labels[0])
        for position, (example, seen) in enumerate(zip(dataset.examples, looked, strict=True))
        if seen.sight and seen.sight.features is not None and len(example.labels) == 1 and _shows(seen, least_side)
    ]
    if not rows:
        return Suspects(silent="no picture could be looked at")
    positions, features, labels = zip(*rows, strict=True)
    searched = suspects(np.stack(features), labels, seed)
    return replace(searched, found=tuple(replace(one, position=positions[one.position]) for one in searched.found))
