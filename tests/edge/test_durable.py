"""Durable files: all of it or nothing of it is seen."""

from pathlib import Path

import pytest

from edge.durable import replace_file, sync_folder
from tests.disks import full_disk


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    """The partial file becomes the file."""
    file = tmp_path / "state.json"
    for data in (b"old", b"new"):
        replace_file(file, data, partial=tmp_path / ".partial")
        sync_folder(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"state.json": b"new"}


def test_what_cannot_be_written_leaves_the_old_content(tmp_path: Path) -> None:
    """A partial file that cannot be made changes nothing."""
    file = tmp_path / "state.json"
    file.write_bytes(b"old")
    with pytest.raises(FileNotFoundError):
        replace_file(file, b"new", partial=tmp_path / "gone" / ".partial")
    assert file.read_bytes() == b"old"


def test_a_full_disk_leaves_no_part(tmp_path: Path) -> None:
    """It would hold the very room that is missing."""
    file = tmp_path / "state.json"
    file.write_bytes(b"old")
    with full_disk(50_000), pytest.raises(OSError, match="File too large"):
        replace_file(file, bytes(100_000), partial=tmp_path / ".partial")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"state.json": b"old"}
