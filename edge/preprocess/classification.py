"""A picture becomes the input of a classification graph, by the rule that its bundle names.

``shorter-side`` is what validation and the cloud endpoint of AutoML for Images do: resize the shorter side with
Pillow's antialiased bilinear filter (the longer one truncated), cut out the centre, pad with zeros where it is smaller.
``square`` is the published recipe without PyTorch: resize to a square with Pillow's bicubic filter, cut out the centre.

Only the part of the resized picture that the crop keeps is computed; that changes no pixel by more than one grey level.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge.bundle import Colour, Preprocessing, Range
from edge.preprocess.decode import MAX_PIXELS, picture
from edge.preprocess.resample import QUICKEST, Resample

MEAN = np.array([0.485, 0.456, 0.406])
"""ImageNet's mean of red, green and blue in 0..1 (torchvision's constants)."""
STD = np.array([0.229, 0.224, 0.225])
"""ImageNet's standard deviation of red, green and blue in 0..1."""
Affine = tuple[NDArray[np.float32], NDArray[np.float32]]
"""A factor and a summand for each channel: float32 [3, 1, 1]."""


def _affine(scale: NDArray[np.float64], offset: NDArray[np.float64]) -> Affine:
    return scale.astype(np.float32).reshape(3, 1, 1), offset.astype(np.float32).reshape(3, 1, 1)


AFFINE: Mapping[Range, Affine] = MappingProxyType(
    {
        "imagenet": _affine(1 / (255 * STD), -MEAN / STD),
        "0-1": _affine(np.full(3, 1 / 255), np.zeros(3)),
        "0-255": _affine(np.ones(3), np.zeros(3)),
    }
)
"""For each value range, what red, green and blue are multiplied by and what is added then."""


def prepare(
    image: bytes | NDArray[np.uint8],
    *,
    preprocessing: Preprocessing,
    colour: Colour = "rgb",
    value_range: Range = "imagenet",
    max_pixels: int = MAX_PIXELS,
) -> NDArray[np.float32]:
    """Return the C-contiguous input float32 [3, crop, crop] for a picture.

    ``image`` is an encoded picture or a uint8 array [height, width, 3] in RGB.
    ``value_range`` says what a pixel value v of 0..255 becomes: ``imagenet`` (v / 255 - mean) / std, ``0-1`` v / 255,
    ``0-255`` v. ``colour`` ``bgr`` reverses the channels after that. Raises ImageDecodeError, ImageTooLargeError.
    """
    pixels = crop(picture(image, max_pixels=max_pixels), preprocessing)
    return normalise(pixels, colour=colour, value_range=value_range)


def crop(source: Image.Image, preprocessing: Preprocessing, resample: Resample = QUICKEST) -> NDArray[np.uint8]:
    """Return the centre crop of the resized picture: uint8 [crop, crop] for mode ``L``, [crop, crop, 3] for ``RGB``."""
    side = preprocessing.crop
    size = resized(source.size, preprocessing)
    left, width = _window(size[0], side)
    top, height = _window(size[1], side)
    part = (left, top, left + width, top + height)
    kernel = Image.Resampling.BICUBIC if preprocessing.rule == "square" else Image.Resampling.BILINEAR
    pixels = np.asarray(source.crop(part) if size == source.size else resample(source, size, part, kernel))
    return pixels if width == height == side else _padded(pixels, side)


def resized(size: tuple[int, int], preprocessing: Preprocessing) -> tuple[int, int]:
    """Return width and height of the whole resized picture, in pixels, for a picture of ``size`` (width, height)."""
    width, height = size
    side = preprocessing.resize
    if preprocessing.rule == "square":
        return side, side
    if width <= height:
        return side, int(side * height / width)
    return int(side * width / height), side


def _window(length: int, side: int) -> tuple[int, int]:
    """Return where the crop begins on an axis of the resized picture (rounded half to even) and how long it is."""
    return (0, length) if length < side else (round((length - side) / 2), side)


def _padded(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return ``pixels`` in the middle of zeros [side, side, ...]; an odd pixel of padding goes right and below."""
    height, width = pixels.shape[:2]
    top, left = (side - height) // 2, (side - width) // 2
    canvas = np.zeros((side, side, *pixels.shape[2:]), np.uint8)
    canvas[top : top + height, left : left + width] = pixels
    return canvas


def normalise(pixels: NDArray[np.uint8], *, colour: Colour, value_range: Range) -> NDArray[np.float32]:
    """Return float32 [3, height, width] for uint8 [height, width] grey or [height, width, 3] RGB.

    One multiplication and one addition a value: within 1e-6 of the formula.
    """
    scale, offset = AFFINE[value_range]
    planes = pixels[np.newaxis] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
    tensor: NDArray[np.float32] = np.multiply(planes, scale, dtype=np.float32)
    tensor += offset
    return tensor if colour == "rgb" else np.ascontiguousarray(tensor[::-1])


def pixels_of(tensor: NDArray[np.float32], *, colour: Colour, value_range: Range) -> NDArray[np.uint8]:
    """Return uint8 [height, width, 3] in RGB for an input [3, height, width]: what :func:`normalise` made it of."""
    scale, offset = AFFINE[value_range]
    planes = tensor if colour == "rgb" else tensor[::-1]
    pixels = np.clip(np.rint((planes - offset) / scale), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(pixels.transpose(1, 2, 0))
