"""Draws grey pictures of hot-rolled steel with one of six surface defects; the same seed gives the same pixels.

The classes are those of the public NEU surface-defect database (Song and Yan 2013, doi:10.1016/j.apsusc.2013.09.002);
every pixel here is computed, none is taken from it. Lengths are in pixels of a 200x200 picture and scale with the size.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.dataset.records import Record
from training.errors import DataError

Grey = NDArray[np.float32]
Picture = NDArray[np.uint8]

NATIVE_SIZE = 200
SMALLEST_SIZE = 16


class Sheet:
    """A piece of steel being drawn: grey values (0..255, float32), the random source and the scale."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.size = size
        self.rng = rng
        self.scale = size / NATIVE_SIZE
        self.grey: Grey = np.zeros((size, size), np.float32)

    def between(self, low: float, high: float) -> float:
        """Draw a number from low to high, evenly."""
        return float(self.rng.uniform(low, high))

    def noise(self, across: float, down: float) -> Grey:
        """Return Gaussian noise smoothed by these standard deviations (0: not at all), mean 0, deviation 1."""
        field = self.rng.standard_normal((self.size, self.size), dtype=np.float32)
        if across or down:
            sigma = (max(across * self.scale, 0.01), max(down * self.scale, 0.01))
            field = np.asarray(cv2.GaussianBlur(field, (0, 0), sigma[0], sigmaY=sigma[1]), np.float32)
        return np.asarray((field - field.mean()) / (field.std() + 1e-6), np.float32)

    def coarse_noise(self, across: float, down: float) -> Grey:
        """Return smooth noise of these lengths, drawn on a grid and enlarged (cheap where the lengths are long)."""
        shape = (max(2, round(NATIVE_SIZE / down)), max(2, round(NATIVE_SIZE / across)))
        grid = self.rng.standard_normal(shape, dtype=np.float32)
        return np.asarray(cv2.resize(grid, (self.size, self.size), interpolation=cv2.INTER_CUBIC), np.float32)

    def roll(self, level: float, *, grain: float, bands: float, light: float) -> None:
        """Lay the ground: a grey level; grain, bands along the rolling direction and uneven light (deviations)."""
        self.grey += level
        self.grey += grain * (0.8 * self.noise(0, 0) + 0.6 * self.noise(0.7, 1.2))
        self.grey += bands * self.coarse_noise(25, 200)
        self.grey += light * self.coarse_noise(150, 150)

    def darken(self, mask: Grey, depth: float, soft: float = 0.0) -> None:
        """Take `depth` grey values where the mask (0..1) is one; a negative depth brightens."""
        if soft:
            mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), max(soft * self.scale, 0.3)), np.float32)
        self.grey -= depth * mask

    def ellipses(self, centres: NDArray[np.float64], axes: NDArray[np.float64], tilt: float) -> Grey:
        """Return a mask of filled ellipses: centres (x, y) and half axes, [n,2] in native pixels; tilt in degrees."""
        mask = np.zeros_like(self.grey)
        for centre, half in zip(centres * self.scale, np.maximum(axes * self.scale, 0.5), strict=True):
            angle = tilt + self.rng.normal(0, 6)
            box = (tuple(map(float, centre)), tuple(map(float, 2 * half)), float(angle))
            cv2.ellipse(mask, box, 1.0, -1, cv2.LINE_AA)
        return mask

    def strokes(self, points: NDArray[np.float64], width: float) -> Grey:
        """Return a mask of one open polyline through points [n,2] (x, y) in native pixels."""
        mask = np.zeros_like(self.grey)
        corners = np.round(points * self.scale * 16).astype(np.int32)  # 4 fractional bits
        cv2.polylines(mask, [corners.reshape(-1, 1, 2)], False, 1.0, max(1, round(width * self.scale)), cv2.LINE_AA, 4)
        return mask

    def anywhere(self, count: int) -> NDArray[np.float64]:
        """Draw `count` points (x, y) over the whole picture, in native pixels."""
        return self.rng.uniform(0, NATIVE_SIZE, (count, 2))

    def picture(self) -> Picture:
        """Return the pixels, uint8 [size,size]."""
        return np.clip(np.rint(self.grey), 0, 255).astype(np.uint8)


