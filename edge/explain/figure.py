"""A map as a person looks at it: the picture, the map, one over the other, and the part that counts most."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""Colours [height, width, 3], red, green, blue of 0..255."""

TOP_SHARE = 0.3
"""Which share of the pixels the last panel shows (AutoML's figure shows the same)."""
DIMMED = 0.15
"""How bright the others are there."""
COVER = 0.7
"""How much of the picture the map covers where it is highest."""
SMALLEST_PANEL = 224
"""Pixels a side from which on a panel is not enlarged."""
GAP = 4
WHITE = 255
FAINTEST = 1e-6
"""A map that is nowhere higher is drawn as nothing: below lies what rounding leaves."""

_LMS = np.array([[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]])
_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def figure(crop: Pixels, heat: NDArray[np.float32]) -> Pixels:
    """Return four panels in a square: ``crop``, the map ``heat`` [side, side], the map over the crop, the top 30 %.

    The brightest colour stands for the map's own highest value; what is not above 0 is dark.
    """
    height = relative(heat)
    colours = colour_map(height)
    cover = COVER * height[..., np.newaxis]
    blend = (crop * (1 - cover) + colours * cover).astype(np.uint8)
    kept = np.where(top(heat)[..., np.newaxis], crop, crop * DIMMED).astype(np.uint8)
    return _square([crop, colours, blend, kept])


def relative(heat: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the map as shares 0..1 of its highest value; all 0 where that is not above 0."""
    highest = float(heat.max())
    return np.clip(heat / highest, 0, 1).astype(np.float64) if highest > FAINTEST else np.zeros(heat.shape)


def top(heat: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which pixels are among the highest 30 % of the map and above 0."""
    return np.asarray((heat >= np.quantile(heat, 1 - TOP_SHARE)) & (heat > FAINTEST))


def colour_map(values: NDArray[np.float64]) -> Pixels:
    """Return colours for values 0..1 [height, width]: equal steps look equally far apart, in grey print too.

    Lightness rises evenly in OKLab (Ottosson 2020, bottosson.github.io/posts/oklab) while the hue goes from blue over
    red to yellow, as people who tell colours apart badly can still see.
    """
    hue = np.deg2rad(285 + 180 * values)
    chroma = 0.04 + 0.5 * values * (1 - values)
    lightness = 0.2 + 0.75 * values
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1)
    linear = np.clip((lab @ _LMS.T) ** 3 @ _RGB.T, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)  # IEC 61966-2-1
    return np.asarray(np.rint(255 * encoded), np.uint8)


def _square(panels: list[Pixels]) -> Pixels:
    factor = -(-SMALLEST_PANEL // panels[0].shape[0])
    first, second, third, fourth = (panel.repeat(factor, axis=0).repeat(factor, axis=1) for panel in panels)
    upright = np.full((first.shape[0], GAP, 3), WHITE, np.uint8)
    upper = np.concatenate([first, upright, second], axis=1)
    lower = np.concatenate([third, upright, fourth], axis=1)
    return np.concatenate([upper, np.full((GAP, upper.shape[1], 3), WHITE, np.uint8), lower])
