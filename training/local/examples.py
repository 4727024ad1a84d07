"""Labelled pictures as the trainer holds them: decoded once by the edge's decoder, kept as bytes in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from edge.bundle import Preprocessing
from edge.errors import InputError
from edge.preprocess.classification import prepare
from edge.preprocess.decode import MAX_PIXELS, decode
from training.dataset.records import Record, read_bytes
from training.errors import DataError


@dataclass(frozen=True, slots=True)
class Examples:
    """Pictures uint8 [3,H,W] RGB of any sizes, and their label indices, int64 [N]."""

    pictures: list[Tensor]
    labels: Tensor

    def __len__(self) -> int:
        return len(self.pictures)

    def subset(self, positions: Iterable[int]) -> "Examples":
        """Return the examples at these positions; the pictures are shared, not copied."""
        chosen = [int(position) for position in positions]
        return Examples([self.pictures[i] for i in chosen], self.labels[chosen])

    def joined(self, other: "Examples") -> "Examples":
        """Return these examples followed by the others."""
        return Examples(self.pictures + other.pictures, torch.cat([self.labels, other.labels]))


def load(records: Sequence[Record], classes: Sequence[str], shorter_side: int) -> Examples:
    """Decode every record as the edge does; a shorter side above `shorter_side` pixels is reduced to that.

    Raises:
        DataError: a file is no readable picture.
    """
    index = {name: position for position, name in enumerate(classes)}
    pictures = [_reduce(_decode(record), shorter_side) for record in records]
    return Examples(pictures, torch.tensor([index[record.label] for record in records], dtype=torch.int64))


def from_grey(pictures: Sequence[NDArray[np.uint8]], labels: Sequence[int]) -> Examples:
    """Return grey pictures, uint8 [H,W], as examples."""
    colours = [torch.from_numpy(picture).expand(3, -1, -1).contiguous() for picture in pictures]
    return Examples(colours, torch.tensor(labels, dtype=torch.int64))


def validation_inputs(pictures: Sequence[Tensor], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Return float32 [N,3,crop,crop] of uint8 [3,H,W] pictures, made by the edge's own preprocessing."""
    return np.stack([prepare_input(picture.permute(1, 2, 0).numpy(), preprocessing) for picture in pictures])


def prepare_input(image: bytes | NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Return float32 [3,crop,crop] of a picture, encoded or as uint8 [H,W,3] RGB, as the edge prepares it."""
    return prepare(image, preprocessing=preprocessing, colour="rgb", value_range="imagenet", max_pixels=MAX_PIXELS)


def _decode(record: Record) -> Tensor:
    try:
        pixels = decode(read_bytes(record.path), max_pixels=MAX_PIXELS)
    except InputError as exc:
        raise DataError(f"{record.path}: {exc}; replace or remove it") from exc
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


def _reduce(picture: Tensor, shorter_side: int) -> Tensor:
    height, width = picture.shape[1:]
    short = min(height, width)
    if short <= shorter_side:
        return picture
    size = (int(shorter_side * height / short), int(shorter_side * width / short))
    return interpolate(picture[None], size, mode="bilinear", antialias=True)[0]
