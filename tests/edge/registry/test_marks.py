"""Marks: what the next process learns of how the last one ended."""

import json
from pathlib import Path

import pytest

from edge.registry.marks import Mark
from edge.registry.state import Kept

SEVEN, EIGHT = Kept("housings", "7", "a" * 64), Kept("housings", "8", "b" * 64)


def process(folder: Path) -> Mark:
    return Mark(folder / "trial.json", "on trial")


def test_deaths_in_a_row_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each process that ended in the middle counts, for that bundle only, and the log says so."""
    for deaths in range(3):
        mark = process(tmp_path)
        assert mark.deaths_with(SEVEN) == deaths
        assert mark.deaths_with(EIGHT) == 0
        mark.begin(SEVEN)
    assert process(tmp_path).deaths_with(SEVEN) == 3
    assert caplog.records[-1].message == "the last process ended with a model"


def test_an_end_wipes_the_slate(tmp_path: Path) -> None:
    """A process that outlived it proves that it can be outlived."""
    process(tmp_path).begin(SEVEN)
    mark = process(tmp_path)
    mark.begin(SEVEN)
    mark.end(SEVEN)
    assert process(tmp_path).deaths_with(SEVEN) == 0
    assert not (tmp_path / "trial.json").exists()


def test_a_bundle_does_not_hide_another(tmp_path: Path) -> None:
    """What is known of one stays when another one comes and goes."""
    process(tmp_path).begin(SEVEN)
    mark = process(tmp_path)
    mark.begin(EIGHT)
    mark.end(EIGHT)
    again = process(tmp_path)
    assert (again.deaths_with(SEVEN), again.deaths_with(EIGHT)) == (1, 0)


def test_a_clean_stop_is_no_death(tmp_path: Path) -> None:
    """But the next process knows that there was something to go on with."""
    mark = process(tmp_path)
    mark.begin(SEVEN)
    mark.pause(SEVEN)
    again = process(tmp_path)
    assert again.deaths_with(SEVEN) == 0
    assert again.open_with(SEVEN)
    assert not again.open_with(EIGHT)


def test_a_restart_of_the_machine_is_no_death(tmp_path: Path) -> None:
    """A mark of another start of the system tells of a power cut, not of a model."""
    process(tmp_path).begin(SEVEN)
    path = tmp_path / "trial.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"boot": "another"}))
    again = process(tmp_path)
    assert again.deaths_with(SEVEN) == 0
    assert again.open_with(SEVEN)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"deaths": 3}', '{"deaths": {"a": "x"}, "at": null}'])
def test_nonsense_counts_as_none(tmp_path: Path, content: str) -> None:
    """A damaged mark keeps no model away."""
    (tmp_path / "trial.json").write_text(content)
    mark = process(tmp_path)
    assert mark.deaths_with(SEVEN) == 0
    mark.begin(SEVEN)
    assert process(tmp_path).deaths_with(SEVEN) == 1


def test_a_disk_that_refuses_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without its mark a model is loaded all the same."""
    (tmp_path / ".partial-trial.json").mkdir()
    process(tmp_path).begin(SEVEN)
    assert "a crash would not be noticed" in caplog.text