def _crazing(sheet: Sheet) -> None:
    """A net of fine dark cracks, mostly across, on a grainy ground."""
    sheet.roll(sheet.between(95, 165), grain=sheet.between(17, 24), bands=10, light=12)
    cracks = np.zeros_like(sheet.grey)
    for start in sheet.anywhere(int(sheet.rng.integers(22, 45))):
        steps = int(sheet.rng.integers(4, 14))
        walk = np.cumsum(np.column_stack([sheet.rng.uniform(1.5, 5, steps), sheet.rng.normal(0, 2.6, steps)]), axis=0)
        cracks = np.maximum(cracks, sheet.strokes(start + walk, 1.2) * np.float32(sheet.between(0.5, 1)))
    sheet.darken(cracks, sheet.between(50, 85), soft=0.5)
    count = int(sheet.rng.integers(0, 5))
    sheet.darken(sheet.ellipses(sheet.anywhere(count), sheet.rng.uniform(1.5, 4, (count, 2)), 20), 70, soft=0.6)


def _inclusion(sheet: Sheet) -> None:
    """Dark spindles drawn out along the rolling direction, in one to three rows, on a smooth ground."""
    level = sheet.between(65, 185)
    sheet.roll(level, grain=sheet.between(3, 5), bands=4, light=8)
    for column in sheet.rng.uniform(20, 180, int(sheet.rng.integers(1, 4))):
        count = int(sheet.rng.integers(2, 7))
        centres = np.column_stack([sheet.rng.normal(column, 5, count), sheet.rng.uniform(0, NATIVE_SIZE, count)])
        axes = np.column_stack([sheet.rng.uniform(1.5, 5, count), sheet.rng.uniform(8, 34, count)])
        sheet.darken(sheet.ellipses(centres, axes, 0), level * sheet.between(0.25, 0.55), soft=sheet.between(0.6, 1.6))
    if sheet.rng.random() < 0.2:
        sheet.grey = np.ascontiguousarray(sheet.grey.T)


def _patches(sheet: Sheet) -> None:
    """Large dark patches with ragged edges on a bright, coarse ground that partly saturates."""
    level = sheet.between(150, 230)
    sheet.roll(level, grain=sheet.between(22, 32), bands=12, light=16)
    ground = sheet.coarse_noise(sheet.between(32, 50), sheet.between(45, 75)) + 0.1 * sheet.noise(2, 2)
    edge = np.quantile(ground, sheet.between(0.62, 0.85))
    patch = np.clip((ground - edge) / 0.6 + 0.5, 0, 1).astype(np.float32)
    dark = sheet.between(45, 75) + 9 * sheet.noise(0.4, 0.4)
    sheet.grey = np.asarray(sheet.grey * (1 - patch) + dark * patch, np.float32)
    count = int(sheet.rng.integers(0, 12))
    spots = sheet.rng.normal(sheet.anywhere(1), 22, (count, 2))
    sheet.darken(sheet.ellipses(spots, sheet.rng.uniform(1, 4, (count, 2)), 0), 110, soft=0.4)


def _pitted(sheet: Sheet) -> None:
    """Many small round pits, denser in some places, on a bright and even ground."""
    level = sheet.between(130, 225)
    sheet.roll(level, grain=sheet.between(3, 6), bands=5, light=sheet.between(8, 25))
    size = sheet.between(0.9, 1.9)
    field = sheet.noise(size, size * sheet.between(1, 1.4)) + 0.5 * sheet.coarse_noise(60, 120)
    pits = np.clip((field - sheet.between(0.8, 1.5)) / 0.9, 0, 1).astype(np.float32)
    sheet.darken(pits, level * sheet.between(0.22, 0.4))
    count = int(sheet.rng.integers(0, 25))
    large = sheet.ellipses(sheet.anywhere(count), sheet.rng.uniform(1.5, 4.5, (count, 2)), 0)
    sheet.darken(large, level * sheet.between(0.25, 0.4), soft=0.8)


