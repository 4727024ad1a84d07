"""The image contract once more, written from its text with plain Pillow: the whole picture is resized, then cropped.

Shares nothing with the code under test and is not fast.
"""

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps


def as_rgb(data: bytes) -> Image.Image:
    """What ``open(...).convert("RGB")`` makes of an encoded picture; without its remarks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Image.open(io.BytesIO(data)).convert("RGB")


def shorter_side(image: Image.Image, resize: int, crop: int) -> NDArray[np.uint8]:
    """Resize the shorter side, pad with zeros where an edge is below the crop, cut out the centre."""
    short, long = sorted(image.size)
    if short != resize:
        new_long = int(resize * long / short)
        image = image.resize(
            (resize, new_long) if image.width == short else (new_long, resize), Image.Resampling.BILINEAR
        )
    lack_w, lack_h = max(0, crop - image.width), max(0, crop - image.height)
    image = ImageOps.expand(image, (lack_w // 2, lack_h // 2, (lack_w + 1) // 2, (lack_h + 1) // 2), fill=0)
    left, top = round((image.width - crop) / 2), round((image.height - crop) / 2)
    return np.asarray(image.crop((left, top, left + crop, top + crop)))


def square(image: Image.Image, resize: int, crop: int) -> NDArray[np.uint8]:
    """Resize to a square with Pillow's default filter, cut out the centre."""
    image = image.resize((resize, resize))
    edge = (resize - crop) / 2
    left = top = round(edge)
    return np.asarray(image.crop((left, top, left + crop, top + crop)))


def input_of(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """/255, then ImageNet's mean and standard deviation, channels first; in double precision."""
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    return np.asarray(((pixels / 255.0 - mean) / std).transpose(2, 0, 1))


def grey_levels(tensor: NDArray[np.float32]) -> NDArray[np.float64]:
    """Undo the normalisation: [3, crop, crop] back to grey levels [crop, crop, 3]."""
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    return np.asarray((tensor.transpose(1, 2, 0) * std + mean) * 255.0)
