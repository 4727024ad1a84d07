"""Labelled pictures as the trainer holds them: decoded by the edge's decoder, kept as bytes while memory allows."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from edge.bundle import Preprocessing, Task
from edge.errors import InputError
from edge.limits import free_memory
from edge.preprocess.classification import prepare
from edge.preprocess.decode import MAX_PIXELS, decode
from training.dataset.annotations import MULTICLASS, MULTILABEL
from training.dataset.records import Record, read_bytes
from training.errors import DataError

SHARE_OF_MEMORY = 0.5
"""How much of the memory that is free pictures may fill; the rest is the network's."""

Told = Callable[[int, int], object]
"""Hears how many of how many pictures are read."""


class Pictures(Sequence[Tensor]):
    """Pictures uint8 [3,H,W] RGB of any sizes; each comes from a source that may decode it only when asked."""

    def __init__(self, sources: Sequence[Callable[[], Tensor]]) -> None:
        self.sources = list(sources)

    def __len__(self) -> int:
        return len(self.sources)

    @overload
    def __getitem__(self, at: int) -> Tensor: ...
    @overload
    def __getitem__(self, at: slice) -> "Pictures": ...
    def __getitem__(self, at: int | slice) -> "Tensor | Pictures":
        return Pictures(self.sources[at]) if isinstance(at, slice) else self.sources[at]()

    def subset(self, positions: Sequence[int]) -> "Pictures":
        """Return those at these positions, still undecoded where they are."""
        return Pictures([self.sources[position] for position in positions])

    def joined(self, other: "Pictures") -> "Pictures":
        """Return these followed by the others."""
        return Pictures(self.sources + other.sources)


class Store:
    """Pictures of files. What is decoded first is kept, until the memory allowed is full; the rest is decoded anew.

    Pictures are drawn at random in every epoch, so that none is more worth keeping than another.
    """

    def __init__(self, records: Sequence[Record], shorter_side: int, most_bytes: float) -> None:
        self._records = records
        self._shorter_side = shorter_side
        self._left = most_bytes
        self._kept: dict[int, Tensor] = {}

    @property
    def kept(self) -> int:
        """How many pictures are held in memory."""
        return len(self._kept)

    def pictures(self) -> Pictures:
        """Return all, in the records' order."""
        return Pictures([partial(self.picture, position) for position in range(len(self._records))])

    def read(self, position: int) -> None:
        """Decode one, and keep it if there is room. Raises DataError where its file is no readable picture."""
        self.picture(position)

    def picture(self, position: int) -> Tensor:
        """Return one. Raises DataError where its file is no readable picture."""
        kept = self._kept.get(position)
        if kept is not None:
            return kept
        decoded = _reduced(_decoded(self._records[position]), self._shorter_side)
        if decoded.nbytes <= self._left:
            self._left -= decoded.nbytes
            self._kept[position] = decoded
        return decoded


@dataclass(frozen=True, slots=True)
class Examples:
    """Pictures uint8 [3,H,W] RGB of any sizes, and their labels.

    Labels are class indices int64 [N] where the task is multi-class, zeros and ones float32 [N,classes] where it is
    multi-label.
    """

    pictures: Pictures
    labels: Tensor

    def __len__(self) -> int:
        return len(self.pictures)

    def subset(self, positions: Iterable[int]) -> "Examples":
        """Return the examples at these positions; the pictures are shared, not copied."""
        chosen = [int(position) for position in positions]
        return Examples(self.pictures.subset(chosen), self.labels[chosen])

    def joined(self, other: "Examples") -> "Examples":
        """Return these examples followed by the others."""
        return Examples(self.pictures.joined(other.pictures), torch.cat([self.labels, other.labels]))


def load(
    records: Sequence[Record],
    classes: Sequence[str],
    shorter_side: int,
    task: Task = MULTICLASS,
    *,
    most_bytes: float | None = None,
    threads: int = 1,
    told: Told = lambda done, total: None,  # noqa: ARG005 - a port's names
    say: Callable[[str], object] = lambda _: None,
) -> Examples:
    """Decode every record as the edge does; a shorter side above `shorter_side` pixels is reduced to that.

    All are decoded once now, so that a bad one is named at once. `most_bytes` of them are kept, by default half of
    the memory that is free; `say` hears where that is not all.

    Raises:
        DataError: a file is no readable picture.
    """
    if most_bytes is None:
        most_bytes = SHARE_OF_MEMORY * (free_memory() or float("inf"))
    store = Store(records, shorter_side, most_bytes)
    with ThreadPoolExecutor(threads) as pool:
        for done, _ in enumerate(pool.map(store.read, range(len(records))), 1):
            told(done, len(records))
    if store.kept < len(records):
        held = f"{store.kept} of {len(records)} pictures fit into memory"
        say(f"{held}; the others are decoded anew whenever they are used")
    return Examples(store.pictures(), labels_of(records, classes, task))


def labels_of(records: Sequence[Record], classes: Sequence[str], task: Task) -> Tensor:
    """Return the records' labels as a task wants them; see :class:`Examples`."""
    index = {name: position for position, name in enumerate(classes)}
    if task != MULTILABEL:
        return torch.tensor([index[record.label] for record in records], dtype=torch.int64)
    labels = torch.zeros(len(records), len(classes))
    for row, record in enumerate(records):
        labels[row, [index[label] for label in record.labels]] = 1
    return labels


def from_grey(pictures: Sequence[NDArray[np.uint8]], labels: Tensor) -> Examples:
    """Return grey pictures, uint8 [H,W], as examples."""
    colours = [torch.from_numpy(picture).expand(3, -1, -1).contiguous() for picture in pictures]
    return from_tensors(colours, labels)


def from_tensors(pictures: Iterable[Tensor], labels: Tensor) -> Examples:
    """Return decoded pictures, uint8 [3,H,W] RGB, as examples."""
    return Examples(Pictures([partial(_itself, picture) for picture in pictures]), labels)


def validation_inputs(pictures: Sequence[Tensor], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Return float32 [N,3,crop,crop] of uint8 [3,H,W] pictures, made by the edge's own preprocessing."""
    return np.stack([prepare_input(picture.permute(1, 2, 0).numpy(), preprocessing) for picture in pictures])


def prepare_input(image: bytes | NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Return float32 [3,crop,crop] of a picture, encoded or as uint8 [H,W,3] RGB, as the edge prepares it."""
    return prepare(image, preprocessing=preprocessing, colour="rgb", value_range="imagenet", max_pixels=MAX_PIXELS)


def _itself(picture: Tensor) -> Tensor:
    return picture


def _decoded(record: Record) -> Tensor:
    try:
        pixels = decode(read_bytes(record.path), max_pixels=MAX_PIXELS)
    except InputError as exc:
        raise DataError(f"{record.path}: {exc}; replace or remove it") from exc
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


def _reduced(picture: Tensor, shorter_side: int) -> Tensor:
    height, width = picture.shape[1:]
    short = min(height, width)
    if short <= shorter_side:
        return picture
    size = (int(shorter_side * height / short), int(shorter_side * width / short))
    return interpolate(picture[None], size, mode="bilinear", antialias=True)[0]
