"""Whether files have changed: noticed once, cheaply, however it came about."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edge.changes import Changes


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_text("new")
    other.replace(path)


WAYS: dict[str, Callable[[Path], object]] = {
    "replaced by one of the same size": replaced,
    "written in place": lambda path: path.write_text("longer"),
    "gone": lambda path: path.unlink(),
    "its rights changed": lambda path: path.chmod(0o600),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_change_is_found_once(tmp_path: Path, way: str) -> None:
    """Whatever changed: the next look tells, the one after does not."""
    path, clock = tmp_path / "file", Clock()
    path.write_text("old")
    changes = Changes(path, every_s=1.0, monotonic=clock)
    WAYS[way](path)
    clock.now_s += 1.5
    assert changes.found()
    clock.now_s += 1.5
    assert not changes.found()


def test_a_link_that_is_turned_is_a_change(tmp_path: Path) -> None:
    """Mounted secrets are renewed that way."""
    for name in ("one", "two"):
        (tmp_path / name).write_text("same")
    link, clock = tmp_path / "link", Clock()
    link.symlink_to("one")
    changes = Changes(link, every_s=1.0, monotonic=clock)
    link.unlink()
    link.symlink_to("two")
    clock.now_s += 1.5
    assert changes.found()


def test_the_disk_is_asked_at_most_once_in_a_while(tmp_path: Path) -> None:
    """A change is not found before its time; a file that comes into being is one too."""
    path, clock = tmp_path / "file", Clock()
    changes = Changes(path, every_s=1.0, monotonic=clock)
    path.write_text("new")
    clock.now_s += 0.9
    assert not changes.found()
    clock.now_s += 0.2
    assert changes.found()


def test_what_could_not_be_read_counts_as_changed_again(tmp_path: Path) -> None:
    """So that a fault that passes by itself is got over."""
    path, clock = tmp_path / "file", Clock()
    path.write_text("x")
    changes = Changes(path, every_s=1.0, monotonic=clock)
    changes.forget()
    clock.now_s += 1.5
    assert changes.found()
