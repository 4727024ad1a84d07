"""Resizes part of a picture, as if the whole had been resized and the part cut out of it.

Two ways with the same weights, each within one grey level of that: Pillow's own, and cykooz_resizer (Rust, SIMD), which
takes a quarter of the time and is installed where there is a wheel of it. It reads the memory of Pillow's images, laid
out as Pillow's major version has it, so it is used only with those versions that it and our tests know.
"""

from collections.abc import Callable
from types import ModuleType

import PIL
from PIL import Image

try:
    import cykooz_resizer  # type: ignore[import-untyped,unused-ignore]  # carries no marker of its types
except ImportError:
    cykooz_resizer = None

SIMD_PILLOWS = ("12", "13")
"""Major versions of Pillow whose images cykooz_resizer reads."""
WHOLE_PIXELS = 4_000_000
"""Pixels of an enlarged picture up to which Pillow computes all of it: the weights of a ``box`` then tie too often."""
FINE_EDGE = 4096
"""Longest edge in pixels up to which a ``box`` in Pillow's single precision is exact enough at any scale."""
COARSE_SCALE = 8
"""Source pixels a pixel from which on such a ``box`` is exact enough for every picture."""
REACH = 4
"""Source pixels beyond the box that a filter may use, in units of the scale (bicubic uses 2)."""

Size = tuple[int, int]
"""Width and height in pixels."""
Part = tuple[int, int, int, int]
"""Left, top, right, bottom in the resized picture's pixels."""
Box = tuple[float, float, float, float]
"""Left, top, right, bottom in the picture's pixels."""
Resample = Callable[[Image.Image, Size, Part, Image.Resampling], Image.Image]
"""Returns a part of a picture (mode ``L`` or ``RGB``) resized to a size, by a filter."""


def by_pillow(source: Image.Image, size: Size, part: Part, resample: Image.Resampling) -> Image.Image:
    """Return ``part`` of ``source`` resized to ``size``, by Pillow, which computes little else."""
    box = _box(source, size, part)
    scale = max(source.width / size[0], source.height / size[1])
    if scale < 1 and size[0] * size[1] <= WHOLE_PIXELS:
        return source.resize(size, resample).crop(part)
    if max(source.size) > FINE_EDGE and scale < COARSE_SCALE:
        source, box = _cut(source, box, REACH * max(scale, 1))
    return source.resize((part[2] - part[0], part[3] - part[1]), resample, box=box)


def by_simd(source: Image.Image, size: Size, part: Part, resample: Image.Resampling) -> Image.Image:
    """Return ``part`` of ``source`` resized to ``size``: bilinear by cykooz_resizer, with another filter by Pillow."""
    if resample is not Image.Resampling.BILINEAR:
        return by_pillow(source, size, part, resample)
    left, top, right, bottom = _box(source, size, part)
    options = cykooz_resizer.ResizeOptions(
        cykooz_resizer.ResizeAlg.convolution(cykooz_resizer.FilterType.bilinear),
        crop_box=cykooz_resizer.CropBox(left, top, right - left, bottom - top),
    )
    resized = Image.new(source.mode, (part[2] - part[0], part[3] - part[1]))
    cykooz_resizer.Resizer().resize_pil(source, resized, options)
    return resized


def quickest(simd: ModuleType | None, pillow: str) -> Resample:
    """Return the quickest way for what is installed: the module or None, and Pillow's version."""
    return by_simd if simd is not None and pillow.partition(".")[0] in SIMD_PILLOWS else by_pillow


QUICKEST = quickest(cykooz_resizer, PIL.__version__)
"""The way that this machine takes."""


def _box(source: Image.Image, size: Size, part: Part) -> Box:
    across, down = source.width / size[0], source.height / size[1]
    return part[0] * across, part[1] * down, min(part[2] * across, source.width), min(part[3] * down, source.height)


def _cut(source: Image.Image, box: Box, margin: float) -> tuple[Image.Image, Box]:
    """Return what surrounds ``box``, and ``box`` in its coordinates: small numbers are exact in single precision."""
    left, top = max(0, int(box[0] - margin)), max(0, int(box[1] - margin))
    right, bottom = min(source.width, int(box[2] + margin) + 1), min(source.height, int(box[3] + margin) + 1)
    return source.crop((left, top, right, bottom)), (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
