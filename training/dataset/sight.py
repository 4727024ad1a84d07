"""What is kept of a picture's pixels to compare it with others: a small grey copy, contrast, and some numbers."""

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

GREY_SIDE = 32
"""Pixels a side of the grey copy; whatever the picture's shape, it is a square."""
FEATURE_SIDE = 128
"""Pixels a side at which features are measured."""
OCTAVES, ORIENTATIONS, CELLS = 4, 8, 4
BINS = 8

Grey = NDArray[np.uint8]
Floats = NDArray[np.float32]
Some = TypeVar("Some", np.uint8, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What was seen of one picture.

    ``grey`` is uint8 [32,32]; ``contrast`` the standard deviation of its grey values (0..127.5) before it was made
    small; ``features`` float16 [:func:`features`], None where nobody asked for them.
    """

    grey: Grey
    contrast: float
    features: NDArray[np.float16] | None = None


def sight_of(pixels: Grey, *, features: bool = False) -> Sight:
    """Return what is kept of pixels, uint8 [height, width] or [height, width, 3] in RGB."""
    grey = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    deviation = float(cv2.meanStdDev(grey)[1].item())
    small = _resized(np.asarray(grey, np.uint8), GREY_SIDE)
    return Sight(small, deviation, features_of(pixels) if features else None)


def features_of(pixels: Grey) -> NDArray[np.float16]:
    """Return numbers that tell classes of pictures apart without a network, float16 [n].

    Shares of grey values, and of each colour; for each octave the strength of detail and its directions over the whole
    picture; and directions for each cell of a 4x4 grid, as in histograms of oriented gradients (Dalal and Triggs 2005).
    """
    square = _resized(pixels, FEATURE_SIDE)
    colours = square.reshape(FEATURE_SIDE, FEATURE_SIDE, -1)
    shares = [_shares(colours[..., channel]) for channel in range(colours.shape[2])]
    parts = shares if len(shares) == 3 else shares * 3  # grey is all three
    level = (colours.mean(axis=2) / 255).astype(np.float32)
    for octave in range(OCTAVES):
        cells = CELLS if octave == 1 else 1
        parts += [_detail(level), _directions(level, cells)]
        level = np.asarray(cv2.pyrDown(level), np.float32)
    parts.append(_resized(level, CELLS).ravel())
    return np.concatenate(parts).astype(np.float16)


def _resized(pixels: NDArray[Some], side: int) -> NDArray[Some]:
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA), pixels.dtype)


def _shares(values: Grey) -> Floats:
    """Return how much of a picture is of each eighth of the brightness."""
    return (np.bincount(values.ravel() // (256 // BINS), minlength=BINS) / values.size).astype(np.float32)


def _detail(level: Floats) -> Floats:
    """Return logarithms of how strong what a blur takes away is: in all, of the dark, of the bright, at most."""
    rest = level - cv2.GaussianBlur(level, (0, 0), 1.5)
    dark, bright = np.minimum(rest, 0), np.maximum(rest, 0)
    found = [abs(rest).mean(), rest.std(), (dark**2).mean() ** 0.5, (bright**2).mean() ** 0.5, abs(rest).max()]
    return np.asarray(np.log(np.asarray(found) + 1e-3), np.float32)


def _directions(level: Floats, cells: int) -> Floats:
    """Return the share of each direction of edges in each cell, less what is seldom."""
    across, down = cv2.Sobel(level, cv2.CV_32F, 1, 0), cv2.Sobel(level, cv2.CV_32F, 0, 1)
    strength, angle = cv2.cartToPolar(across, down)
    bins = np.minimum((angle % np.pi) / np.pi * ORIENTATIONS, ORIENTATIONS - 1).astype(np.int32)
    side = level.shape[0] // cells
    where = np.arange(level.shape[0]) // side
    cell = np.minimum(where, cells - 1)[:, None] * cells + np.minimum(where, cells - 1)
    found = np.bincount((cell * ORIENTATIONS + bins).ravel(), strength.ravel(), cells * cells * ORIENTATIONS)
    shares = found.reshape(-1, ORIENTATIONS)
    return np.asarray((shares / (shares.sum(axis=1, keepdims=True) + 1e-3)).ravel(), np.float32)
