"""Seeded, textured JPEGs: noise in octaves, soft light, hard edges, sensor noise; no picture is like another."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Size = tuple[int, int]
"""Width and height in pixels."""
VGA: Size = (640, 480)
HD: Size = (1280, 720)
FULL_HD: Size = (1920, 1080)
QUALITY = 90


def jpegs(size: Size, count: int, *, seed: int = 1) -> list[bytes]:
    """Return ``count`` encoded pictures of ``size``, JPEG 4:2:0 at quality 90, some 2 bits a pixel."""
    return [_encoded(_drawn(size, np.random.default_rng([seed, *size, number]))) for number in range(count)]


def _encoded(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def _drawn(size: Size, rng: np.random.Generator) -> NDArray[np.uint8]:
    width, height = size
    canvas = Image.new("RGB", size, tuple(int(v) for v in rng.integers(60, 190, 3)))
    draw = ImageDraw.Draw(canvas)
    for _ in range(12):
        x, y, w, h = rng.random(4) * (width, height, width / 4, height / 4)
        fill = tuple(int(v) for v in rng.integers(10, 245, 3))
        (draw.rectangle if rng.random() < 0.5 else draw.ellipse)([x, y, x + w, y + h], fill=fill)
    light = 0.7 + 0.3 * np.cos(np.linspace(-1, 1.5, width) * rng.uniform(1, 2))
    pixels = np.asarray(canvas, np.float32) * light[np.newaxis, :, np.newaxis]
    pixels += _texture(size, rng)[..., np.newaxis] * (1.0, 0.9, 1.1)
    pixels += rng.normal(0, 4, pixels.shape)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def _texture(size: Size, rng: np.random.Generator) -> NDArray[np.float32]:
    """Value noise: random grids of halving step, each weaker than the one before."""
    width, height = size
    total = np.zeros((height, width), np.float32)
    step, strength = 128, 26.0
    while step >= 2:
        grid = rng.normal(0, 1, (height // step + 2, width // step + 2)).astype(np.float32)
        total += strength * np.asarray(Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC))
        step, strength = step // 2, strength * 0.72
    return total
