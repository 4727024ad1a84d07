"""What a picture's file shows: content, format, size, and what is wrong with it."""

import io
import struct
import zlib
from pathlib import Path

import pytest

from tests.training.dataset.samples import picture_bytes
from training.dataset.annotations import Picture
from training.dataset.inspection import look, look_at, same_bytes
from training.errors import DataError


def kept(folder: Path, name: str, data: bytes) -> Picture:
    (folder / name).write_bytes(data)
    return Picture(name, folder / name)


@pytest.mark.parametrize(
    ("suffix", "kind", "fits", "written"),
    [
        (".png", ".png", True, "png"),
        (".JPG", ".jpg", True, "jpg"),
        (".jfif", ".jpg", True, "jfif"),
        (".bmp", ".bmp", True, "bmp"),
        (".tif", ".tif", True, "tif"),
        (".jpg", ".png", False, "png"),
    ],
)
def test_format_and_size(tmp_path: Path, suffix: str, kind: str, fits: bool, written: str) -> None:
    """The content tells the format; a suffix of another format is noticed."""
    data = picture_bytes(suffix=kind)
    seen = look(kept(tmp_path, f"a{suffix}", data))
    assert (seen.fault, seen.size, seen.format, seen.suffix_fits) == (None, (40, 20), written, fits)
    assert seen.bytes == len(data)


def test_what_automl_does_not_take_or_is_no_picture(tmp_path: Path) -> None:
    """Each fault by its name, with the reason."""
    png = picture_bytes()
    cases = {
        "a.webp": (picture_bytes(suffix=".webp"), "format", "WEBP"),
        "b.jpg": (b"GIF89a" + bytes(20), "format", "GIF"),
        "c.gif": (png, "format", ".gif"),
        "d.png": (png[: len(png) // 2], "damaged", "cut off"),
        "e.png": (b"", "damaged", "empty"),
        "f.png": (b"hello", "damaged", "known format"),
    }
    for name, (data, fault, why) in cases.items():
        seen = look(kept(tmp_path, name, data))
        assert (name, seen.fault) == (name, fault)
        assert why in seen.why
    assert look(Picture("g.png")).fault == "missing"
    (tmp_path / "h.png").mkdir()
    assert look(Picture("h.png", tmp_path / "h.png")).fault == "unreadable"


def test_a_picture_that_would_fill_the_memory_is_not_decoded(tmp_path: Path) -> None:
    """Its header tells."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    seen = look(kept(tmp_path, "a.png", b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + bytes(4)))
    assert (seen.fault, seen.why) == ("huge", "too large to be decoded")


def test_exif_that_turns_a_picture_is_seen(tmp_path: Path) -> None:
    """A camera held upright writes so; AutoML's detection takes the pixels as they are stored."""
    jpeg = picture_bytes(suffix=".jpg")
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    turned = io.BytesIO()
    turned.write(jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:])
    assert look(kept(tmp_path, "a.jpg", turned.getvalue())).turned
    assert not look(kept(tmp_path, "b.jpg", jpeg)).turned


@pytest.mark.parametrize("exif", [b"", b"II", b"not TIFF", b"II*\0\xff\xff\xff\x7f", b"II*\0\x08\0\0\0\xff\xff"])
def test_damaged_exif_damages_no_picture(tmp_path: Path, exif: bytes) -> None:
    """The pixels are whole, which is all that counts."""
    png, after_header = picture_bytes(), 33
    chunk = struct.pack(">I", len(exif)) + b"eXIf" + exif + struct.pack(">I", zlib.crc32(b"eXIf" + exif))
    (seen,) = look_at([kept(tmp_path, "a.png", png[:after_header] + chunk + png[after_header:])])
    assert (seen.fault, seen.turned, seen.size) == (None, False, (40, 20))


def test_many_are_looked_at_in_order(tmp_path: Path) -> None:
    """More than are handed out at once; whoever waits is told how far it is."""
    pictures = [kept(tmp_path, f"{n}.png", picture_bytes(n, width=n + 1)) for n in range(70)]
    told: list[int] = []
    assert [seen.size for seen in look_at(pictures, told.append)] == [(n + 1, 20) for n in range(70)]
    assert told == [64, 70]


def test_a_file_that_changes_meanwhile_is_not_sent(tmp_path: Path) -> None:
    """What is uploaded is what was checked."""
    wanted = kept(tmp_path, "a.png", picture_bytes())
    seen = look(wanted)
    source = tmp_path / "a.png"
    assert same_bytes(source, seen) == picture_bytes()
    source.write_bytes(picture_bytes(1))
    with pytest.raises(DataError, match=r"a\.png: has changed since"):
        same_bytes(source, seen)
    source.unlink()
    with pytest.raises(DataError, match=r"a\.png: cannot be read any more"):
        same_bytes(source, seen)
