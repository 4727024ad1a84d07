"""What the preprocessing benchmark compares: the same work on the same seeded pictures."""

import io

import numpy as np
import pytest
from PIL import Image

from bench.pictures import FULL_HD, HD, VGA, Size, jpegs
from bench.preprocess import our_crop, our_input, reference_crop, reference_input


def test_pictures_are_seeded() -> None:
    """The same seed draws the same bytes; pictures of one size differ."""
    first, second = jpegs(VGA, 2), jpegs(VGA, 2)
    assert first == second
    assert first[0] != first[1]
    assert jpegs(VGA, 1, seed=2)[0] != first[0]


@pytest.mark.parametrize("size", [VGA, HD, FULL_HD])
def test_both_ways_do_the_same_work(size: Size) -> None:
    """The plain way and ours give the same crop within one grey level, and the same tensor."""
    data = jpegs(size, 1)[0]
    assert Image.open(io.BytesIO(data)).size == size
    assert np.abs(our_crop(data).astype(int) - reference_crop(data).astype(int)).max() <= 1
    np.testing.assert_allclose(our_input(data), reference_input(data), atol=1.01 / (255 * 0.224))
