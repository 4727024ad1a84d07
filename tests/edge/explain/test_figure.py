"""The figure that a person looks at."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.explain.figure import colour_map, figure, relative, top
from edge.preprocess.decode import decode
from edge.preprocess.encode import png

RAMP = np.tile(np.linspace(-1, 1, 100, dtype=np.float32), (100, 1))


def test_four_panels_are_large_enough_to_see() -> None:
    """Small pictures are enlarged by whole factors; the first panel is the crop itself."""
    crop = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)
    drawn = figure(crop, RAMP)
    assert drawn.shape == (604, 604, 3)
    assert (drawn[:300:3, :300:3] == crop).all()


def test_the_highest_value_has_the_brightest_colour_and_what_is_not_above_zero_the_darkest() -> None:
    """Whatever the highest value is."""
    assert relative(RAMP * 0.01)[0, [0, 50, 99]] == pytest.approx([0, 1 / 99, 1], abs=1e-6)


@pytest.mark.parametrize("empty", [np.zeros((50, 50), np.float32), np.full((50, 50), -0.3, np.float32)])
def test_an_empty_map_is_dark_and_has_no_top(empty: NDArray[np.float32]) -> None:
    """What speaks for nothing is not drawn as if it did."""
    assert not relative(empty).any()
    assert not top(empty).any()


def test_the_top_is_three_tenths_of_the_pixels() -> None:
    """As in AutoML's own figure."""
    assert top(RAMP).mean() == pytest.approx(0.3, abs=0.01)


def test_equal_steps_of_the_map_look_equally_bright() -> None:
    """Luminance rises all along, so that the map can be read in grey too."""
    colours = colour_map(np.linspace(0, 1, 64)[np.newaxis]).astype(float)[0]
    linear = np.where(colours / 255 <= 0.04045, colours / 255 / 12.92, ((colours / 255 + 0.055) / 1.055) ** 2.4)
    lightness = np.cbrt(linear @ [0.2126, 0.7152, 0.0722])
    steps = np.diff(lightness)
    assert steps.min() > 0
    assert steps.max() < 3 * steps.mean()


def test_a_png_is_the_pixels() -> None:
    """Nothing is lost."""
    pixels = np.random.default_rng(1).integers(0, 256, (7, 5, 3), np.uint8)
    assert (decode(png(pixels)) == pixels).all()
