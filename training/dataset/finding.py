"""What a check is given and what it says."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from training.dataset.annotations import Dataset, Example
from training.dataset.inspection import Looked
from training.dataset.near import Near
from training.dataset.parts import Part
from training.dataset.suspects import Suspects

LEAST_SIDE = 32
"""Pixels; a picture with a shorter side shows little."""

Level = Literal["problem", "warning", "hint"]
LEVELS: Sequence[Level] = ("problem", "warning", "hint")


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of thing that is wrong, in how many places, and up to five of them."""

    level: Level
    kind: str
    text: str
    count: int
    where: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as it is printed for programs."""
        return {
            "level": self.level,
            "kind": self.kind,
            "text": self.text,
            "count": self.count,
            "where": list(self.where),
        }


@dataclass(frozen=True, slots=True)
class Checked:
    """A collection, what its pictures' files show, and which part each picture is in; all in the same order.

    ``in_place`` tells that pictures which lie in Azure are used there, so that they need no file here; ``near`` and
    ``suspects`` are what comparing the pictures showed, by their positions.
    """

    dataset: Dataset
    looked: Sequence[Looked]
    parts: Sequence[Part]
    in_place: bool = False
    near: Near = field(default_factory=Near)
    suspects: Suspects = field(default_factory=Suspects)
    least_side: int = LEAST_SIDE


Where = Iterator[str]
Check = Callable[[Checked], Where]


def with_looks(checked: Checked) -> Iterator[tuple[Example, Looked]]:
    """Yield each picture with what its file shows."""
    return zip(checked.dataset.examples, checked.looked, strict=True)


def said(example: Example) -> str:
    """Return what is on a picture, in words."""
    return ", ".join(example.labels) or "nothing"
