"""Contact sheets: a page that needs nothing beside it, or one picture; what cannot be shown says so."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

from tests.training.dataset.samples import picture_bytes
from training.dataset.thumbnails import SIDE
from training.errors import DataError, UsageError
from training.pages.drawing import COLUMNS, MOST, Block, Panel, sheet_png
from training.pages.sheet import Section, Tile, tiles_html, write_sections, write_sheet

PICTURE = picture_bytes(width=600, height=300)


def test_a_page_holds_its_pictures_and_asks_for_nothing(tmp_path: Path) -> None:
    """It opens without a network, and beside no folder: the pictures are in it, small."""
    file = tmp_path / "größe 1.png"
    file.write_bytes(PICTURE)
    write_sheet(tmp_path / "sheet.html", [Tile(file, "a", ("label x",)), Tile(PICTURE, "b")], title="two")
    page = (tmp_path / "sheet.html").read_text()
    images = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    assert [Image.open(io.BytesIO(base64.b64decode(image))).size for image in images] == [(192, 96)] * 2
    assert "label x" in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["größe 1.png", "sheet.html"]


def test_words_are_words(tmp_path: Path) -> None:
    """A file's name cannot become a part of the page."""
    write_sheet(tmp_path / "s.html", [Tile(PICTURE, "<script>", ("a & b",))], title="<b>", intro="<i>")
    page = (tmp_path / "s.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "a &amp; b" in page


def test_a_link_is_kept() -> None:
    """On a page of somebody else, too."""
    assert '<a href="pictures/1.png">' in tiles_html([Tile(PICTURE, "1", href="pictures/1.png")])


@pytest.mark.parametrize("suffix", [".html", ".png"])
def test_what_is_no_picture_says_so(tmp_path: Path, suffix: str) -> None:
    """A sheet of what looks wrong has such pictures, too."""
    tiles = [Tile(b"", "empty"), Tile(tmp_path / "gone.png", "gone"), Tile(PICTURE[:100], "cut"), Tile(PICTURE, "good")]
    path = tmp_path / f"s{suffix}"
    write_sheet(path, tiles, title="four")
    if suffix == ".html":
        assert path.read_text().count('class="none"') == 3
        assert "the picture is empty" in path.read_text()


def test_a_picture_of_pictures(tmp_path: Path) -> None:
    """As a PNG: a grid six across; dollars, other alphabets and long names are only text."""
    tiles = [Tile(PICTURE, f"{'long ' * 20}{number}", ("$x^", "名前")) for number in range(7)]
    write_sections(tmp_path / "s.PNG", [Section("pairs", tiles, "what they are", together=2)], title="t", intro="i")
    with Image.open(tmp_path / "s.PNG") as drawn:
        assert drawn.width == 6 * 192 + 7 * 12
        pixels = np.asarray(drawn.convert("L"))
    assert pixels.std() > 20


def test_no_tiles(tmp_path: Path) -> None:
    """Nothing wrong is a sheet too."""
    write_sheet(tmp_path / "none.png", [], title="t")
    with Image.open(tmp_path / "none.png") as drawn:
        assert drawn.height < 100


def test_too_many_tiles() -> None:
    """One that viewers cannot open is not made: what is beyond the limit takes one line, and the limit is low."""
    tall = Panel(np.zeros((SIDE, SIDE, 3), np.uint8), "x", ("a", "b"))

    def height(panels: int, most: int) -> int:
        with Image.open(io.BytesIO(sheet_png([Block("", "", [tall] * panels)], title="t", most=most))) as drawn:
            return drawn.height

    one_row, two_rows = height(COLUMNS, COLUMNS), height(2 * COLUMNS, 2 * COLUMNS)
    assert one_row < height(2 * COLUMNS, COLUMNS) < two_rows
    assert one_row + (two_rows - one_row) * MOST / COLUMNS < 2**16


def test_another_suffix_or_folder(tmp_path: Path) -> None:
    """Refused by name."""
    with pytest.raises(UsageError, match=r"\.html or \.png"):
        write_sheet(tmp_path / "sheet.jpg", [], title="t")
    with pytest.raises(DataError, match=r"nowhere/s\.html: cannot be written"):
        write_sheet(tmp_path / "nowhere/s.html", [], title="t")
