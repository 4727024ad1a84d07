"""RISE (Petsiuk, Das and Saenko 2018, arXiv:1806.07421): the picture is seen through random smooth masks; a pixel
matters by how much likelier the class is with it than without it.

The paper weighs each mask by the probability alone. Here the mean without a pixel is taken off the mean with it: so a
model that always says the same gets 0 and not its probability, and fewer masks do.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge.explain.scores import Explanation, Mask, Scores
from edge.predictor import TensorF32

CELLS = 7
"""Cells a side of a mask, as in the paper."""
CORNERS = CELLS + 2
"""Between them lie the cells, and one more that the shift may bring in."""
SEEN = 0.5
"""How likely a corner is seen, as in the paper."""


def rise(tensor: TensorF32, scores: Scores, *, runs: int, seed: int = 0) -> Explanation:
    """Return by how much likelier each class is with a pixel of the picture [3, side, side] seen than hidden.

    That is the mean probability over the masks that show the pixel, less that over the masks that hide it. ``runs``
    bounds the masks; the same ``seed`` gives the same ones.
    """
    side, classes = tensor.shape[1], len(scores.classes)
    shown, hidden = np.zeros((1 + classes, side, side)), np.zeros((1 + classes, side, side))
    used = 0
    for mask, probabilities in scores.seen_through(tensor, smooth_masks(side, runs, seed)):
        weighed = np.concatenate([[1.0], probabilities])[:, np.newaxis, np.newaxis]
        shown += weighed * mask
        hidden += weighed * (1 - mask)
        used += 1
    return Explanation(_difference(shown, hidden), used) if used else Explanation.none(scores)


def _difference(shown: NDArray[np.float64], hidden: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the difference of two weighted means, of sums whose first row holds the weights; 0 without any weight."""
    known = (shown[0] > 0) & (hidden[0] > 0)
    with_it, without_it = (sums[1:] / np.where(known, sums[0], 1) for sums in (shown, hidden))
    return np.where(known, with_it - without_it, 0).astype(np.float32)


def smooth_masks(side: int, count: int, seed: int) -> Iterator[Mask]:
    """Yield ``count`` masks [side, side]: a random grid of seen and hidden corners, enlarged bilinearly and shifted."""
    rng = np.random.default_rng(seed)
    cell = -(-side // CELLS)
    for _ in range(count):
        grid = (rng.random((CORNERS, CORNERS)) < SEEN).astype(np.float32)
        down, across = (_shares(side, cell, int(shift)) for shift in rng.integers(0, cell, 2))
        yield np.asarray(down @ grid @ across.T, np.float32)


def _shares(side: int, cell: int, shift: int) -> NDArray[np.float32]:
    """Return how much of each corner a pixel takes [side, corners]: bilinear, all pixels moved on by ``shift``."""
    place = (np.arange(side) + shift) / cell
    return np.asarray(np.maximum(0, 1 - np.abs(place[:, np.newaxis] - np.arange(CORNERS))), np.float32)
