"""Lines that are written are read as what they were."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.dataset.annotations import Box, Mark, Outline, Tag
from training.dataset.jsonl import line_of, read_jsonl
from training.errors import DataError

PLACE = "azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/d/paths"
share = st.floats(0, 1)
label = st.text(min_size=1, max_size=12)
boxes = st.builds(Box, label, share, share, share, share, st.booleans())
rings = st.lists(share, min_size=6, max_size=12).map(tuple)
outlines = st.builds(Outline, label, st.lists(rings, min_size=1, max_size=3).map(tuple), st.booleans())
several: st.SearchStrategy[list[Mark]] = st.one_of(
    st.lists(st.builds(Tag, label), max_size=4),
    st.lists(boxes, max_size=4),
    st.lists(outlines, max_size=4),
)


@given(st.lists(several, min_size=1, max_size=5), st.booleans())
def test_what_is_written_is_read(pictures: list[list[Mark]], known: bool) -> None:
    """Labels of any letters, coordinates to the last bit, sizes."""
    details = ("png", (400, 258)) if known else None
    lines = [line_of(f"{PLACE}/{n}.png", marks, many=True, details=details) for n, marks in enumerate(pictures)]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "train.jsonl"
        file.write_bytes("".join(f"{line}\n" for line in lines).encode())
        entries = read_jsonl(file)
    assert [list(entry.marks) for entry in entries] == pictures
    assert [entry.url for entry in entries] == [f"{PLACE}/{n}.png" for n in range(len(pictures))]
    assert {entry.size for entry in entries} == {(400, 258) if known else None}


def test_lines_are_as_automl_takes_them() -> None:
    """The keys, their order and the kinds of their values for each task."""
    details = ("jpg", (400, 258))
    assert json.loads(line_of("u", [Tag("can")], many=False, details=details)) == {
        "image_url": "u",
        "image_details": {"format": "jpg", "width": "400px", "height": "258px"},
        "label": "can",
    }
    assert json.loads(line_of("u", [Tag("a"), Tag("b")], many=True, details=None)) == {
        "image_url": "u",
        "label": ["a", "b"],
    }
    corners = {"topX": 0.0, "topY": 0.25, "bottomX": 0.5, "bottomY": 1.0}
    assert json.loads(line_of("u", [Box("a", -1e-4, 0.25, 0.5, 1.0003)], many=True, details=None))["label"] == [
        {"label": "a", **corners, "isCrowd": 0}
    ]
    ring = (0.0, 0.0, 1.0, 0.0, 1.0, 1.0)
    assert json.loads(line_of("u", [Outline("a", (ring,), crowd=True)], many=True, details=None))["label"] == [
        {"label": "a", "isCrowd": 1, "polygon": [list(ring)]}
    ]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, or not UTF-8."""
    with pytest.raises(DataError, match=r"no\.jsonl: cannot be read"):
        read_jsonl(tmp_path / "no.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b'{"image_url": "\xe9"}')
    with pytest.raises(DataError, match=r"latin\.jsonl: cannot be read"):
        read_jsonl(tmp_path / "latin.jsonl")
