"""Preprocessing against the whole-picture reference: no pixel more than one grey level away, in any format and size."""

import io
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from edge.bundle import Colour, Preprocessing, Range
from edge.errors import ImageDecodeError, ImageTooLargeError
from edge.preprocess.classification import normalise, pixels_of, prepare, resized
from tests.edge.preprocess import pictures as p
from tests.edge.preprocess import reference
from tests.edge.preprocess.sizes import SIZES

STANDARD = Preprocessing()
FORMATS: Mapping[str, p.Encode] = {
    "jpeg 4:4:4": p.pillow("JPEG", subsampling=0, quality=95),
    "jpeg 4:2:2": p.pillow("JPEG", subsampling=1),
    "jpeg 4:2:0": p.pillow("JPEG", subsampling=2),
    "jpeg progressive": p.pillow("JPEG", progressive=True),
    "jpeg quality 30": p.pillow("JPEG", quality=30),
    "jpeg grey": p.pillow("JPEG", "L"),
    "jpeg cmyk": p.pillow("JPEG", "CMYK"),
    "jpeg with a second picture": p.animated("MPO"),
    "jpeg restarts": p.pillow("JPEG", restart_marker_rows=1),
    **{f"jpeg exif {n}": p.turned(n) for n in range(1, 9)},
    "png rgb": p.pillow("PNG"),
    "png rgba": p.with_alpha("PNG"),
    "png grey": p.pillow("PNG", "L"),
    "png grey alpha": p.pillow("PNG", "LA"),
    "png palette": p.palette("PNG"),
    "png palette, one transparent": p.palette("PNG", transparency=3),
    "png palette, shades of transparent": p.palette("PNG", transparency=bytes(range(0, 256, 8))),
    "png rgb, one transparent": p.pillow("PNG", transparency=(255, 255, 255)),
    "png 1-bit": p.pillow("PNG", "1"),
    "png 16-bit grey": p.deep_grey("PNG"),
    "png 16-bit rgb": p.deep_colour(".png"),
    "png animated": p.animated("PNG"),
    "bmp": p.pillow("BMP"),
    "bmp grey": p.pillow("BMP", "L"),
    "bmp palette": p.palette("BMP"),
    "tiff": p.pillow("TIFF"),
    "tiff lzw": p.pillow("TIFF", compression="tiff_lzw"),
    "tiff deflate": p.pillow("TIFF", compression="tiff_adobe_deflate"),
    "tiff rgba": p.with_alpha("TIFF"),
    "tiff 16-bit grey": p.deep_grey("TIFF"),
    "tiff 16-bit rgb": p.deep_colour(".tiff"),
    "tiff cmyk": p.pillow("TIFF", "CMYK"),
    "tiff float": p.pillow("TIFF", "F"),
    "tiff pages": p.animated("TIFF"),
    "tiff turned": p.pillow("TIFF", tiffinfo={274: 6}),  # the one orientation that Pillow applies by itself
    "tiff lzw turned": p.pillow("TIFF", tiffinfo={274: 8}, compression="tiff_lzw"),
    "gif": p.palette("GIF"),
    "gif transparent": p.palette("GIF", transparency=5),
    "gif animated": p.animated("GIF"),
    "webp": p.pillow("WEBP"),
    "webp lossless": p.pillow("WEBP", lossless=True),
    "webp rgba": p.with_alpha("WEBP", lossless=True),
    "webp animated": p.animated("WEBP", lossless=True),
}
SQUARES = (
    (640, 480, 256, 224),
    (333, 777, 256, 224),
    (256, 256, 256, 224),
    (97, 61, 257, 224),
    (5003, 40, 224, 224),
    (2, 3, 64, 63),
)


