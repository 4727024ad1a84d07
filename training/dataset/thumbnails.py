"""Small copies of pictures, for people: decoded as everywhere, shrunk, and as JPEG for pages."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import InputError
from edge.preprocess.decode import decode
from training.dataset.records import read_bytes
from training.errors import DataError

Pixels = NDArray[np.uint8]
SIDE = 192
"""The longer side of a thumbnail, in pixels."""
SEEN = 48
"""Pictures with no longer side than this are enlarged, pixel by pixel, or nobody would see what is on them."""
QUALITY = 85


def thumbnail(picture: Path | bytes, side: int = SIDE) -> Pixels:
    """Return a picture as uint8 [height, width, 3] in RGB, its longer side at most ``side`` pixels.

    Raises:
        DataError: the file cannot be read, or is no whole picture within the limits; the text says what is wrong.
    """
    data = picture if isinstance(picture, bytes) else read_bytes(picture)
    try:
        return shrunk(decode(data), side)
    except InputError as exc:
        raise DataError(str(exc)) from exc


def shrunk(pixels: Pixels, side: int = SIDE) -> Pixels:
    """Return pixels [height, width, 3] with the longer side at most ``side``; tiny ones enlarged by a whole factor."""
    height, width = pixels.shape[:2]
    longer = max(height, width)
    if longer <= SEEN:
        return pixels.repeat(side // longer, axis=0).repeat(side // longer, axis=1)
    if longer <= side:
        return pixels
    size = (max(1, round(width * side / longer)), max(1, round(height * side / longer)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def jpeg(pixels: Pixels) -> bytes:
    """Return pixels, uint8 [height, width, 3] in RGB, as a JPEG file."""
    written, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not written:
        raise DataError(f"pixels {list(pixels.shape)} cannot be written as JPEG")
    return data.tobytes()
