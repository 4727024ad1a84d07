"""The drawn surfaces: the same pixels for the same seed, six classes that look different, files where they belong."""

from pathlib import Path

import numpy as np
import pytest

from training.dataset.drawn import defects, draw, write_drawn
from training.dataset.folders import read_folders
from training.dataset.records import classes_of
from training.errors import DataError

LABELS = list(defects())


@pytest.mark.parametrize("label", LABELS)
def test_same_seed_same_pixels(label: str) -> None:
    """The same class, number and seed give the same picture; another number or seed another one."""
    picture = draw(label, 1, seed=5)
    assert picture.shape == (200, 200)
    assert picture.dtype == np.uint8
    assert np.array_equal(picture, draw(label, 1, seed=5))
    assert not np.array_equal(picture, draw(label, 2, seed=5))
    assert not np.array_equal(picture, draw(label, 1, seed=6))


def test_pixels_are_those_of_the_first_release() -> None:
    """A fixed picture keeps its mean grey levels: whoever changes the drawing has to train the shipped model again."""
    means = [float(draw(label, 1, seed=0).mean()) for label in LABELS]
    assert means == pytest.approx([140, 168, 147, 132, 157, 73], abs=1.5)


@pytest.mark.parametrize("size", [16, 64, 200, 333])
def test_any_size(size: int) -> None:
    """A picture of another size shows the whole surface in that size."""
    assert draw("Rolled", 1, seed=0, size=size).shape == (size, size)


def test_classes_differ() -> None:
    """Simple figures tell classes apart: scratches are bright lines, inclusions dark, patches the strongest."""
    pictures = {label: [draw(label, n, seed=1).astype(float) for n in range(1, 9)] for label in LABELS}
    skew = {label: np.mean([((p - p.mean()) ** 3).mean() / p.std() ** 3 for p in pictures[label]]) for label in LABELS}
    spread = {label: np.mean([p.std() for p in pictures[label]]) for label in LABELS}
    assert skew["Scratches"] > 1 > -0.2 > skew["Inclusion"]
    assert max(spread, key=lambda label: spread[label]) == "Patches"
    assert spread["Crazing"] > spread["Inclusion"]


def test_unknown_class_and_tiny_size_are_refused() -> None:
    """The error names what there is."""
    with pytest.raises(DataError, match=r"no class 'Rust'.*Crazing"):
        draw("Rust", 1, seed=0)
    with pytest.raises(DataError, match="at least 16"):
        draw("Rolled", 1, seed=0, size=8)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_written_as_class_folders(tmp_path: Path, suffix: str) -> None:
    """The classes take turns, and the folders read back as what was written."""
    written = list(write_drawn(tmp_path / "out", count=8, seed=0, size=32, suffix=suffix))
    assert len(written) == 8
    assert (tmp_path / "out" / "Crazing" / f"crazing_2{suffix}").is_file()
    records = read_folders([tmp_path / "out"])
    assert sorted(records, key=str) == sorted(written, key=str)
    assert classes_of(records) == LABELS


def test_unwritable_target_is_named(tmp_path: Path) -> None:
    """A file in the place of the folder ends in an error that names it."""
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(DataError, match="out"):
        list(write_drawn(tmp_path / "out", count=1, seed=0))
