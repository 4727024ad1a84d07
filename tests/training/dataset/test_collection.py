"""A folder becomes a collection that is read, looked at, split and checked."""

from pathlib import Path

import pytest

from training.dataset.annotations import MULTILABEL
from training.dataset.collection import collect
from training.dataset.drawn import write_drawn
from training.dataset.parts import Shares
from training.dataset.reading import Wishes
from training.errors import DataError


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
