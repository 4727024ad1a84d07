"""Class folders become records in a fixed order; what cannot be used is named."""

from pathlib import Path

import pytest

from training.dataset.folders import read_folders
from training.dataset.records import Record, classes_of, content_hash
from training.errors import DataError


def _touch(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_records_are_sorted_and_labelled_by_folder(tmp_path: Path) -> None:
    """Pictures of every suffix count, in order of class and name; hidden and other files do not."""
    wanted = [_touch(tmp_path / name) for name in ("a/1.JPG", "a/2.png", "b/0.bmp")]
    for other in ("a/.3.png", "a/notes.txt", ".hidden/1.png", "readme.md"):
        _touch(tmp_path / other)
    assert read_folders([tmp_path]) == [Record(path, (path.parent.name,)) for path in wanted]


def test_several_roots_share_classes(tmp_path: Path) -> None:
    """Roots are read one after the other; a class may be in both."""
    _touch(tmp_path / "one/b/1.png")
    _touch(tmp_path / "two/a/1.png")
    _touch(tmp_path / "two/b/2.png")
    records = read_folders([tmp_path / "one", tmp_path / "two"])
    assert [record.label for record in records] == ["b", "a", "b"]
    assert classes_of(records) == ["a", "b"]


def test_unusable_folders_are_named(tmp_path: Path) -> None:
    """A missing folder, one without classes and a class without pictures each say what to do."""
    with pytest.raises(DataError, match=r"nowhere.*no such folder"):
        read_folders([tmp_path / "nowhere"])
    with pytest.raises(DataError, match="no class folders"):
        read_folders([tmp_path])
    _touch(tmp_path / "a/notes.txt")
    with pytest.raises(DataError, match="a: no pictures"):
        read_folders([tmp_path])


def test_content_hash_follows_content_not_place(tmp_path: Path) -> None:
    """The same files elsewhere hash the same; another label or other bytes do not."""
    for root in ("one", "two", "three", "four"):
        _touch(tmp_path / root / ("b" if root == "three" else "a") / "1.png", b"y" if root == "four" else b"x")
    one, two, three, four = (content_hash(read_folders([tmp_path / r])) for r in ("one", "two", "three", "four"))
    assert one == two
    assert len({one, three, four}) == 3
