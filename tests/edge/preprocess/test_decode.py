"""Decoding: Pillow's pixels, and a clear error for everything that is no whole picture of a bearable size."""

import traceback
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edge.errors import ImageDecodeError, ImageTooLargeError
from edge.preprocess.decode import MAX_PIXELS, decode, picture
from tests.edge.preprocess import pictures as p
from tests.edge.preprocess import reference

WHOLE: dict[str, p.Encode] = {
    "JPEG": p.pillow("JPEG"),
    "JPEG progressive": p.pillow("JPEG", progressive=True),
    "JPEG grey": p.pillow("JPEG", "L"),
    "JPEG CMYK": p.pillow("JPEG", "CMYK"),
    "PNG": p.pillow("PNG"),
    "PNG 16-bit": p.deep_colour(".png"),
    "BMP": p.pillow("BMP"),
    "TIFF": p.pillow("TIFF"),
    "TIFF LZW": p.pillow("TIFF", compression="tiff_lzw"),
    "GIF": p.palette("GIF"),
    "WEBP": p.pillow("WEBP"),
    "WEBP lossless": p.pillow("WEBP", lossless=True),
}
HUGE: dict[str, Callable[[int, int], bytes]] = {
    "JPEG": p.jpeg_header,
    "PNG": p.png_header,
    "BMP": p.bmp_header,
    "GIF": p.gif_header,
    "TIFF": p.tiff_header,
    "WEBP": p.webp_header,
}
NO_PICTURE = {
    "nothing": b"",
    "one byte": b"\xff",
    "text": b"this is no picture, only text",
    "json": b'{"image": "none"}',
    "a web page": b"<!doctype html><title>not found</title>",
    "a vector drawing": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "a document": b"%PDF-1.7\n",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n",
    "a portable pixmap": b"P6 1 1 255\n\0\0\0",
    "an icon": b"\0\0\1\0\1\0\1\1\0\0\1\0\x20\0",
    "zeros": bytes(1000),
    "half a JPEG signature": b"\xff\xd8",
    "half a PNG signature": b"\x89PNG",
    "RIFF without WebP": b"RIFF\x24\0\0\0WAVEfmt ",
}
SIGNATURES = {
    "JPEG": b"\xff\xd8\xff\xe0",
    "PNG": b"\x89PNG\r\n\x1a\n",
    "BMP": b"BM",
    "GIF": b"GIF89a",
    "TIFF": b"II*\0",
    "WEBP": b"RIFF\x10\0\0\0WEBP",
}
BAD_ARRAYS: dict[str, NDArray[np.generic]] = {
    "float": np.zeros((4, 4, 3)),
    "16-bit": np.zeros((4, 4, 3), np.uint16),
    "grey": np.zeros((4, 4), np.uint8),
    "one channel": np.zeros((4, 4, 1), np.uint8),
    "alpha": np.zeros((4, 4, 4), np.uint8),
    "planes": np.zeros((3, 4, 4), np.uint8),
    "a batch": np.zeros((1, 4, 4, 3), np.uint8),
    "no rows": np.zeros((0, 4, 3), np.uint8),
    "no columns": np.zeros((4, 0, 3), np.uint8),
}


@pytest.mark.parametrize("name", WHOLE)
def test_pixels_are_pillows(name: str) -> None:
    """A whole picture is decoded to exactly what ``open(...).convert("RGB")`` gives."""
    data = WHOLE[name](p.pixels(83, 57))
    found = decode(data)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, np.asarray(reference.as_rgb(data)))


def test_an_array_passes_through() -> None:
    """A decoded frame comes back as it is, without a copy."""
    frame = p.pixels(30, 20)
    assert decode(frame) is frame


def test_grey_stays_one_channel_for_resizing() -> None:
    """A grey file is held in one channel; colour in three."""
    array = p.pixels(30, 20)
    assert picture(p.pillow("JPEG", "L")(array)).mode == "L"
    assert picture(p.pillow("JPEG")(array)).mode == "RGB"
    assert picture(array).mode == "RGB"


@pytest.mark.parametrize("name", NO_PICTURE)
def test_what_is_no_picture_is_refused(name: str) -> None:
    """Bytes of no known format are refused with a text that tells which formats there are, or that there is nothing."""
    with pytest.raises(ImageDecodeError, match=r"JPEG, PNG, BMP, TIFF, GIF, WEBP|0 bytes"):
        decode(NO_PICTURE[name])


@pytest.mark.filterwarnings("ignore")  # Pillow remarks on a TIFF that ends early before it fails
@pytest.mark.parametrize("name", SIGNATURES)
def test_a_signature_alone_is_refused(name: str) -> None:
    """A file that ends after its signature is named as a damaged picture of that format."""
    with pytest.raises(ImageDecodeError, match=f"the {name} picture is damaged or cut off"):
        decode(SIGNATURES[name])
    with pytest.raises(ImageDecodeError, match=f"the {name} picture is damaged or cut off"):
        decode(SIGNATURES[name] + bytes(200))


