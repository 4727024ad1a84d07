"""Contact sheets as one PNG. Matplotlib writes their words: OpenCV has letters for English only."""

import io
import textwrap
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names

from training.dataset.thumbnails import SIDE, Pixels

DPI = 100
COLUMNS, LEAST_COLUMNS = 6, 4
GAP, LINE, REASON = 12, 14, 90
"""Pixels: between tiles, a line of a caption, and why a picture is not there."""
LETTERS = 30
"""How many letters of a caption stand side by side below a picture."""
FAMILIES = (
    "DejaVu Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans Devanagari",
    "Noto Sans Arabic",
    "WenQuanYi Zen Hei",
)
"""A letter is taken from the first of these that is here and has it; matplotlib brings the first with it."""
MOST = 600
"""How many pictures one PNG has; more would be more than viewers open."""
TEXT, QUIET, BAD = "#1b2126", "#5b6670", "#b3261e"


@dataclass(frozen=True, slots=True)
class Panel:
    """A picture, uint8 [height, width, 3] in RGB, or why there is none; below it a title and more lines."""

    picture: Pixels | str
    title: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """Panels below a heading, every ``together`` of them side by side."""

    title: str
    text: str
    panels: Sequence[Panel]
    together: int = 1


@dataclass(frozen=True, slots=True)
class Strip:
    """What is as wide as the sheet: lines of text, or a row of panels whose tallest picture is ``tall``; in pixels."""

    height: int
    words: str = ""
    size: float = 8
    panels: tuple[Panel, ...] = ()
    together: int = 1
    tall: int = 0


class Canvas:
    """A figure whose places are pixels from its top left."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
        there = set(get_font_names())
        self.families = [family for family in FAMILIES if family in there]

    def text(self, left: float, top: float, words: str, *, size: float = 8, colour: str = TEXT) -> None:
        """Write words; a dollar sign is one, and begins no formula."""
        place = (left / self.width, 1 - top / self.height)
        looks: dict[str, Any] = {"size": size, "color": colour, "va": "top", "linespacing": 1.25}
        self.figure.text(*place, words, family=self.families, parse_math=False, **looks)

    def picture(self, left: int, top: int, pixels: Pixels) -> None:
        """Put a picture with its top left there."""
        self.figure.figimage(pixels, left, self.height - top - pixels.shape[0])

    def png(self) -> bytes:
        """Return the file. A letter that no font here has is drawn as a box."""
        data = io.BytesIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            self.figure.savefig(data, format="png", dpi=DPI)
        return data.getvalue()


def sheet_png(blocks: Sequence[Block], *, title: str, intro: str = "", most: int = MOST) -> bytes:
    """Return a sheet as a PNG file; of more than ``most`` pictures the first, and a line that says so."""
    columns = max(LEAST_COLUMNS, min(COLUMNS, max((len(block.panels) for block in blocks), default=0)))
    width = columns * SIDE + (columns + 1) * GAP
    strips = [*_words(title, 13, width), *_words(intro, 9, width)]
    left = most
    for block in blocks:
        strips += [*_words(block.title, 11, width), *_words(block.text, 9, width)]
        strips += _rows(block.panels[:left], columns, block.together)
        left -= len(block.panels[:left])
    missing = sum(len(block.panels) for block in blocks) - (most - left)
    if missing:
        strips += _words(f"{missing:,} more are not shown; a sheet written as .html has them all", 9, width)
    canvas, top = Canvas(width, sum(strip.height for strip in strips) + 2 * GAP), GAP
    for strip in strips:
        _draw(canvas, strip, top)
        top += strip.height
    return canvas.png()


def _words(text: str, size: float, width: int) -> list[Strip]:
    """Return a text as a strip, none for none."""
    lines = textwrap.wrap(text, int((width - 2 * GAP) / (size * 0.9)))
    return [Strip(round(len(lines) * size * 1.8 + GAP), "\n".join(lines), size)] if lines else []


def _rows(panels: Sequence[Panel], columns: int, together: int) -> Iterator[Strip]:
    rest, count = iter(panels), max(1, columns // together) * together
    while row := tuple(islice(rest, count)):
        captions = max(len(_caption(panel)) for panel in row)
        tall = max(REASON if isinstance(panel.picture, str) else panel.picture.shape[0] for panel in row)
        yield Strip(tall + captions * LINE + 2 * GAP, panels=row, together=together, tall=tall)


def _draw(canvas: Canvas, strip: Strip, top: int) -> None:
    canvas.text(GAP, top, strip.words, size=strip.size)
    for column, panel in enumerate(strip.panels):
        left = GAP + column * (SIDE + GAP) - (column % strip.together) * GAP // 2
        if isinstance(panel.picture, str):
            canvas.text(left, top, "\n".join(textwrap.wrap(panel.picture, LETTERS)[:6]), colour=BAD)
        else:
            canvas.picture(left, top, panel.picture)
        for number, line in enumerate(_caption(panel)):
            canvas.text(left, top + strip.tall + 4 + number * LINE, line, colour=QUIET if number else TEXT)


def _caption(panel: Panel) -> list[str]:
    """Return the lines below a picture, each as short as the picture is wide."""
    # the end of a path tells more than its beginning; of words it is the other way round
    return [_fitting(panel.title[::-1])[::-1], *map(_fitting, panel.lines)]


def _fitting(text: str) -> str:
    """Return as much of a text as fits, and a mark where some is missing."""
    if _across(text) <= LETTERS:
        return text
    while _across(text) > LETTERS - 1:
        text = text[:-1]
    return f"{text}…"


def _across(text: str) -> int:
    """Return how many letters' room a text takes: those of East Asia take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
