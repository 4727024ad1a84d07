"""The journal of delivered files."""

from pathlib import Path

from edge.sources.journal import SPARE_ENTRIES, Journal, Seen


def entries(count: int) -> list[Seen]:
    return [Seen(f"{number}.jpg", 10, number) for number in range(count)]


def written(path: Path, seen: list[Seen]) -> Path:
    journal = Journal(path)
    for one in seen:
        journal.add(one)
    return path


def loaded(path: Path, present: list[Seen]) -> Journal:
    journal = Journal(path)
    journal.load(present)
    return journal


def test_it_remembers_across_instances(tmp_path: Path) -> None:
    """Name, size and time together are one picture."""
    path = written(tmp_path / "new" / "journal", entries(2))
    journal = loaded(path, entries(2))
    assert Seen("1.jpg", 10, 1) in journal
    assert Seen("1.jpg", 11, 1) not in journal


def test_half_a_line_left_by_a_power_cut_is_cut_off(tmp_path: Path) -> None:
    """All before it stands, and what is added later is readable."""
    path = written(tmp_path / "journal", entries(2))
    path.write_text(path.read_text() + '["2.jp')
    journal = loaded(path, entries(3))
    journal.add(Seen("2.jpg", 10, 2))
    assert all(seen in loaded(path, entries(3)) for seen in entries(3))


def test_it_forgets_files_that_are_gone_once_they_are_most_of_it(tmp_path: Path) -> None:
    """So it does not grow for ever."""
    many = entries(SPARE_ENTRIES + 20)
    path = written(tmp_path / "journal", many)
    loaded(path, many[:5])
    assert len(path.read_text().splitlines()) == 5


def test_an_empty_folder_forgets_nothing(tmp_path: Path) -> None:
    """Its share may not be mounted yet."""
    many = entries(SPARE_ENTRIES + 20)
    path = written(tmp_path / "journal", many)
    assert many[0] in loaded(path, [])
    assert many[0] in loaded(path, many)
