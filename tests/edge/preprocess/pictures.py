"""Seeded pictures and their encodings for the tests: texture, edges and full contrast, so that a wrong pixel shows."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Encode = Callable[[NDArray[np.uint8]], bytes]


def pixels(width: int, height: int, *, seed: int = 1) -> NDArray[np.uint8]:
    """A textured picture [height, width, 3] in RGB with values 0..255."""
    rng = np.random.default_rng([seed, width, height])
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / (3 + c) + c) * np.cos(y / (5 - c)) for c in range(3)], axis=-1)
    noisy = 128 + 90 * waves + rng.normal(0, 40, (height, width, 3))
    noisy[rng.random((height, width)) < 0.02] = 255
    return np.clip(noisy, 0, 255).astype(np.uint8)


def saved(image: Image.Image, fmt: str, **options: Any) -> bytes:
    """``image`` in an encoded form."""
    buffer = io.BytesIO()
    image.save(buffer, fmt, **options)
    return buffer.getvalue()


def pillow(fmt: str, mode: str = "RGB", **options: Any) -> Encode:
    """An encoder by Pillow, after a conversion to ``mode``."""
    return lambda array: saved(Image.fromarray(array).convert(mode), fmt, **options)


def with_alpha(fmt: str, **options: Any) -> Encode:
    """An encoder with an alpha channel that is nowhere the same."""

    def encode(array: NDArray[np.uint8]) -> bytes:
        alpha = np.arange(array.shape[0] * array.shape[1]).reshape(array.shape[:2]) % 256
        return saved(Image.fromarray(np.dstack([array, alpha.astype(np.uint8)]), "RGBA"), fmt, **options)

    return encode


def turned(orientation: int) -> Encode:
    """A JPEG whose EXIF asks for a rotation or mirroring (1..8)."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return pillow("JPEG", exif=exif, quality=92)


def palette(fmt: str, **options: Any) -> Encode:
    """A picture of 64 colours by index."""
    return lambda array: saved(Image.fromarray(array).quantize(64), fmt, **options)


def deep_grey(fmt: str) -> Encode:
    """16 bits of grey."""
    return lambda array: saved(Image.fromarray(array[..., 0].astype(np.uint16) * 257 // 3), fmt)


def deep_colour(suffix: str) -> Encode:
    """3 x 16 bits, which Pillow reads but does not write."""
    return lambda array: bytes(cv2.imencode(suffix, array[..., ::-1].astype(np.uint16) * 257)[1].tobytes())


def animated(fmt: str, **options: Any) -> Encode:
    """Three frames, the first of which counts."""

    def encode(array: NDArray[np.uint8]) -> bytes:
        frames = [Image.fromarray(a) for a in (array, 255 - array, np.zeros_like(array))]
        return saved(frames[0], fmt, save_all=True, append_images=frames[1:], duration=50, **options)

    return encode


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds next to nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def jpeg_header(width: int, height: int) -> bytes:
    """A JPEG of 8 x 8 pixels whose frame header promises another size."""
    data = pillow("JPEG")(pixels(8, 8))
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def bmp_header(width: int, height: int) -> bytes:
    """A BMP of 8 x 8 pixels whose header promises another size."""
    data = pillow("BMP")(pixels(8, 8))
    return data[:18] + struct.pack("<ii", width, height) + data[26:]


def gif_header(width: int, height: int) -> bytes:
    """A GIF of 8 x 8 pixels whose screen promises another size."""
    data = pillow("GIF", "P")(pixels(8, 8))
    return data[:6] + struct.pack("<HH", width, height) + data[10:]


def tiff_header(width: int, height: int) -> bytes:
    """A TIFF of 8 x 8 pixels whose tags promise another size."""
    data = pillow("TIFF")(pixels(8, 8))
    for tag, value in ((256, width), (257, height)):
        at = data.index(struct.pack("<HHI", tag, 4, 1))
        data = data[: at + 8] + struct.pack("<I", value) + data[at + 12 :]
    return data


def webp_header(width: int, height: int) -> bytes:
    """A WebP in the extended form whose canvas promises a size."""
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + canvas + bytes(64)
    return b"RIFF" + struct.pack("<I", len(body)) + body
