"""Contact sheets: pictures in a grid with what is to be said of each, as a page or as one picture."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from edge.durable import replace_file
from training.dataset.thumbnails import Pixels, jpeg, thumbnail
from training.errors import DataError, UsageError
from training.pages.templates import filled

SUFFIXES = (".html", ".png")


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture on a sheet: a file, an encoded picture, or what keeps it from being shown.

    ``lines`` stand below its title; ``href`` is where a click on it leads, on a page.
    """

    picture: Path | bytes
    title: str
    lines: tuple[str, ...] = ()
    href: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """Tiles under a heading; every ``together`` of them, in their order, belong side by side."""

    title: str
    tiles: Sequence[Tile]
    text: str = ""
    together: int = 1


def write_sheet(path: Path, tiles: Sequence[Tile], *, title: str, intro: str = "") -> None:
    """Write tiles as one sheet. As :func:`write_sections`."""
    write_sections(path, [Section("", tiles)], title=title, intro=intro)


def write_sections(path: Path, sections: Sequence[Section], *, title: str, intro: str = "") -> None:
    """Write a sheet: by the suffix a page (``.html``) that needs nothing beside it, or a picture (``.png``).

    A picture that cannot be decoded has a tile that says why. The file is there whole or not at all.

    Raises:
        UsageError: another suffix.
        DataError: the file cannot be written.
    """
    check_suffix(path)
    data = _page(sections, title, intro) if path.suffix.lower() == ".html" else _drawn(sections, title, intro)
    try:
        replace_file(path, data)
    except OSError as exc:
        raise DataError(f"{path}: cannot be written ({exc.strerror})") from exc


def check_suffix(path: Path) -> None:
    """Refuse, before any work, a sheet that could not be written. Raises UsageError."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: a sheet is written as {' or '.join(SUFFIXES)}, by the file's suffix")


def tiles_html(tiles: Sequence[Tile], together: int = 1) -> Markup:
    """Return tiles as a grid for a page whose template extends ``base.html``."""
    shown = [_shown(tile) for tile in tiles]
    return Markup(filled("tiles.html", groups=_groups(shown, together), together=together))  # noqa: S704 - escaped there


def _page(sections: Sequence[Section], title: str, intro: str) -> bytes:
    parts = [{"title": s.title, "text": s.text, "tiles": tiles_html(s.tiles, s.together)} for s in sections]
    return filled("sheet.html", title=title, intro=intro, sections=parts).encode()


def _drawn(sections: Sequence[Section], title: str, intro: str) -> bytes:
    from training.pages.drawing import Block, Panel, sheet_png  # noqa: PLC0415 - matplotlib takes its time

    blocks = [
        Block(s.title, s.text, [Panel(_pixels(tile), tile.title, tile.lines) for tile in s.tiles], s.together)
        for s in sections
    ]
    return sheet_png(blocks, title=title, intro=intro)


def _pixels(tile: Tile) -> Pixels | str:
    """Return a tile's picture, or why there is none."""
    try:
        return thumbnail(tile.picture)
    except DataError as exc:
        return str(exc)


def _shown(tile: Tile) -> dict[str, Any]:
    pixels = _pixels(tile)
    found: dict[str, Any] = {"title": tile.title, "lines": tile.lines, "href": tile.href, "image": None, "why": pixels}
    if not isinstance(pixels, str):
        found |= {"image": f"data:image/jpeg;base64,{base64.b64encode(jpeg(pixels)).decode()}", "why": ""}
    return found


def _groups(shown: Sequence[dict[str, Any]], together: int) -> Iterator[Sequence[dict[str, Any]]]:
    return (shown[first : first + together] for first in range(0, len(shown), together))
