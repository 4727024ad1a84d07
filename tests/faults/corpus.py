"""Whole pictures to spoil: drawn here in every format that is decoded, and real ones where they lie at hand.

The real pictures are read from ``NEU_DATA`` or from the folder of shared data beside the checkout; they are never
copied into the project.
"""

import io
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "neu-surface-defects" / "images"
REAL_PICTURES = 24
SIZES = ((16, 16), (48, 48), (97, 61), (200, 200))

Draw = Callable[[Image.Image], bytes]


def _saved(kind: str, mode: str | None = None, **options: Any) -> Draw:
    def draw(image: Image.Image) -> bytes:
        buffer = io.BytesIO()
        (image.convert(mode) if mode else image).save(buffer, kind, **options)
        return buffer.getvalue()

    return draw


def _frames(kind: str, **options: Any) -> Draw:
    def draw(image: Image.Image) -> bytes:
        buffer = io.BytesIO()
        others = [image.rotate(90), image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
        image.save(buffer, kind, save_all=True, append_images=others, **options)
        return buffer.getvalue()

    return draw


def _sixteen_bit(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257).save(buffer, "PNG")
    return buffer.getvalue()


def _with_exif(image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "part 7"
    return _saved("JPEG", exif=exif, icc_profile=b"\0" * 200, comment=b"by the line camera")(image)


DRAWN: dict[str, Draw] = {
    "jpeg": _saved("JPEG", quality=90),
    "jpeg-grey": _saved("JPEG", "L"),
    "jpeg-progressive": _saved("JPEG", progressive=True, optimize=True),
    "jpeg-cmyk": _saved("JPEG", "CMYK"),
    "jpeg-restarts": _saved("JPEG", restart_marker_blocks=4, subsampling=0),
    "jpeg-exif": _with_exif,
    "png": _saved("PNG"),
    "png-alpha": _saved("PNG", "RGBA"),
    "png-palette": _saved("PNG", "P", transparency=3),
    "png-16-bit": _sixteen_bit,
    "png-1-bit": _saved("PNG", "1"),
    "png-frames": _frames("PNG"),
    "bmp": _saved("BMP"),
    "bmp-palette": _saved("BMP", "P"),
    "gif": _saved("GIF", "P"),
    "gif-frames": _frames("GIF"),
    "webp": _saved("WEBP"),
    "webp-lossless": _saved("WEBP", "RGBA", lossless=True),
    "webp-frames": _frames("WEBP"),
    "tiff": _saved("TIFF"),
    "tiff-lzw": _saved("TIFF", compression="tiff_lzw"),
    "tiff-deflate": _saved("TIFF", compression="tiff_adobe_deflate"),
    "tiff-jpeg": _saved("TIFF", compression="jpeg"),
    "tiff-fax": _saved("TIFF", "1", compression="group4"),
    "tiff-frames": _frames("TIFF", compression="packbits"),
}
"""How each kind of file is written: formats, colour modes, compressions, several frames."""


def drawn_pictures(seed: int) -> dict[str, bytes]:
    """Return one whole file of every kind and size, by a name such as ``png-alpha-48x48``. The same for a seed."""
    return dict(_drawn(seed))


def _drawn(seed: int) -> Iterator[tuple[str, bytes]]:
    rng = np.random.default_rng(seed)
    for width, height in SIZES:
        grain = rng.integers(0, 256, (height, width, 3), np.uint8)
        light = np.linspace(0, 255, width, dtype=np.uint8)[np.newaxis, :, np.newaxis]
        image = Image.fromarray((grain // 4 + light // 4 * 3).astype(np.uint8))
        for name, draw in DRAWN.items():
            yield f"{name}-{width}x{height}", draw(image)


def real_pictures(seed: int) -> dict[str, bytes]:
    """Return some photographs of steel by their file names; empty where none lie at hand."""
    folder = Path(os.environ.get("NEU_DATA", SHARED))
    files = sorted(folder.rglob("*.jpg")) if folder.is_dir() else []
    chosen = random.Random(seed).sample(files, min(REAL_PICTURES, len(files)))
    return {file.name: file.read_bytes() for file in chosen}


def corpus(seed: int) -> dict[str, bytes]:
    """Return everything there is to spoil, by name."""
    return drawn_pictures(seed) | real_pictures(seed)