def _rolled(sheet: Sheet) -> None:
    """Flakes of scale pressed in: clusters of small dark dashes across, on a brushed ground of middle grey."""
    level = sheet.between(85, 155)
    sheet.roll(level, grain=sheet.between(6, 9), bands=8, light=8)
    sheet.grey += 6 * sheet.noise(5, 0.6)
    for cluster in sheet.anywhere(int(sheet.rng.integers(2, 6))):
        count = int(sheet.rng.integers(6, 18))
        centres = sheet.rng.normal(cluster, sheet.between(12, 28), (count, 2))
        axes = np.column_stack([sheet.rng.uniform(2.5, 6, count), sheet.rng.uniform(1, 2.4, count)])
        tilt = sheet.between(-25, 5)
        sheet.darken(sheet.ellipses(centres - np.array([0, 2.5]), axes, tilt), -level * 0.1, soft=1.2)
        sheet.darken(sheet.ellipses(centres, axes, tilt), level * sheet.between(0.3, 0.5), soft=0.9)


def _scratches(sheet: Sheet) -> None:
    """Bright lines of changing strength along, across or, seldom, at an angle, on a dark and smooth ground."""
    sheet.roll(sheet.between(45, 115), grain=sheet.between(3, 5), bands=5, light=8)
    lie = sheet.rng.choice([0.0, 90.0, sheet.between(0, 180)], p=[0.25, 0.55, 0.2])
    for middle in sheet.rng.uniform(35, 165, (int(sheet.rng.integers(1, 5)), 2)):
        angle = np.deg2rad(lie + sheet.rng.normal(0, 3))
        along = np.linspace(-1, 1, 12)[:, None] * sheet.between(45, 220) * np.array([np.cos(angle), np.sin(angle)])
        line = sheet.strokes(middle + along + sheet.rng.normal(0, 0.5, along.shape), sheet.between(1, 5))
        strength = np.clip(0.75 + 0.3 * sheet.noise(1, 1) * sheet.coarse_noise(40, 40), 0.1, 1.2).astype(np.float32)
        sheet.darken(line * strength, -sheet.between(60, 150), soft=0.6)


def defects() -> dict[str, Callable[[Sheet], None]]:
    """Return the classes and how each is drawn, in label-index order."""
    return {
        "Crazing": _crazing,
        "Inclusion": _inclusion,
        "Patches": _patches,
        "Pitted": _pitted,
        "Rolled": _rolled,
        "Scratches": _scratches,
    }


def draw(label: str, number: int, seed: int, size: int = NATIVE_SIZE) -> Picture:
    """Draw picture `number` (from 1) of a class: uint8 [size,size] grey.

    Raises:
        DataError: an unknown class, or a size below 16 pixels.
    """
    painters = defects()
    if label not in painters:
        raise DataError(f"no class {label!r} to draw; there are {', '.join(painters)}")
    if size < SMALLEST_SIZE:
        raise DataError(f"a drawn picture has at least {SMALLEST_SIZE} pixels a side, not {size}")
    sheet = Sheet(size, np.random.default_rng([seed, list(painters).index(label), number]))
    painters[label](sheet)
    return sheet.picture()


def write_drawn(folder: Path, count: int, seed: int, size: int = NATIVE_SIZE, suffix: str = ".png") -> Iterator[Record]:
    """Write `count` pictures as FOLDER/<Class>/<class>_<n><suffix>, the classes in turn; yield each once it is on disk.

    Raises:
        DataError: as `draw`; or a picture cannot be written.
    """
    labels = list(defects())
    for position in range(count):
        label, number = labels[position % len(labels)], position // len(labels) + 1
        path = folder / label / f"{label.lower()}_{number}{suffix}"
        _write(path, draw(label, number, seed, size))
        yield Record(path, (label,))


def encode(picture: Picture, suffix: str = ".png") -> bytes:
    """Return the picture as a file's bytes, in the format of the suffix (.png or .jpg)."""
    written, data = cv2.imencode(suffix, picture)
    if not written:
        raise DataError(f"pictures cannot be written as {suffix}")
    return data.tobytes()


def _write(path: Path, picture: Picture) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(picture, path.suffix))
    except OSError as exc:
        raise DataError(f"{path}: cannot be written ({exc.strerror})") from exc
