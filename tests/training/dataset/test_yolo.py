"""YOLO's folders as they are found: lists of classes in several forms, labels beside pictures or in a folder."""

from pathlib import Path

import pytest

from tests.training.dataset.samples import write_pictures
from training.dataset.annotations import DETECTION, SEGMENTATION, Box
from training.dataset.reading import read_dataset
from training.errors import DataError


def yolo(root: Path, names: str, labels: str = "1 0.5 0.5 0.2 0.4\n", *, file: str = "data.yaml") -> Path:
    write_pictures(root, ["images/train/a.png", "images/val/a.png"])
    for part in ("train", "val"):
        path = root / "labels" / part / "a.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(labels)
    (root / file).write_text(names)
    return root


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("data.yaml", "train: images/train\nnc: 2\nnames: [can, milk bottle]\n"),
        ("data.yaml", "names: ['can', \"milk bottle\"]  # two\n"),
        ("data.yaml", "path: x\nnames:\n  0: can\n  1: 'milk bottle' \nnc: 2\n"),
        ("data.yml", "names:\n- can\n# then\n- milk bottle # big\n\ntrain: x"),
        ("classes.txt", "can\nmilk bottle\n"),
    ],
)
def test_lists_of_classes(tmp_path: Path, file: str, names: str) -> None:
    """As Ultralytics, Roboflow and labelling tools write them; pictures of one name are told apart by folder."""
    read = read_dataset(yolo(tmp_path, names, file=file))
    assert (read.task, read.format) == (DETECTION, "yolo")
    assert [example.picture.name for example in read.examples] == ["images/train/a.png", "images/val/a.png"]
    (box,) = read.examples[0].marks
    assert isinstance(box, Box)
    assert (box.label, round(box.left, 9), round(box.bottom, 9)) == ("milk bottle", 0.4, 0.7)


def test_polygons_and_pictures_with_nothing_on_them(tmp_path: Path) -> None:
    """An empty file says that nothing is there; a missing one, that nobody has said."""
    root = yolo(tmp_path, "names: [a, b]", "0 0.1 0.1 0.9 0.1 0.9 0.9\n\n")
    (root / "labels/val/a.txt").write_text("")
    write_pictures(root, ["images/val/b.png"])
    read = read_dataset(root)
    assert read.task == SEGMENTATION
    assert [len(example.marks) for example in read.examples] == [1, 0]
    assert read.unlisted == ("images/val/b.png",)


def test_labels_beside_the_pictures(tmp_path: Path) -> None:
    """As labelImg writes them."""
    write_pictures(tmp_path, ["a.png", "b.png"])
    (tmp_path / "classes.txt").write_text("x\n")
    (tmp_path / "a.txt").write_text("0 0.5 0.5 1 1")
    assert [example.picture.name for example in read_dataset(tmp_path).examples] == ["a.png"]


@pytest.mark.parametrize(
    ("names", "labels", "why"),
    [
        ("names: [a]", "1 0.5 0.5 1 1", r"labels/train/a\.txt, line 1: .*class 1 has no name"),
        ("names: [a]", "0 0.5 0.5 1", "line 1: .*3 numbers after the class"),
        ("names: [a]", "\n0 0.5 x 1 1", "line 2"),
        ("names: &anchor\n  *other", "0 0.5 0.5 1 1", "names of classes cannot be read"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, names: str, labels: str, why: str) -> None:
    """With the file and the line."""
    with pytest.raises(DataError, match=why):
        read_dataset(yolo(tmp_path, names, labels))
