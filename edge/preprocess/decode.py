"""Bytes to pixels, as ``PIL.Image.open(...).convert("RGB")`` gives them; the header is judged before decoding.

EXIF orientation is not applied, alpha is dropped, grey is widened, of an animation the first frame counts, and 16-bit,
CMYK, palette and 1-bit pictures become what Pillow makes of them: so the models were trained, and so they are served.

The format is told by its signature and handed to that one Pillow parser. ``Image.open`` would try others too and apply
the process-wide ``Image.MAX_IMAGE_PIXELS`` with a warning; here the limit is an argument.
"""

import ctypes
import io
import re
import traceback
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from edge.errors import ImageDecodeError, ImageTooLargeError, InputError
from edge.preprocess.headers import check_scans, check_structure

MAX_PIXELS = 100_000_000
"""Default of the largest width x height that is decoded."""

SUFFIXES = frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".gif", ".webp"))
"""The suffixes, in lower case, of files that hold such pictures: AutoML's own, and those of GIF and WebP."""

FORMATS: tuple[tuple[re.Pattern[bytes], type[ImageFile]], ...] = (
    (re.compile(rb"\xff\xd8\xff"), JpegImageFile),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), PngImageFile),
    (re.compile(rb"BM"), BmpImageFile),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), TiffImageFile),
    (re.compile(rb"GIF8[79]a"), GifImageFile),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), WebPImageFile),
)
"""How a file begins, and the parser for it. A JPEG with several pictures in it (MPO) gives its first."""

BLOCK_BYTES = 64 << 20
"""How much memory Pillow asks for in one piece. Above 32 MiB glibc takes it from the system, untouched, and gives it
back at once; of Pillow's own 16 MiB pieces it would keep a large picture's for itself."""


@cache
def _set_up_pillow() -> None:
    """Set the size of its blocks, and keep libtiff from telling of every bad file on standard error, past the log.

    Both hold for the whole process, so that they are set with the first picture and not by an import. Pillow raises
    what libtiff says.
    """
    Image.core.set_block_size(BLOCK_BYTES)  # type: ignore[attr-defined]  # in Pillow's handbook, not in its stubs
    with suppress(AttributeError, OSError):  # a Pillow without libtiff, or one that hides it
        library = ctypes.CDLL(Image.core.__file__)  # type: ignore[attr-defined]  # its extension module, as above
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)


def decode(image: bytes | NDArray[np.uint8], *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Return the picture as uint8 [height, width, 3] in RGB, values 0..255.

    ``image`` is an encoded picture (JPEG, PNG, BMP, TIFF, GIF, WebP) or already such an array. Raises ImageDecodeError
    for bytes that are no picture or only part of one, ImageTooLargeError for more than ``max_pixels`` pixels.
    """
    if not isinstance(image, bytes):
        return checked(image, max_pixels=max_pixels)
    return np.asarray(load(image, max_pixels=max_pixels).convert("RGB"))


def picture(image: bytes | NDArray[np.uint8], *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Return the decoded picture in Pillow's mode ``L`` where it is grey, else ``RGB``. Raises as :func:`decode`.

    Grey stays one channel, so that resizing costs a third; widening afterwards gives the same pixels.
    """
    if isinstance(image, bytes):
        return load(image, max_pixels=max_pixels)
    return Image.fromarray(checked(image, max_pixels=max_pixels))


def checked(array: Any, *, max_pixels: int) -> NDArray[np.uint8]:
    """Return ``array`` if it is uint8 [height, width, 3] and not empty. Raises ImageDecodeError, ImageTooLargeError."""
    if not isinstance(array, np.ndarray):
        raise ImageDecodeError(f"a picture is bytes or a uint8 array [height, width, 3], not {type(array).__name__}")
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        found = f"{array.dtype} {list(array.shape)}"
        raise ImageDecodeError(f"a decoded picture must be a uint8 array [height, width, 3], not {found}")
    _check_size(array.shape[1], array.shape[0], max_pixels)
    return array


def load(data: bytes, *, max_pixels: int) -> Image.Image:
    """Return the decoded picture in mode ``L`` or ``RGB``. Raises as :func:`decode`."""
    _set_up_pillow()
    parser = _parser(data)
    try:
        check_structure(data)
        return _load(parser(io.BytesIO(data)), data, max_pixels)
    except InputError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise ImageTooLargeError(
            f"the {parser.format} picture is too large (limit {max_pixels:,} pixels): {exc}"
        ) from exc
    except MemoryError as exc:
        traceback.clear_frames(exc.__traceback__)
        raise ImageTooLargeError("there is not enough memory to decode the picture: send a smaller one") from exc
    except Exception as exc:  # Pillow's parsers fail in many ways: SyntaxError, struct.error, KeyError, OSError ...
        traceback.clear_frames(exc.__traceback__)  # who keeps the error must not keep 400 MB of pixels with it
        raise ImageDecodeError(f"the {parser.format} picture is damaged or cut off: {exc}") from exc


def _parser(data: bytes) -> type[ImageFile]:
    if not data:
        raise ImageDecodeError("the picture is empty (0 bytes)")
    for signature, parser in FORMATS:
        if signature.match(data):
            return parser
    known = ", ".join(str(parser.format) for _, parser in FORMATS)
    raise ImageDecodeError(f"the {len(data):,} bytes do not begin like a picture of a known format ({known})")


def _load(opened: ImageFile, data: bytes, max_pixels: int) -> Image.Image:
    _check_size(opened.width, opened.height, max_pixels)
    check_scans(opened, data)
    # One call of the decoder instead of one for every 64 KiB; what WebP's gives is unpacked already.
    opened.decodermaxblock = max(len(data), 4 * opened.width * opened.height if opened.format == "WEBP" else 0)
    opened.load()
    if opened.mode in ("L", "RGB"):
        return opened
    # A palette's transparency does not change the colours, but Pillow would warn about it.
    opened.info.pop("transparency", None)
    return opened.convert("RGB")


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ImageTooLargeError(
            f"the picture has {width:,} x {height:,} = {width * height:,} pixels, the limit is {max_pixels:,}: "
            "send a smaller one or raise http.max_megapixels"
        )
