"""Between a labels' file and a collection: what a file says of one picture, before the picture is found."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from training.dataset.annotations import Box, Mark, Outline, Size, Tag

DATASTORE = re.compile(r"azureml://(?:.+/)?datastores/(?P<store>[^/]+)/paths/(?P<path>.+)", re.IGNORECASE)
OLD_DATASTORE = re.compile(r"AmlDatastore://(?P<store>[^/]+)/(?P<path>.+)", re.IGNORECASE)
"""Where a picture lies in Azure: as labels' files say it today, and as data-labelling projects and SDK v1 do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a labels' file says of one picture: how it is called, where it lies in Azure, its marks.

    ``pixels`` tells that coordinates are in pixels, so that they need the picture's ``size``.
    """

    reference: str
    marks: tuple[Mark, ...]
    url: str | None = None
    size: Size | None = None
    pixels: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What labels' files tell; ``stray`` names marks of theirs that belong to none of the pictures."""

    entries: list[Entry]
    stray: tuple[str, ...] = ()


def path_of(reference: str) -> str:
    """Return the path of a picture's URL or name, with slashes and without a way up.

    Of a picture in Azure it is the path below the datastore.
    """
    place = place_of(reference)
    if place:
        _, text = place
    elif "://" in reference:
        text = unquote(urlsplit(reference).path)
    else:
        text = reference.replace("\\", "/")
    return "/".join(part for part in PurePosixPath(text).parts if part not in ("/", ".", ".."))


def place_of(url: str) -> tuple[str, str] | None:
    """Return the datastore and the path of a picture or folder in Azure, None for anything else."""
    found = DATASTORE.fullmatch(url) or OLD_DATASTORE.fullmatch(url)
    return (found["store"], found["path"]) if found else None


def azure_url(reference: str) -> str | None:
    """Return where a picture lies in Azure, None for one that is named by a file or a plain web address."""
    return reference if place_of(reference) else None


def size_from(values: Mapping[str, Any]) -> Size | None:
    """Return width and height of an entry, ``400``, ``400.0`` or ``"400px"``; None where they are not told."""
    try:
        width, height = (int(float(str(values.get(key, 0)).removesuffix("px"))) for key in ("width", "height"))
    except (ValueError, OverflowError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def scaled(mark: Mark, size: Size) -> Mark:
    """Return a mark whose coordinates were pixels, as shares of the picture."""
    width, height = size
    if isinstance(mark, Tag):
        return mark
    if isinstance(mark, Box):
        across, down = (mark.left / width, mark.right / width), (mark.top / height, mark.bottom / height)
        return replace(mark, left=across[0], top=down[0], right=across[1], bottom=down[1])
    rings = tuple(tuple(v / (height if n % 2 else width) for n, v in enumerate(ring)) for ring in mark.rings)
    return Outline(mark.label, rings, mark.crowd)
