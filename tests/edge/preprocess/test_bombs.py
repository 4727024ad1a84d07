"""Decompression bombs: stopped by their headers, in a gigabyte and seconds for all of them together."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import ImageTooLargeError
from edge.preprocess.decode import decode
from tests.edge.preprocess import bombs

PROJECT = Path(__file__).parents[3]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits and /proc are Linux's")
def test_no_bomb_goes_off() -> None:
    """In a process that may have 1 GiB more and 30 s: each is refused as the sender's fault, or costs little."""
    command = [sys.executable, "-m", "tests.edge.preprocess.bombs"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    outcomes = json.loads(done.stdout)
    assert {name for name in bombs.REFUSED if outcomes[name] == "decoded"} == set()
    assert set(outcomes) == {*bombs.REFUSED, *bombs.HARMLESS}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("PNG with a million chunks", "more than 20,000 chunks"),
        ("TIFF with 7 million strips", "7,340,032 values in field 273, the limit is 200,000"),
        ("JPEG with 1,000 scans", "scans, the limit is 32"),
    ],
)
def test_what_is_too_much_is_named(name: str, says: str) -> None:
    """With the limit."""
    with pytest.raises(ImageTooLargeError, match=says):
        decode(bombs.REFUSED[name]())


@pytest.mark.parametrize("name", ["JPEG", "progressive JPEG", "PNG with one large profile"])
def test_what_is_usual_is_decoded(name: str) -> None:
    """Ten scans, and a colour profile."""
    assert decode(bombs.HARMLESS[name]()).shape[2] == 3
