"""Both ways to resize a part: each within one grey level of the whole picture resized by Pillow."""

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge.bundle import Preprocessing
from edge.preprocess.classification import crop
from edge.preprocess.resample import QUICKEST, Resample, by_pillow, by_simd, quickest
from tests.edge.preprocess import pictures as p
from tests.edge.preprocess import reference
from tests.edge.preprocess.sizes import SIZES

WAYS = [
    by_pillow,
    pytest.param(by_simd, marks=pytest.mark.skipif(QUICKEST is not by_simd, reason="cykooz_resizer is not installed")),
]


def _error(image: Image.Image, resize: int, crop_side: int, way: Resample) -> int:
    """The largest difference, in grey levels, to the reference."""
    expected = reference.shorter_side(image.convert("RGB"), resize, crop_side).astype(int)
    found = crop(image, Preprocessing(resize=resize, crop=crop_side), way).astype(int)
    return int(np.abs((found if found.ndim == 3 else found[..., np.newaxis]) - expected).max())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("width", "height", "resize", "crop_side"), [s for s in SIZES if s[0] * s[1] < 1_000_000])
def test_each_way_follows_the_rule(width: int, height: int, resize: int, crop_side: int, way: Resample) -> None:
    """In colour and in grey, for every size of the table."""
    image = Image.fromarray(p.pixels(width, height))
    assert _error(image, resize, crop_side, way) <= 1
    assert _error(image.convert("L"), resize, crop_side, way) <= 1


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 150),
    height=st.integers(1, 150),
    resize=st.integers(1, 128),
    crop_side=st.integers(1, 128),
    black_and_white=st.booleans(),
)
def test_any_noise_follows_the_rule(
    way: Resample, width: int, height: int, resize: int, crop_side: int, black_and_white: bool
) -> None:
    """Noise, and noise of full contrast, which no filter smooths away, stays within one grey level too."""
    noise = np.random.default_rng([width, height, resize]).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image = Image.fromarray(np.where(noise > 127, np.uint8(255), np.uint8(0)) if black_and_white else noise)
    assert _error(image, resize, crop_side, way) <= 1


@pytest.mark.parametrize("way", WAYS)
def test_a_tie_when_enlarging(way: Resample) -> None:
    """Enlarged by 25/2, weights tie; noise of this size once came out two levels away."""
    noise = np.random.default_rng(22).integers(0, 256, (72, 22, 3), dtype=np.uint8)
    assert _error(Image.fromarray(noise), 275, 248, way) <= 1


@pytest.mark.parametrize(
    ("simd", "pillow", "expected"),
    [
        (ModuleType("cykooz_resizer"), "12.0.0", by_simd),
        (ModuleType("cykooz_resizer"), "13.1.2", by_simd),
        (ModuleType("cykooz_resizer"), "14.0.0", by_pillow),  # nobody has tried it on this Pillow's memory
        (ModuleType("cykooz_resizer"), "11.3.0", by_pillow),
        (None, "13.0.0", by_pillow),
    ],
)
def test_the_quickest_way_that_is_known_to_hold(simd: ModuleType | None, pillow: str, expected: Resample) -> None:
    """SIMD where it is installed and knows this Pillow, else Pillow."""
    assert quickest(simd, pillow) is expected
