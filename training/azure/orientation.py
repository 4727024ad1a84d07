"""The orientation that a JPEG's EXIF block tells, and a picture turned by it.

AutoML's classifiers ignore it, as the edge does; OpenCV, viewers and some servers turn the picture.
"""

import struct

import numpy as np
from numpy.typing import NDArray

UPRIGHT = 1
TAG = 0x0112
SCANS = 0xDA


def orientation_of(data: bytes) -> int:
    """Return EXIF's orientation of an encoded picture, 1..8; 1 (upright) for all that has none."""
    block = _exif(data)
    try:
        return _tag(block) if block else UPRIGHT
    except struct.error:
        return UPRIGHT


def turned(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return the picture [height, width, 3] as a viewer shows it."""
    flipped = {
        2: pixels[:, ::-1],
        4: pixels[::-1],
        5: pixels.transpose(1, 0, 2),
        7: pixels[::-1, ::-1].transpose(1, 0, 2),
    }
    quarters = {3: 2, 6: 3, 8: 1}
    found = flipped[orientation] if orientation in flipped else np.rot90(pixels, quarters.get(orientation, 0))
    return np.ascontiguousarray(found)


def _exif(data: bytes) -> bytes:
    """Return the TIFF part of a JPEG's EXIF segment, empty where there is none."""
    place = 2
    while data[:2] == b"\xff\xd8" and place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != SCANS:
        length = int.from_bytes(data[place + 2 : place + 4])
        segment = data[place + 4 : place + 2 + length]
        if data[place + 1] == 0xE1 and segment.startswith(b"Exif\0\0"):
            return segment[6:]
        place += 2 + length
    return b""


def _tag(block: bytes) -> int:
    """Return the tag's value from the first directory. Raises struct.error for a block that is cut off."""
    order = ">" if block[:2] == b"MM" else "<"
    (start,) = struct.unpack_from(f"{order}I", block, 4)
    (count,) = struct.unpack_from(f"{order}H", block, start)
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag, _, _, value = struct.unpack_from(f"{order}HHIH", block, entry)
        if tag == TAG:
            return int(value) if 1 <= value <= 8 else UPRIGHT
    return UPRIGHT
