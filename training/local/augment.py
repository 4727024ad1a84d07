"""Random views of surface pictures that keep their class: crop and scale, mirror and turn, brighter and darker.

A defect stays what it is when the strip is mirrored or turned, so all eight orientations are used. Crops keep most of
the picture, or a lone defect would be cut away. Grey values are scaled and shifted but never inverted: dark streaks
(Inclusion) and bright ones (Scratches) are different classes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from training.recipe import Views

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of RGB in 0..1; contract 2.2
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class AugmentRange:
    """How far a random view may go from the picture."""

    area: tuple[float, float] = (0.65, 1.0)  # share of the picture's area
    aspect: tuple[float, float] = (0.75, 4 / 3)
    contrast: tuple[float, float] = (0.8, 1.25)  # factor on the distance from the picture's own mean
    brightness: tuple[float, float] = (-0.1, 0.1)  # added, in units of the full range
    turned: bool = True  # all eight orientations; else mirrored only


RANGES: Mapping[Views, AugmentRange] = {
    "surface": AugmentRange(),
    "light": AugmentRange((0.8, 1.0), (0.9, 1 / 0.9), (0.9, 1 / 0.9), (-0.05, 0.05), turned=False),
}


def ranges_of(views: Views) -> AugmentRange:
    """Return how far the views of a recipe go."""
    return RANGES[views]


class Augment:
    """Draws random views; one generator, so the same seed gives the same views in the same order."""

    def __init__(self, size: int, generator: torch.Generator, ranges: AugmentRange | None = None) -> None:
        self._size = size
        self._generator = generator
        self._ranges = ranges or AugmentRange()

    def __call__(self, pictures: Sequence[Tensor]) -> Tensor:
        """Return float32 [N,3,size,size], normalised, of uint8 [3,H,W] pictures."""
        views = torch.stack([self._crop(picture) for picture in pictures])
        return normalise(self._relight(self._orient(views).to(torch.float32).div_(255)))

    def _crop(self, picture: Tensor) -> Tensor:
        height, width = picture.shape[1:]
        crop_height, crop_width = self._crop_size(height, width)
        top = int(self._uniform(0, height - crop_height + 1))
        left = int(self._uniform(0, width - crop_width + 1))
        window = picture[None, :, top : top + crop_height, left : left + crop_width]
        return interpolate(window, (self._size, self._size), mode="bilinear", antialias=True)[0]

    def _crop_size(self, height: int, width: int) -> tuple[int, int]:
        """Draw height and width of a window of random area and aspect, cut to the picture."""
        area = height * width * self._uniform(*self._ranges.area)
        aspect = math.exp(self._uniform(*map(math.log, self._ranges.aspect)))
        return min(height, max(1, round(math.sqrt(area / aspect)))), min(width, max(1, round(math.sqrt(area * aspect))))

    def _orient(self, views: Tensor) -> Tensor:
        """Give each view one of the eight orientations of a square, or of the two that stand upright."""
        views = torch.where(self._coin(len(views)), views.flip(3), views)
        if not self._ranges.turned:
            return views
        views = torch.where(self._coin(len(views)), views.flip(2), views)
        return torch.where(self._coin(len(views)), views.transpose(2, 3), views)

    def _relight(self, views: Tensor) -> Tensor:
        mean = views.mean((1, 2, 3), keepdim=True)
        contrast = self._uniforms(len(views), *self._ranges.contrast)
        shift = self._uniforms(len(views), *self._ranges.brightness)
        return ((views - mean) * contrast + mean + shift).clamp_(0, 1)

    def _coin(self, count: int) -> Tensor:
        return self._uniforms(count, 0, 1) < 0.5

    def _uniforms(self, count: int, low: float, high: float) -> Tensor:
        return torch.rand(count, 1, 1, 1, generator=self._generator) * (high - low) + low

    def _uniform(self, low: float, high: float) -> float:
        return float(torch.rand((), generator=self._generator)) * (high - low) + low


def normalise(views: Tensor) -> Tensor:
    """Return RGB in 0..1, [N,3,H,W], less ImageNet's mean and divided by its deviation, laid out channels last."""
    mean = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)
    return ((views - mean) / std).contiguous(memory_format=torch.channels_last)
