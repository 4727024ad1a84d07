"""Looks at every picture's file: its content, format and size, and whether it is whole."""

import hashlib
import os
import struct
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np

from edge.errors import ImageTooLargeError, InputError
from edge.preprocess.decode import FORMATS, picture
from training.dataset.annotations import Picture, Size
from training.dataset.locate import AUTOML_SUFFIXES
from training.dataset.sight import Sight, sight_of
from training.errors import DataError

SUFFIX_OF: Mapping[str, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
}
"""The formats that AutoML takes, by Pillow's names, and their suffixes."""
ORIENTATION = 0x0112
"""The EXIF tag that tells how a picture is to be turned when it is shown."""
REDUCED_SIDE = 512
"""A picture of whose shorter side this is a part is reduced by a whole factor before it is compared with others."""
AHEAD = 64
"""How many pictures are handed out to the threads at once."""

Fault = Literal["missing", "unreadable", "damaged", "format", "huge"]


@dataclass(frozen=True, slots=True)
class Looked:
    """What a picture's file shows. With a ``fault`` the rest may be empty; ``turned`` is that EXIF wants it turned."""

    sha256: str = ""
    size: Size = (0, 0)
    format: str = ""
    suffix_fits: bool = True
    turned: bool = False
    bytes: int = 0
    fault: Fault | None = None
    why: str = ""
    sight: Sight | None = field(default=None, compare=False, repr=False)


def look_at(
    pictures: Sequence[Picture], looked: Callable[[int], object] = lambda _: None, *, features: bool = False
) -> list[Looked]:
    """Look at every picture, in their order, all cores at work; ``looked`` hears how many are done.

    A picture that is not here has the fault ``missing``. Of the pixels a kilobyte is kept, and with ``features`` half
    as much beside.
    """
    found: list[Looked] = []
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count() or 1, "look") as workers:
        warnings.filterwarnings("ignore", module=r"PIL\.")  # of metadata, which nobody trains on
        todo = iter(pictures)
        while some := list(islice(todo, AHEAD)):
            found.extend(workers.map(partial(look, features=features), some))
            looked(len(found))
    return found


def look(wanted: Picture, *, features: bool = False) -> Looked:
    """Look at one picture's file."""
    if wanted.source is None:
        return Looked(fault="missing", why="no such file")
    try:
        data = wanted.source.read_bytes()
    except OSError as exc:
        return Looked(fault="unreadable", why=exc.strerror or str(exc))
    return _decoded(data, wanted.source.suffix.lower(), features=features)


def _decoded(data: bytes, suffix: str, *, features: bool) -> Looked:
    """Look at a file's bytes; its pixels are made, for only so a picture that is cut off is known, and let go."""
    digest, kind = hashlib.sha256(data).hexdigest(), _kind(data)
    refused = kind if kind and kind not in SUFFIX_OF else "" if suffix in AUTOML_SUFFIXES else suffix or "no suffix"
    if refused:
        return Looked(digest, bytes=len(data), fault="format", why=f"{refused}, which AutoML does not take")
    try:
        opened = picture(data)
        # reduced first where it is large: an array of 100 megapixels would be 300 MB more
        few = opened.reduce(max(1, min(opened.size) // REDUCED_SIDE))
    except ImageTooLargeError:
        return Looked(digest, bytes=len(data), fault="huge", why="too large to be decoded")
    except InputError as exc:
        return Looked(digest, bytes=len(data), fault="damaged", why=str(exc))
    return Looked(
        digest,
        (opened.width, opened.height),
        suffix[1:] if suffix in SUFFIX_OF[kind] else SUFFIX_OF[kind][0][1:],
        suffix_fits=suffix in SUFFIX_OF[kind],
        turned=_turned(opened.getexif),
        bytes=len(data),
        sight=sight_of(np.asarray(few), features=features),
    )


def _turned(exif: Callable[[], Mapping[int, object]]) -> bool:
    """Tell whether EXIF wants a picture turned; what cannot be read wants nothing."""
    try:
        return exif().get(ORIENTATION, 1) not in (0, 1)
    except (SyntaxError, ValueError, TypeError, LookupError, OSError, struct.error):  # of Pillow's parser
        return False


def same_bytes(source: Path, looked: Looked) -> bytes:
    """Return a file's bytes if they are still those that were looked at.

    Raises:
        DataError: it cannot be read, or has changed.
    """
    try:
        data = source.read_bytes()
    except OSError as exc:
        raise DataError(f"{source}: cannot be read any more ({exc.strerror})") from exc
    if hashlib.sha256(data).hexdigest() != looked.sha256:
        raise DataError(f"{source}: has changed since it was checked; run the command again")
    return data


def _kind(data: bytes) -> str:
    """Return Pillow's name of the format that a file begins like, empty for none."""
    return next((str(parser.format) for signature, parser in FORMATS if signature.match(data)), "")


def contents(pictures: Sequence[Picture], looked: Sequence[Looked]) -> Iterator[str]:
    """Yield what tells each picture from others: its content, or where it lies if that is not here."""
    for wanted, seen in zip(pictures, looked, strict=True):
        yield seen.sha256 or wanted.url or wanted.name
