"""Occlusion (Zeiler and Fergus 2014, arXiv:1311.2901): a patch slides over the picture, and where it makes the class
less likely, the picture matters.

Patches of several sizes: where a defect is larger than the patch, what is left of it is enough for the model, and the
probability hardly falls; large patches find it, small ones tell where it ends.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge.explain.scores import Explanation, Mask, Scores
from edge.predictor import TensorF32

COARSEST = 4
"""Patches a side of the coarsest grid of several: each hides two fifths of a side."""


def occlusion(tensor: TensorF32, scores: Scores, *, runs: int) -> Explanation:
    """Return by how much each class's probability falls where a patch hides a pixel of the picture [3, side, side].

    That is the mean over the patches of a size that cover the pixel, and then over the sizes. ``runs`` (2 or more)
    bounds the inputs. Grids go from coarse to fine; one that the time did not suffice for counts for nothing.
    """
    side = tensor.shape[1]
    maps: list[NDArray[np.float64]] = []
    if not scores.turn():
        return Explanation.none(scores)
    (whole,), used = scores.of(tensor[np.newaxis]), 1
    for grid in grids(runs - 1, side):
        fall, covered, hidden = np.zeros((len(whole), side, side)), np.zeros((side, side)), 0
        for mask, probabilities in scores.seen_through(tensor, patches(side, grid)):
            fall += (whole - probabilities)[:, np.newaxis, np.newaxis] * (1 - mask)
            covered += 1 - mask
            hidden += 1
        used += hidden
        if hidden < grid**2:
            break
        maps.append(fall / covered)
    return Explanation(np.mean(maps, axis=0, dtype=np.float32), used) if maps else Explanation.none(scores)


def grids(patches: int, side: int) -> tuple[int, ...]:
    """Return how many patches a side the grids have, coarse to fine, of at most ``patches`` in all.

    Three sizes, the middle one half-way on a logarithmic scale; a single grid where the number does not suffice.
    """
    fine = math.isqrt(max(patches - COARSEST**2, 0) + COARSEST) - 2  # the largest f with f^2 + 4f patches left for it
    several = {COARSEST, math.isqrt(COARSEST * max(fine, 0)), fine} if fine > COARSEST else {math.isqrt(patches)}
    finest = max(1, side - 1)  # a patch of two pixels
    return tuple(sorted({min(grid, finest) for grid in several}))


def patches(side: int, grid: int) -> Iterator[Mask]:
    """Yield the masks [side, side] of a grid x grid of patches over the whole picture, row by row.

    A patch is two strides wide and high, so that four of them cover a pixel, but for the border.
    """
    edges = [round(number * side / (grid + 1)) for number in range(grid + 2)]
    for top, bottom in zip(edges[:-2], edges[2:], strict=True):
        for left, right in zip(edges[:-2], edges[2:], strict=True):
            mask = np.ones((side, side), np.float32)
            mask[top:bottom, left:right] = 0
            yield mask
