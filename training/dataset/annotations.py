"""What is marked on pictures, for the four tasks of AutoML for Images: names of classes, boxes, outlines."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge.bundle import Task

MULTICLASS: Task = "image-classification"
MULTILABEL: Task = "image-classification-multilabel"
DETECTION: Task = "image-object-detection"
SEGMENTATION: Task = "image-instance-segmentation"
TASKS: tuple[Task, ...] = (MULTICLASS, MULTILABEL, DETECTION, SEGMENTATION)

Format = Literal["folders", "jsonl", "coco", "voc", "csv", "yolo"]
"""How a collection is written down."""


@dataclass(frozen=True, slots=True)
class Tag:
    """The whole picture is of a class."""

    label: str


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle; coordinates are shares of the picture's width and height, 0..1 from its top left."""

    label: str
    left: float
    top: float
    right: float
    bottom: float
    crowd: bool = False


@dataclass(frozen=True, slots=True)
class Outline:
    """One or more rings around a thing, each ``x1, y1, x2, y2, ...`` in shares of the picture, 0..1."""

    label: str
    rings: tuple[tuple[float, ...], ...]
    crowd: bool = False

    def box(self) -> Box:
        """Return the smallest box around it; an empty one where there is no point."""
        across = [x for ring in self.rings for x in ring[0::2]] or [0.0]
        down = [y for ring in self.rings for y in ring[1::2]] or [0.0]
        return Box(self.label, min(across), min(down), max(across), max(down), self.crowd)


Mark = Tag | Box | Outline
Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture by its name, a path with slashes that is unique in the collection.

    ``source`` is the file here, None where there is none; ``url`` is where the picture lies in Azure, if it was told;
    ``size`` is what the labels' file says of it.
    """

    name: str
    source: Path | None = None
    url: str | None = None
    size: Size | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A picture and what is marked on it; all marks are of the kind that the task wants."""

    picture: Picture
    marks: tuple[Mark, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes on it, sorted, each once."""
        return tuple(sorted({mark.label for mark in self.marks}))


@dataclass(frozen=True, slots=True)
class Dataset:
    """A collection as it was read; ``unlisted`` are pictures below its folder that nothing tells about.

    ``stray`` tells of marks that belong to no picture of it.
    """

    task: Task
    format: Format
    examples: tuple[Example, ...]
    unlisted: tuple[str, ...] = ()
    stray: tuple[str, ...] = ()

    @property
    def classes(self) -> list[str]:
        """All classes in label-index order: sorted, as AutoML writes ``labels.json``."""
        return sorted({label for example in self.examples for label in example.labels})


def coordinates(mark: Mark) -> list[float]:
    """Return all numbers of a mark; of a tag, none."""
    if isinstance(mark, Box):
        return [mark.left, mark.top, mark.right, mark.bottom]
    return [value for ring in mark.rings for value in ring] if isinstance(mark, Outline) else []


def pictures_per_class(examples: Iterable[Example]) -> Counter[str]:
    """Count the pictures on which each class is."""
    return Counter(label for example in examples for label in example.labels)


def task_of(marks: Sequence[tuple[Mark, ...]]) -> Task:
    """Return the task that marks are for: outlines, boxes, or as many tags as one picture at most has."""
    kinds = {type(mark) for some in marks for mark in some}
    if Outline in kinds:
        return SEGMENTATION
    if Box in kinds:
        return DETECTION
    return MULTILABEL if any(len(some) > 1 for some in marks) else MULTICLASS
