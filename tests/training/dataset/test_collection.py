"""A folder becomes a collection that is read, looked at, split and checked."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.training.dataset.samples import picture_bytes
from training.dataset.annotations import MULTILABEL
from training.dataset.collection import Care, collect
from training.dataset.drawn import encode, write_drawn
from training.dataset.parts import Shares
from training.dataset.reading import Wishes
from training.dataset.thumbnails import jpeg, thumbnail
from training.errors import DataError, UsageError


def test_a_folder_from_end_to_end(tmp_path: Path) -> None:
    """Rows of a part are by name; whoever waits hears of the pictures; JSON says it all."""
    list(write_drawn(tmp_path, count=60, seed=1, size=32))
    told: list[tuple[int, int]] = []
    found = collect(tmp_path, Wishes(task=MULTILABEL), Shares(0.2, 0.1, 3), told=lambda *some: told.append(some))
    assert told == [(60, 60)]
    assert (found.parts, found.findings, found.problems) == (["train", "validation", "test"], (), [])
    names = {part: [example.picture.name for example, _ in found.rows(part)] for part in found.parts}
    assert [len(names[part]) for part in found.parts] == [42, 12, 6]
    assert all(some == sorted(some) for some in names.values())
    assert len(found.files()) == 60
    assert found.as_json() == {
        "task": MULTILABEL,
        "format": "folders",
        "pictures": 60,
        "split": {"train": 42, "validation": 12, "test": 6},
        "classes": {label: {"train": 7, "validation": 2, "test": 1} for label in found.checked.dataset.classes},
        "findings": [],
    }


def test_the_split_is_that_of_the_contents(tmp_path: Path) -> None:
    """Another folder and other names, as on another machine: the same pictures are held out."""
    list(write_drawn(tmp_path / "one", count=60, seed=1, size=32))
    for path in (tmp_path / "one").rglob("*.png"):
        renamed = tmp_path / "two" / path.parent.name / f"z{hash(path.name) % 1000}-{path.name}"
        renamed.parent.mkdir(parents=True, exist_ok=True)
        renamed.write_bytes(path.read_bytes())
    held = [{seen.sha256 for _, seen in collect(tmp_path / name).rows("validation")} for name in ("one", "two")]
    assert held[0] == held[1]
    assert len(held[0]) == 12


def test_shares_that_leave_nothing_are_refused(tmp_path: Path) -> None:
    """There is nothing to learn from then."""
    with pytest.raises(DataError, match="nothing would be left to train on"):
        collect(tmp_path, shares=Shares(0.5, 0.5))


def test_copies_that_differ_in_their_bytes_stay_on_one_side(tmp_path: Path) -> None:
    """Every picture once more as JPEG: told of as hints; unless it is refused, and then what leaks is a warning."""
    originals = list(write_drawn(tmp_path, count=60, seed=1, size=64))
    for record in originals:
        record.path.with_suffix(".jpg").write_bytes(jpeg(thumbnail(record.path)))
    together, apart = collect(tmp_path), collect(tmp_path, care=Care(near=False))
    assert [finding.kind for finding in together.findings] == ["near-duplicate"]
    assert together.findings[0].count >= 58
    assert together.worries == []
    held = {Path(example.picture.name).stem for example, _ in together.rows("validation")}
    assert len(held) == 12
    assert {finding.kind: finding.level for finding in apart.findings} == {"leak": "warning", "near-duplicate": "hint"}


def test_a_copy_under_another_label(tmp_path: Path) -> None:
    """Whoever is right, one of them is wrong; both are named with their labels."""
    first, *_ = list(write_drawn(tmp_path, count=60, seed=1, size=64))
    (tmp_path / "Rolled/other.jpg").write_bytes(jpeg(thumbnail(first.path)))
    (finding,) = collect(tmp_path).findings
    assert (finding.kind, finding.count) == ("near-contradiction", 1)
    assert finding.where == ("Crazing/crazing_1.png (Crazing) ~ Rolled/other.jpg (Rolled)",)


def test_what_looks_all_the_same_is_split_all_the_same(tmp_path: Path) -> None:
    """A group that is more than half of its class cannot be kept together; what leaks is told of."""
    originals = list(write_drawn(tmp_path, count=60, seed=1, size=64))
    for number in range(30):
        copy = originals[0].path.with_name(f"copy{number}.jpg")
        copy.write_bytes(jpeg(thumbnail(originals[0].path)) + bytes([number]))
    found = collect(tmp_path)
    assert "validation" in found.parts
    assert [finding.kind for finding in found.findings] == ["leak"]


def test_pictures_of_one_strip_stay_together(tmp_path: Path) -> None:
    """As their names tell; a pattern that finds nothing is a mistake."""
    list(write_drawn(tmp_path, count=60, seed=1, size=32))
    found = collect(tmp_path, care=Care(by_name=re.compile(r"^(\w+)/\w+_(\d)")))
    sides: dict[str, set[str]] = {}
    for example, part in zip(found.checked.dataset.examples, found.checked.parts, strict=True):
        sides.setdefault(re.sub(r"(_\d).*", r"\1", example.picture.name), set()).add(part)
    assert len(sides) == 54
    assert all(len(some) == 1 for some in sides.values())
    with pytest.raises(UsageError, match="found in no picture's name"):
        collect(tmp_path, care=Care(by_name=re.compile("strip")))


def test_blank_tiny_and_few(tmp_path: Path) -> None:
    """Each is told of by name, with its size or count."""
    list(write_drawn(tmp_path, count=66, seed=1, size=64))
    write_drawn_blank(tmp_path / "Rolled/blank.png")
    (tmp_path / "Rare").mkdir()
    (tmp_path / "Rare/1.png").write_bytes(picture_bytes(1, width=200, height=8))
    found = {finding.kind: finding for finding in collect(tmp_path).findings}
    assert found["blank"].where == ("Rolled/blank.png",)
    assert found["tiny"].where == ("Rare/1.png: 200x8",)
    assert found["imbalance"].where == ("Rolled: 12, Rare: 1",)
    assert "tiny" not in {finding.kind for finding in collect(tmp_path, care=Care(least_side=8)).findings}


def write_drawn_blank(path: Path) -> None:
    path.write_bytes(encode(np.full((64, 64), 90, np.uint8)))
