"""What is known of the pictures before anything is trained on them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from edge.bundle import Task
from training.dataset.annotations import Picture, Size
from training.dataset.inspection import look_at
from training.dataset.labelled import Labelled
from training.dataset.parts import Shares, assign_records
from training.dataset.records import Record, counts_of
from training.errors import DataError
from training.image_models import METRICS

LOOKED_AT = 64
"""How many pictures are opened to learn how large they are."""
UNEVEN = 3.0
"""From so many times as many pictures of one class as of another on, the loss weighs the classes."""

FEW_TO_JUDGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The pictures in figures.

    ``counts`` are those trained on, by class; ``training``, ``validation`` and ``test`` count pictures. ``side`` is the
    shorter side of the middle one in pixels, ``shape`` its shorter by its longer side (0..1).
    """

    task: Task
    counts: Mapping[str, int]
    training: int
    validation: int
    test: int
    side: int
    shape: float

    @property
    def metric(self) -> str:
        """The primary metric, by AutoML's name."""
        return METRICS[self.task]

    @property
    def fewest(self) -> int:
        """How many pictures of its rarest class are trained on."""
        return min(self.counts.values())

    @property
    def uneven(self) -> float:
        """How many times as many pictures of the commonest class as of the rarest are trained on."""
        return max(self.counts.values()) / max(1, self.fewest)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Parts:
    """The pictures, dealt once for all fits: to learn from, to choose by, and to judge the chosen one by."""

    training: Labelled
    validation: Labelled
    test: Labelled


def part(data: Labelled, shares: Shares) -> Parts:
    """Deal the pictures by class, content and seed; the same pictures are never parted.

    Raises:
        DataError: fewer than two classes, or one of too few pictures to be dealt.
    """
    if len(data.classes) < 2:
        raise DataError(f"the data has only class {data.classes[0]!r}; a classifier needs at least two")
    chosen = assign_records(data.records, shares)
    parts = Parts(
        *(data.subset([n for n, of in enumerate(chosen) if of == name]) for name in ("train", "validation", "test"))
    )
    _check(parts, shares)
    return parts


def _check(parts: Parts, shares: Shares) -> None:
    needed = 2 + (shares.test > 0)
    total = counts_of((*parts.training.records, *parts.validation.records, *parts.test.records))
    for name, held in (("train on", parts.training), ("choose by", parts.validation)):
        missing = sorted(set(parts.training.classes) - set(counts_of(held.records)))
        if missing:
            found = f"class {missing[0]!r} has {total[missing[0]]} picture(s), which leaves none to {name}"
            raise DataError(f"{found}; AutoMode needs at least {needed} different ones of each: add pictures to it")


def facts_of(parts: Parts) -> Facts:
    """Return what the pictures are like; opens some of them.

    Raises:
        DataError: one of these cannot be read.
    """
    width, height = _middle(_sizes(parts.training.records))
    counts = counts_of(parts.training.records)
    return Facts(
        task=parts.training.task,
        counts={name: counts[name] for name in parts.training.classes},
        training=len(parts.training.records),
        validation=len(parts.validation.records),
        test=len(parts.test.records),
        side=min(width, height),
        shape=round(min(width, height) / max(width, height), 3),
    )


def _sizes(records: Sequence[Record]) -> list[Size]:
    chosen = records[:: -(-len(records) // LOOKED_AT)]
    sizes = []
    for record, seen in zip(chosen, look_at([_picture(record.path) for record in chosen]), strict=True):
        if seen.fault in ("missing", "unreadable", "damaged", "huge"):
            raise DataError(f"{record.path}: {seen.why}; replace or remove it")
        if seen.fault is None:
            sizes.append(seen.size)
    return sizes


def _picture(path: Path) -> Picture:
    return Picture(str(path), path)


def _middle(sizes: Sequence[Size]) -> Size:
    """Return the middle width and height; of pictures in formats that cannot be measured, AutoML's side."""
    if not sizes:
        return 224, 224
    return round(median(size[0] for size in sizes)), round(median(size[1] for size in sizes))
