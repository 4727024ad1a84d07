"""Finds pictures that look the same though their files differ: copied, encoded anew, resized, or frames of one moment.

A hash of 64 bits (differences of neighbours in an 8x9 reduction) names the pairs to look at, found through the bytes
that they share instead of comparing all with all; a second look at 32x32 pixels decides. Turned, mirrored and cropped
copies, and pictures that moved by more than a hundredth of their width, are not found.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.dataset.sight import GREY_SIDE, Sight

BLANK = 1.5
"""A picture whose grey values deviate by less shows nothing, and looks like every other such."""
BITS = 7
"""How many of 64 bits may differ: fewer than there are bytes, so that one byte at least is the same."""
LEAST_CORRELATION = 0.955
"""Of 32x32 grey values. Copies saved as JPEG of quality 30, halved, noisy or moved by half a hundredth reach 0.97;
the most alike of 1,200 pictures of one steel mill's defects reach 0.93."""
LEAST_FINE_CORRELATION = 0.7
"""The same of what is left when smooth light is taken away, which pictures of one lamp share."""
MOST_APART = 1.5
"""How far one of the 32x32 values may differ, in deviations of the picture: more is a thing that was not there."""
MOST_GAIN = 2.0
"""How many times the contrast of one may be that of the other."""
MOST_SHAPE = 1.05
"""How many times as wide for its height one may be as the other."""
MOST_PAIRS = 1_000_000
"""How many pairs are looked at a second time, some ten seconds; more there are where a camera sees one scene only."""
BLOCK = 4096

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Near:
    """Groups of positions that look the same, by their first; ``complete`` tells that all pairs were looked at."""

    groups: tuple[tuple[int, ...], ...] = ()
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """One picture to be compared: what was seen of it, and its width by its height."""

    sight: Sight
    shape: float


def near_groups(seen: Sequence[Seen | None]) -> Near:
    """Return the groups of pictures that look the same, directly or through others; None and blanks are left out."""
    chosen = {n: one for n, one in enumerate(seen) if one is not None and one.sight.contrast >= BLANK}
    positions = list(chosen)
    if len(chosen) < 2:
        return Near()
    looks, roots = _Looks(list(chosen.values())), np.arange(len(chosen))
    looked = 0
    for pairs in _candidates(looks.hashes):
        apart = pairs[roots[pairs[:, 0]] != roots[pairs[:, 1]]]
        looked += len(apart)
        for a, b in looks.same(apart):
            if roots[a] != roots[b]:
                roots[roots == roots[b]] = roots[a]
        if looked > MOST_PAIRS:
            break
    return Near(tuple(_groups(roots, positions)), complete=looked <= MOST_PAIRS)


def _groups(roots: Places, positions: Sequence[int]) -> Iterator[tuple[int, ...]]:
    members: dict[int, list[int]] = defaultdict(list)
    for position, root in zip(positions, roots.tolist(), strict=True):
        members[root].append(position)
    return (tuple(group) for group in members.values() if len(group) > 1)


def _hash(grey: NDArray[np.uint8]) -> bytes:
    """Return 64 bits: whether each value of an 8x9 reduction is brighter than the one to its left."""
    small = np.asarray(cv2.resize(grey.astype(np.float32), (9, 8), interpolation=cv2.INTER_AREA))
    return np.packbits(small[:, 1:] > small[:, :-1]).tobytes()


class _Looks:
    """Pictures as they are compared: hashes, and 32x32 values of mean 0 and deviation 1."""

    def __init__(self, seen: Sequence[Seen]) -> None:
        self.greys = np.stack([one.sight.grey for one in seen])
        self.hashes = np.frombuffer(b"".join(map(_hash, self.greys)), np.uint8).reshape(-1, 8)
        self.shapes = np.log([one.shape for one in seen])
        flat = self.greys.reshape(len(seen), -1)
        self.deviations = np.maximum(flat.std(axis=1, dtype=np.float32), 0.1)
        self.values = np.empty(flat.shape, np.float16)
        for first in range(0, len(flat), BLOCK):
            some = flat[first : first + BLOCK].astype(np.float32)
            centred = some - some.mean(axis=1, keepdims=True)
            self.values[first : first + BLOCK] = centred / self.deviations[first : first + BLOCK, None]

    def same(self, pairs: Places) -> Iterator[tuple[int, int]]:
        """Yield the pairs [n,2] that are of one picture."""
        for first in range(0, len(pairs), BLOCK):
            some = pairs[first : first + BLOCK]
            one, other = self.values[some[:, 0]].astype(np.float32), self.values[some[:, 1]].astype(np.float32)
            gains = abs(np.log(self.deviations[some[:, 0]] / self.deviations[some[:, 1]]))
            shapes = abs(self.shapes[some[:, 0]] - self.shapes[some[:, 1]])
            alike = ((one * other).mean(axis=1) >= LEAST_CORRELATION) & (abs(one - other).max(axis=1) <= MOST_APART)
            fitting = (gains <= np.log(MOST_GAIN)) & (shapes <= np.log(MOST_SHAPE))
            for a, b in some[alike & fitting].tolist():
                if self._fine(a, b) >= LEAST_FINE_CORRELATION:
                    yield a, b

    def _fine(self, one: int, other: int) -> float:
        """Return how what is left without smooth light correlates, -1..1; with nothing left it is the same."""
        a, b = (self._without_light(number) for number in (one, other))
        spread = float(a.std() * b.std())
        return float((a * b).mean()) / spread if spread > 1e-3 else 1.0

    def _without_light(self, number: int) -> NDArray[np.float32]:
        values = self.values[number].astype(np.float32).reshape(GREY_SIDE, GREY_SIDE)
        return np.asarray(values - cv2.blur(values, (5, 5)), np.float32)


def _candidates(hashes: NDArray[np.uint8]) -> Iterator[Places]:
    """Yield each pair [n,2] whose hashes [n,8] differ in at most :data:`BITS` bits, at the first byte they share."""
    whole = np.ascontiguousarray(hashes).view(np.uint64)[:, 0]
    for byte in range(hashes.shape[1]):
        order = np.argsort(hashes[:, byte], kind="stable")
        ends = np.flatnonzero(np.diff(hashes[order, byte])) + 1
        for bucket in np.split(order, ends):
            for row, one in enumerate(bucket[:-1]):
                others = bucket[row + 1 :]
                others = others[np.bitwise_count(whole[others] ^ whole[one]) <= BITS]
                others = others[(hashes[others, :byte] != hashes[one, :byte]).all(axis=1)]
                if len(others):
                    yield np.column_stack([np.full(len(others), one), others])
