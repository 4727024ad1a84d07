"""The folder of a sweep is one sweep's, and one at a time works in it."""

import os
from pathlib import Path

import pytest

from training.errors import StorageError, UsageError
from training.local.sweep.folder import claimed, is_running, trial_folder

ASKED = 'name = "line"\n[limits]\nmax_trials = 2\n'


def space(folder: Path, text: str = ASKED) -> Path:
    (folder / "space.toml").write_text(text)
    return folder / "space.toml"


def test_two_sweeps_do_not_work_in_one_folder(tmp_path: Path) -> None:
    """The second is told; afterwards the folder is free."""
    folder = tmp_path / "out"
    assert not is_running(folder)
    with claimed(folder, space(tmp_path)):
        assert is_running(folder)
        with pytest.raises(UsageError, match="a sweep runs in it"), claimed(folder, space(tmp_path)):
            pass
    assert not is_running(folder)


@pytest.mark.parametrize("text", ["# said again\n" + ASKED, ASKED.replace("2", "9")])
def test_the_same_sweep_goes_on(tmp_path: Path, text: str) -> None:
    """Comments and limits may change; the copy is what was asked last."""
    with claimed(tmp_path / "out", space(tmp_path)):
        pass
    with claimed(tmp_path / "out", space(tmp_path, text)):
        assert (tmp_path / "out/space.toml").read_text() == text


def test_another_sweep_is_refused(tmp_path: Path) -> None:
    """With what to do; the copy stays."""
    with claimed(tmp_path / "out", space(tmp_path)):
        pass
    other = space(tmp_path, ASKED.replace("line", "lane"))
    with pytest.raises(UsageError, match="Give another --output"), claimed(tmp_path / "out", other):
        pass
    assert (tmp_path / "out/space.toml").read_text() == ASKED


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file in its place, as a read-only disk would do."""
    (tmp_path / "out").write_text("")
    with pytest.raises(StorageError, match="cannot be written"), claimed(tmp_path / "out", space(tmp_path)):
        pass


@pytest.mark.skipif(os.getuid() == 0, reason="root writes everywhere")
def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    """With the remedy."""
    (tmp_path / "out").mkdir(mode=0o500)
    with pytest.raises(StorageError, match="give another --output"), claimed(tmp_path / "out", space(tmp_path)):
        pass


def test_trials_have_folders_in_order() -> None:
    """As long as there are no more than AutoML takes."""
    assert [trial_folder(Path("s"), number).name for number in (7, 999)] == ["0007", "0999"]
