"""A labelled collection from end to end before Azure: read, looked at, split, checked."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.dataset.annotations import Example
from training.dataset.checks import Checked, Finding, check
from training.dataset.inspection import Looked, contents, look_at
from training.dataset.mltable import rows_in
from training.dataset.parts import PARTS, Part, Shares, assign, counts
from training.dataset.reading import Wishes, read_dataset
from training.errors import DataError

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
        }


def collect(
    folder: Path,
    wishes: Wishes = Wishes(),
    shares: Shares = Shares(),
    *,
    in_place: bool = False,
    told: Told = lambda _done, _total: None,
) -> Collection:
    """Read, look at, split and check a collection. With ``in_place``, pictures that lie in Azure are used there.

    Raises:
        DataError, UsageError: it cannot be read, see :func:`training.dataset.reading.read_dataset`.
    """
    if not shares.validation + shares.test < 1:  # no number is below it, either
        raise DataError("nothing would be left to train on: the shares of validation and test are below 1 together")
    dataset = read_dataset(folder, wishes)
    pictures = [example.picture for example in dataset.examples]
    looked = look_at(pictures, lambda done: told(done, len(pictures)))
    parts = assign(dataset.examples, list(contents(pictures, looked)), shares)
    checked = Checked(dataset, looked, parts, in_place)
    return Collection(checked, tuple(check(checked)), shares)