@pytest.mark.filterwarnings("ignore")  # as above
@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("kept", [0.03, 0.25, 0.5, 0.9])
def test_a_truncated_picture_is_refused(name: str, kept: float, capfd: pytest.CaptureFixture[str]) -> None:
    """A picture cut off anywhere is refused, never filled up with grey, and nothing is written to standard error."""
    data = WHOLE[name](p.pixels(83, 57))
    with pytest.raises(ImageDecodeError, match="damaged or cut off"):
        decode(data[: int(len(data) * kept)])
    if not name.startswith("TIFF"):  # libtiff writes there itself
        assert capfd.readouterr().err == ""


def test_a_damaged_jpeg_writes_nothing_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    """Overwritten bytes inside a JPEG are decoded as Pillow decodes them, without libjpeg's remarks."""
    data = bytearray(p.pillow("JPEG")(p.pixels(200, 200)))
    data[len(data) // 2 : len(data) // 2 + 8] = b"\x12\x34\x56\x78" * 2
    np.testing.assert_array_equal(decode(bytes(data)), np.asarray(reference.as_rgb(bytes(data))))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", HUGE)
def test_a_huge_header_is_refused_before_decoding(name: str) -> None:
    """50,000 x 50,000 pixels are refused from the header; the size and the limit are named, no warning leaks."""
    with pytest.raises(ImageTooLargeError, match=r"2,?500,?000,?000.*100,000,000|100,000,000.*2500000000"):
        decode(HUGE[name](50_000, 50_000))


def test_a_compression_bomb_is_refused() -> None:
    """A small file that would unpack to 121 million pixels is refused by default, without Pillow's warning."""
    bomb = p.saved(Image.new("1", (11_000, 11_000)), "PNG")
    assert len(bomb) < 100_000
    with pytest.raises(ImageTooLargeError, match=r"11,000 x 11,000 = 121,000,000 pixels, the limit is 100,000,000"):
        decode(bomb)


def test_the_limit_is_the_callers_own() -> None:
    """A picture of just the limit passes, one pixel more is refused; Pillow's process-wide limit stays as it was."""
    before = Image.MAX_IMAGE_PIXELS
    data = p.pillow("PNG")(p.pixels(20, 10))
    assert decode(data, max_pixels=200).shape == (10, 20, 3)
    with pytest.raises(ImageTooLargeError, match="20 x 10 = 200 pixels, the limit is 199"):
        decode(data, max_pixels=199)
    assert before == Image.MAX_IMAGE_PIXELS
    assert MAX_PIXELS == 100_000_000


def test_a_broken_tiff_is_told_to_nobody_else(capfd: pytest.CaptureFixture[str]) -> None:
    """What libtiff thinks of a file is in the error, not on standard error."""
    whole = p.pillow("TIFF", compression="tiff_lzw")(p.pixels(40, 40))
    with pytest.raises(ImageDecodeError):
        decode(whole[:8] + bytes(byte ^ 0x55 for byte in whole[8:200]) + whole[200:])
    assert capfd.readouterr().err == ""


def test_an_error_keeps_no_pixels() -> None:
    """Whoever holds on to the error of a picture that is cut off does not hold what was decoded of it."""
    cut = p.png_header(9_000, 9_000)
    with pytest.raises(ImageDecodeError, match="damaged or cut off") as caught:
        decode(cut)
    cause = caught.value.__cause__
    assert cause is not None
    inner = [frame for frame, _ in traceback.walk_tb(cause.__traceback__)][1:]
    assert inner
    assert not any(frame.f_locals for frame in inner)


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_an_array_of_another_kind_is_refused(name: str) -> None:
    """Only uint8 [height, width, 3] is a decoded picture; the message names what came."""
    with pytest.raises(ImageDecodeError, match=r"uint8 array \[height, width, 3\], not"):
        decode(BAD_ARRAYS[name])  # type: ignore[arg-type]  # the wrong dtype is the point


def test_a_large_array_is_refused() -> None:
    """The limit holds for decoded frames too."""
    with pytest.raises(ImageTooLargeError, match="40 x 30 = 1,200 pixels, the limit is 1,000"):
        decode(np.zeros((30, 40, 3), np.uint8), max_pixels=1000)


def test_another_type_is_refused() -> None:
    """What is neither bytes nor an array is named."""
    with pytest.raises(ImageDecodeError, match="not str"):
        decode("part.jpg")  # type: ignore[arg-type]  # the wrong type is the point
