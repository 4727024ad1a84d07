"""A search on the disk."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.local.auto.simulated import search, simulation
from training.errors import DataError
from training.local.auto.search import SEARCH_FILE, Outcome, read_search, write_search


def test_a_search_reads_back_as_it_was(tmp_path: Path) -> None:
    """Trials, speeds, outcome and all."""
    found = simulation(1800).run()
    found = replace(found, outcome=Outcome(chosen=1, passed_over=("x",), test={"right": 3}), unusable={"a": "b"})
    write_search(tmp_path, found)
    assert read_search(tmp_path) == found
    assert [path.name for path in tmp_path.iterdir()] == [SEARCH_FILE]


def test_an_empty_folder_holds_none(tmp_path: Path) -> None:
    """Then a search begins."""
    assert read_search(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"schema": "automl-edge/auto/0"}', "null", "\udcff"])
def test_what_is_no_search_is_refused(tmp_path: Path, content: str) -> None:
    """In one line that names the file and the remedy."""
    (tmp_path / SEARCH_FILE).write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=r"auto\.json: is no search .*another --folder"):
        read_search(tmp_path)


def test_a_field_that_is_gone_is_told(tmp_path: Path) -> None:
    """A file of another version is refused, not guessed at."""
    told = search(60).as_dict()
    told["facts"]["more"] = 1
    (tmp_path / SEARCH_FILE).write_text(json.dumps(told))
    with pytest.raises(DataError, match="more"):
        read_search(tmp_path)
