"""Bytes to crop, and bytes to tensor, as a share of what plain Pillow and numpy need; one thread, in turns."""

import io
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.pictures import FULL_HD, HD, VGA, jpegs
from bench.report import Figure, Report
from edge.bundle import Preprocessing
from edge.preprocess.classification import crop, prepare
from edge.preprocess.decode import picture

RULE = Preprocessing(rule="shorter-side", resize=256, crop=224)
PICTURES = 6
ROUNDS = {VGA: 20, HD: 10, FULL_HD: 6}
TARGET = 0.80


def reference_crop(data: bytes, resize: int = RULE.resize, crop_side: int = RULE.crop) -> NDArray[np.uint8]:
    """The rule in the plainest way: the whole picture is resized, then cropped."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    short = min(image.size)
    width, height = (int(resize * edge / short) for edge in image.size)
    left, top = round((width - crop_side) / 2), round((height - crop_side) / 2)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image.crop((left, top, left + crop_side, top + crop_side)))


def reference_input(data: bytes, resize: int = RULE.resize, crop_side: int = RULE.crop) -> NDArray[np.float32]:
    """The same, normalised as the published samples do."""
    scaled = np.asarray(reference_crop(data, resize, crop_side), np.float32) / 255
    mean, std = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
    return np.ascontiguousarray(((scaled - mean) / std).transpose(2, 0, 1))


def our_crop(data: bytes) -> NDArray[np.uint8]:
    """The crop as the daemon computes it."""
    return crop(picture(data), RULE)


def our_input(data: bytes) -> NDArray[np.float32]:
    """The input as the daemon computes it."""
    return prepare(data, preprocessing=RULE)


def run() -> Report:
    """Measure each size and return the ratios."""
    figures, details = [], {}
    for size in (VGA, HD, FULL_HD):
        name = f"{size[0]}x{size[1]}"
        spent = _in_turns(jpegs(size, PICTURES), ROUNDS[size])
        figures.append(Figure(f"decode to crop / Pillow, {name}", _ratio(spent, our_crop, reference_crop), "", TARGET))
        figures.append(Figure(f"decode to tensor / Pillow, {name}", _ratio(spent, our_input, reference_input)))
        details[name] = {f"{work.__name__}_ms": round(statistics.median(times), 3) for work, times in spent.items()}
    return Report("preprocess", figures, details)


Work = Callable[[bytes], object]
Spent = dict[Work, list[float]]
"""Milliseconds a picture, one entry a round."""


def _in_turns(pictures: Sequence[bytes], rounds: int) -> Spent:
    contenders: tuple[Work, ...] = (reference_crop, our_crop, reference_input, our_input)
    spent: Spent = {work: [] for work in contenders}
    for number in range(rounds + 1):
        for work in contenders:
            began = time.perf_counter()
            for data in pictures:
                work(data)
            if number:  # the first round warms up
                spent[work].append((time.perf_counter() - began) * 1e3 / len(pictures))
    return spent


def _ratio(spent: Spent, ours: Work, reference: Work) -> float:
    return statistics.median(a / b for a, b in zip(spent[ours], spent[reference], strict=True))