def _difference(data: bytes, preprocessing: Preprocessing, expected: NDArray[np.uint8]) -> float:
    found = reference.grey_levels(prepare(data, preprocessing=preprocessing, colour="rgb", value_range="imagenet"))
    return float(np.abs(found - expected).max())


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_what_pillow_makes_of_it(name: str) -> None:
    """A picture in each format comes out within one grey level of the reference."""
    data = FORMATS[name](p.pixels(349, 261))
    assert _difference(data, STANDARD, reference.shorter_side(reference.as_rgb(data), 256, 224)) < 1.01


@pytest.mark.parametrize(("width", "height", "resize", "crop"), SIZES)
def test_every_size_follows_the_rule(width: int, height: int, resize: int, crop: int) -> None:
    """Whatever the size and the aspect, computing only the crop gives what the whole resized picture has there."""
    image = Image.fromarray(p.pixels(width, height))
    expected = reference.shorter_side(image, resize, crop)
    data = p.saved(image, "BMP")
    assert _difference(data, Preprocessing(resize=resize, crop=crop), expected) < 1.01


@pytest.mark.parametrize(("width", "height", "resize", "crop"), SQUARES)
def test_square_rule_is_the_published_recipe(width: int, height: int, resize: int, crop: int) -> None:
    """The square rule squashes with Pillow's bicubic filter and cuts out the centre."""
    image = Image.fromarray(p.pixels(width, height))
    expected = reference.square(image, resize, crop)
    data = p.saved(image, "BMP")
    assert _difference(data, Preprocessing(rule="square", resize=resize, crop=crop), expected) < 1.01


def test_the_table_is_long_enough() -> None:
    """At least 60 cases stand in the table."""
    assert len(FORMATS) + len(SIZES) + len(SQUARES) >= 60


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 160),
    height=st.integers(1, 160),
    resize=st.integers(1, 96),
    crop=st.integers(1, 112),
    grey=st.booleans(),
)
def test_any_size_follows_the_rule(width: int, height: int, resize: int, crop: int, grey: bool) -> None:
    """For sizes drawn at random, colour or grey, no pixel is more than one grey level away."""
    image = Image.fromarray(p.pixels(width, height))
    image = image.convert("L") if grey else image
    expected = reference.shorter_side(image.convert("RGB"), resize, crop)
    assert _difference(p.saved(image, "BMP"), Preprocessing(resize=resize, crop=crop), expected) < 1.01


def test_a_decoded_frame_is_prepared_like_its_file() -> None:
    """An array [height, width, 3], as video gives it, goes the same way as the encoded picture."""
    data = p.pillow("JPEG")(p.pixels(320, 200))
    frame = np.asarray(reference.as_rgb(data))
    np.testing.assert_array_equal(prepare(frame, preprocessing=STANDARD), prepare(data, preprocessing=STANDARD))


def test_a_frame_need_not_lie_in_one_block() -> None:
    """A view, such as a region of interest or BGR turned round, is prepared like its copy."""
    view = p.pixels(320, 200)[10:-7, 5:-9, ::-1]
    np.testing.assert_array_equal(
        prepare(view, preprocessing=STANDARD), prepare(np.ascontiguousarray(view), preprocessing=STANDARD)
    )


def test_the_input_is_float32_planes_in_one_block() -> None:
    """The tensor is what a session takes without another copy."""
    tensor = prepare(p.pillow("JPEG")(p.pixels(50, 40)), preprocessing=STANDARD)
    assert tensor.shape == (3, 224, 224)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous


def test_padding_is_black_before_normalisation() -> None:
    """Where the picture is smaller than the crop, zeros stand around it, the odd one right and below."""
    white = p.saved(Image.new("RGB", (3, 3), (255, 255, 255)), "PNG")
    tensor = prepare(white, preprocessing=Preprocessing(resize=3, crop=6), value_range="0-255")
    inside = np.zeros((6, 6), np.float32)
    inside[1:4, 1:4] = 255
    np.testing.assert_array_equal(tensor, np.stack([inside] * 3))


def _ramp() -> NDArray[np.uint8]:
    return np.arange(256 * 3, dtype=np.uint16).astype(np.uint8).reshape(16, 16, 3)


