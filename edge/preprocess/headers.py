"""What a picture's structure may ask of a decoder, told from its headers: bounds that no honest file comes near.

Pixels are bounded elsewhere. Here it is the rest that can make a small file dear: tables, profiles and passes over the
same pixels that a parser works through one by one.
"""

import struct

from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from edge.errors import ImageTooLargeError

MAX_CHUNKS = 20_000
"""Most chunks of a PNG; of 8 KiB each, they hold 160 MB."""
MAX_PROFILES = 1
"""Most colour profiles of a PNG (PNG 3, 11.3.2.3); each may unpack to a megabyte."""
MAX_ENTRIES = 200_000
"""Most values of one field of a TIFF: strips of one row each would make a picture that high."""
MAX_SCANS = 32
"""Most scans of a JPEG; each is a pass over all pixels. Encoders make about ten."""

_PNG_HEAD = 8
_BYTES_TYPES = frozenset((1, 2, 6, 7))  # BYTE, ASCII, SBYTE, UNDEFINED (TIFF 6.0, section 2): kept as they are


def check_structure(data: bytes) -> None:
    """Raise ImageTooLargeError where a PNG or TIFF holds more parts than any decoder should work through."""
    if data.startswith(b"\x89PNG"):
        _check_png(data)
    elif data[:2] in (b"II", b"MM"):
        _check_tiff(data)


def check_scans(opened: ImageFile, data: bytes) -> None:
    """Raise ImageTooLargeError where a JPEG that is just opened, and not yet loaded, has too many scans.

    A baseline JPEG whose first scan has all components is read no further; only others are counted.
    """
    if not isinstance(opened, JpegImageFile) or (not opened.info.get("progressive") and _scan_is_whole(opened, data)):
        return
    scans = data.count(b"\xff\xda")
    if scans > MAX_SCANS:
        raise ImageTooLargeError(f"the JPEG picture has {scans:,} scans, the limit is {MAX_SCANS}: save it anew")


def _scan_is_whole(opened: JpegImageFile, data: bytes) -> bool:
    """Tell whether the scan whose header was just read has all components (ITU-T T.81, B.2.3)."""
    components: int = opened.layers
    length = 6 + 2 * components
    start = opened.fp.tell() - length if opened.fp else 0
    return data[start : start + 3] == struct.pack(">HB", length, components)


def _check_png(data: bytes) -> None:
    place, chunks, profiles = _PNG_HEAD, 0, 0
    while place + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        chunks += 1
        profiles += kind == b"iCCP"
        if chunks > MAX_CHUNKS or profiles > MAX_PROFILES:
            what = f"{MAX_CHUNKS:,} chunks" if chunks > MAX_CHUNKS else "one colour profile"
            raise ImageTooLargeError(f"the PNG picture has more than {what}: save it anew")
        place += 12 + size


def _check_tiff(data: bytes) -> None:
    order = "<" if data.startswith(b"II") else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    try:
        (first,) = struct.unpack_from(f"{order}Q" if big else f"{order}I", data, 8 if big else 4)
        (fields,) = struct.unpack_from(f"{order}Q" if big else f"{order}H", data, first)
        for number in range(min(fields, 1 << 16)):
            place = first + (8 + 20 * number if big else 2 + 12 * number)
            tag, kind, count = struct.unpack_from(f"{order}HHQ" if big else f"{order}HHI", data, place)
            if count > MAX_ENTRIES and kind not in _BYTES_TYPES:
                raise ImageTooLargeError(
                    f"the TIFF picture has {count:,} values in field {tag}, the limit is {MAX_ENTRIES:,}: save it anew"
                )
    except struct.error:
        return  # cut off: the parser says so
