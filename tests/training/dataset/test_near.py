"""Pictures that look the same are found, and honest ones that are only alike are not."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from training.dataset.drawn import defects, draw
from training.dataset.near import Near, Seen, near_groups
from training.dataset.sight import sight_of

Picture = NDArray[np.uint8]


def seen(*pictures: Picture) -> list[Seen]:
    return [Seen(sight_of(picture), picture.shape[1] / picture.shape[0]) for picture in pictures]


@pytest.fixture(scope="module")
def drawn() -> list[Picture]:
    """Twenty pictures of each class."""
    return [draw(label, number, 0, 128) for label in defects() for number in range(20)]


def encoded(quality: int) -> Callable[[Picture], Picture]:
    return lambda p: np.asarray(cv2.imdecode(cv2.imencode(".jpg", p, [1, quality])[1], cv2.IMREAD_GRAYSCALE), np.uint8)


COPIES: dict[str, Callable[[Picture], Picture]] = {
    "JPEG, good": encoded(90),
    "JPEG, poor": encoded(40),
    "half the size": lambda p: np.asarray(cv2.resize(p, (64, 64), interpolation=cv2.INTER_AREA), np.uint8),
    "brighter": lambda p: np.clip(p * 0.8 + 30, 0, 255).astype(np.uint8),
    "in colour": lambda p: np.repeat(p[..., None], 3, axis=2),
    "noisy": lambda p: np.clip(p + np.random.default_rng(0).normal(0, 4, p.shape), 0, 255).astype(np.uint8),
}


@pytest.mark.parametrize("way", COPIES)
def test_copies_are_found(drawn: list[Picture], way: str) -> None:
    """Nineteen of twenty at least, each with its own original and nothing else."""
    found = near_groups(seen(*drawn, *map(COPIES[way], drawn)))
    assert found.complete
    assert len(found.groups) >= 0.95 * len(drawn)
    assert all(len(group) == 2 and group[1] - group[0] == len(drawn) for group in found.groups)


def test_honest_pictures_of_one_kind_are_no_copies(drawn: list[Picture]) -> None:
    """Textures of one class are alike, and none is the same."""
    assert near_groups(seen(*drawn)) == Near()


def test_one_lamp_makes_no_copies() -> None:
    """Smooth light that all pictures share says nothing about what is on them."""
    rng = np.random.default_rng(0)
    light = 128 + 60 * np.sin(np.linspace(0, 3, 96))[:, None] * np.cos(np.linspace(0, 2, 96))
    pictures = [np.clip(light + rng.normal(0, 12, (96, 96)), 0, 255).astype(np.uint8) for _ in range(40)]
    assert near_groups(seen(*pictures)) == Near()


def test_a_part_that_was_not_there_makes_another_picture() -> None:
    """Before one background, a thing of a sixth of the width is seen."""
    rng = np.random.default_rng(0)
    scene = np.asarray(cv2.GaussianBlur(rng.normal(128, 400, (96, 96)), (0, 0), 4)).clip(0, 255).astype(np.uint8)
    other = scene.copy()
    other[40:56, 40:56] = 255 - other[40:56, 40:56].mean().astype(np.uint8) // 2 * 2
    assert near_groups(seen(scene, scene)).groups == ((0, 1),)
    assert near_groups(seen(scene, other)) == Near()


def test_what_shows_nothing_is_like_nothing() -> None:
    """Blank pictures are told of as such; what could not be seen is left out."""
    blank = np.full((40, 40), 90, np.uint8)
    assert near_groups([None, *seen(blank, blank), None]) == Near()
    assert near_groups([]) == Near()


def test_other_shapes_are_other_pictures(drawn: list[Picture]) -> None:
    """A picture that was squeezed is not the same."""
    squeezed = np.asarray(cv2.resize(drawn[0], (128, 64)), np.uint8)
    assert near_groups(seen(drawn[0], squeezed)) == Near()