RANGES: tuple[tuple[Range, NDArray[np.float64]], ...] = (
    ("imagenet", reference.input_of(_ramp())),
    ("0-1", _ramp().transpose(2, 0, 1) / 255.0),
    ("0-255", _ramp().transpose(2, 0, 1).astype(np.float64)),
)


@pytest.mark.parametrize(("value_range", "expected"), RANGES)
def test_each_value_range_is_exact(value_range: Range, expected: NDArray[np.float64]) -> None:
    """Every grey level becomes the formula's value, to single precision."""
    found = normalise(_ramp(), colour="rgb", value_range=value_range)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("value_range", ["imagenet", "0-1", "0-255"])
def test_bgr_reverses_the_finished_channels(value_range: Range) -> None:
    """Blue comes first with blue's own mean and standard deviation."""
    rgb = normalise(_ramp(), colour="rgb", value_range=value_range)
    bgr = normalise(_ramp(), colour="bgr", value_range=value_range)
    np.testing.assert_array_equal(bgr, rgb[::-1])


def test_grey_is_widened() -> None:
    """A grey picture gives the same as its three equal channels."""
    grey = _ramp()[..., 0]
    wide = np.dstack([grey] * 3)
    for value_range, _ in RANGES:
        np.testing.assert_array_equal(
            normalise(grey, colour="rgb", value_range=value_range),
            normalise(wide, colour="rgb", value_range=value_range),
        )


@pytest.mark.parametrize(
    ("size", "preprocessing", "expected"),
    [
        ((640, 480), STANDARD, (341, 256)),  # 341.33 truncated
        ((480, 640), STANDARD, (256, 341)),
        ((1920, 1080), STANDARD, (455, 256)),
        ((3, 3), STANDARD, (256, 256)),
        ((1, 5000), STANDARD, (256, 1_280_000)),
        ((640, 480), Preprocessing(rule="square"), (256, 256)),
    ],
)
def test_the_longer_side_is_truncated(
    size: tuple[int, int], preprocessing: Preprocessing, expected: tuple[int, int]
) -> None:
    """The resized size follows the contract: the shorter side exactly, the longer one without its fraction."""
    assert resized(size, preprocessing) == expected


def test_a_huge_enlargement_costs_only_the_crop() -> None:
    """A line of 1 x 60,000 pixels, 256 x 15,360,000 resized, is answered from the few pixels that the crop shows."""
    line = p.saved(Image.fromarray(p.pixels(1, 60_000)), "PNG")
    part = Image.fromarray(p.pixels(1, 60_000)[29_990:30_010])
    expected = reference.shorter_side(part, 256, 224)
    assert _difference(line, STANDARD, expected) < 1.01


def test_a_bad_picture_is_the_callers_error() -> None:
    """What decoding refuses, preparing refuses with the same errors."""
    with pytest.raises(ImageDecodeError, match="0 bytes"):
        prepare(b"", preprocessing=STANDARD)
    with pytest.raises(ImageTooLargeError, match="30 x 20 = 600 pixels, the limit is 599"):
        prepare(p.pillow("PNG")(p.pixels(30, 20)), preprocessing=STANDARD, max_pixels=599)


def test_the_reference_reads_what_it_is_given() -> None:
    """The reference itself turns no picture: an EXIF rotation leaves the size as stored."""
    data = p.turned(6)(p.pixels(40, 20))
    assert reference.as_rgb(data).size == Image.open(io.BytesIO(data)).size == (40, 20)


@pytest.mark.parametrize("value_range", ["imagenet", "0-1", "0-255"])
@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_an_input_turns_back_into_its_pixels(colour: Colour, value_range: Range) -> None:
    """So that an explanation can show what the model saw."""
    pixels = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)
    tensor = normalise(pixels, colour=colour, value_range=value_range)
    assert (pixels_of(tensor, colour=colour, value_range=value_range) == pixels).all()
