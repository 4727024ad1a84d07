"""Which pictures calibrate."""

from collections import Counter
from pathlib import Path

import pytest

from training.calibration_pictures import chosen_records
from training.dataset.records import Record
from training.errors import DataError


def pictures(folder: Path, counts: dict[str, int], content: str = "") -> list[Record]:
    folder.mkdir()
    records = []
    for label, count in counts.items():
        for number in range(count):
            path = folder / f"{label}{number}.png"
            path.write_text(f"{content}{label}{number}")
            records.append(Record(path, (label,)))
    return records


def test_classes_take_turns(tmp_path: Path) -> None:
    """Each class gives as many as any other as far as it goes, and the same ones every time."""
    records = pictures(tmp_path / "a", {"rare": 2, "usual": 30})
    chosen = chosen_records(records, [], 10)
    assert Counter(record.label for record in chosen) == {"rare": 2, "usual": 8}
    assert chosen == chosen_records(records, [], 10)
    assert len(chosen_records(records, [], 100)) == 32


def test_copies_are_taken_once_and_judged_ones_never(tmp_path: Path) -> None:
    """What counts is a picture's content, not its name or place."""
    records, copies = pictures(tmp_path / "a", {"x": 3}), pictures(tmp_path / "b", {"x": 3})
    assert len(chosen_records([*records, *copies], [], 10)) == 3
    assert {record.path.name for record in chosen_records(records, copies[:2], 10)} == {"x2.png"}
    with pytest.raises(DataError, match="is one to judge by"):
        chosen_records(records, copies, 10)


def test_none_are_refused(tmp_path: Path) -> None:
    """Without pictures, or with one that is gone, it says so."""
    with pytest.raises(DataError, match="--calibrate DATA"):
        chosen_records([], [], 10)
    with pytest.raises(DataError, match=r"gone\.png: cannot be read"):
        chosen_records([Record(tmp_path / "gone.png", ("x",))], [], 10)
