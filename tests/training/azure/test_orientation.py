"""EXIF's orientation, read and applied as Pillow reads and applies it."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.fakes import encoded, picture
from training.azure.orientation import orientation_of, turned

PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def jpeg(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "a maker of cameras"
    exif[0x0112] = orientation
    buffer = BytesIO()
    Image.fromarray(PIXELS).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_read_and_applied(orientation: int) -> None:
    """The turned pixels are those that Pillow's transpose gives."""
    data = jpeg(orientation)
    assert orientation_of(data) == orientation
    with Image.open(BytesIO(data)) as opened:
        shown = np.asarray(ImageOps.exif_transpose(opened))
        assert np.array_equal(turned(np.asarray(opened), orientation), shown)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        b"\xff\xd8",
        b"\xff\xd8\xff\xe1\xff\xff",
        encoded(picture((1, 2, 3))),
        encoded(picture((1, 2, 3)), "JPEG"),
        jpeg(6)[:40],
        jpeg(6)[:30] + b"\xff" * 20,
        jpeg(9),
    ],
)
def test_what_tells_no_orientation_is_upright(data: bytes) -> None:
    """No picture, none of EXIF, a block that is cut off or nonsense: nothing is turned."""
    assert orientation_of(data) == 1
