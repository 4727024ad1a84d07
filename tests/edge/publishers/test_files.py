"""CSV and JSON Lines files as ``automl-edge predict --output`` writes them."""

import csv
import json
from pathlib import Path

import pytest

from edge.errors import ConfigError, PublishError
from edge.publishers.files import open_writer
from edge.results import Classification, Failure
from tests.edge.publishers.results import BROKEN, GOOD

LABELS = ("good", "bad")
TAGS = Classification("good", 0.9, LABELS, (0.9, 0.8), selected=("good", "bad"))


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_csv_has_one_column_a_class(tmp_path: Path) -> None:
    """Path, label, score, the classes, error: failed pictures have their reason in their own row."""
    target = tmp_path / "results.csv"
    with open_writer(target, LABELS) as writer:
        writer.write("parts/a.jpg", GOOD)
        writer.write('parts/b,"1".jpg', BROKEN)
    assert rows(target) == [
        ["path", "label", "score", "good", "bad", "error"],
        ["parts/a.jpg", "good", "0.75", "0.75", "0.25", ""],
        ['parts/b,"1".jpg', "", "", "", "", "ImageDecodeError: not a picture"],
    ]


def test_csv_of_a_multilabel_model_names_the_selected_labels_at_the_end(tmp_path: Path) -> None:
    """The columns before it stay where they are for every model."""
    target = tmp_path / "results.csv"
    with open_writer(target, LABELS, multilabel=True) as writer:
        writer.write("a.jpg", TAGS)
        writer.write("b.jpg", BROKEN)
    assert rows(target)[0][-2:] == ["error", "selected"]
    assert rows(target)[1][-1] == "good;bad"
    assert len(rows(target)[2]) == len(rows(target)[0])


def test_json_lines_hold_the_prediction_as_over_http(tmp_path: Path) -> None:
    """One object a picture, with its path."""
    target = tmp_path / "results.JSONL"
    with open_writer(target, LABELS) as writer:
        writer.write("a.jpg", GOOD)
        writer.write("b.jpg", BROKEN)
    good, broken = map(json.loads, target.read_text().splitlines())
    assert good == {"path": "a.jpg", "label": "good", "score": 0.75, "labels": ["good", "bad"], "probs": [0.75, 0.25]}
    assert broken == {"path": "b.jpg", "error": {"kind": "ImageDecodeError", "detail": "not a picture"}}


@pytest.mark.parametrize("name", ["results.csv", "results.jsonl"])
def test_file_names_that_are_no_text_are_escaped(tmp_path: Path, name: str) -> None:
    """A name that is not UTF-8, or holds a line break, spoils no row."""
    target = tmp_path / name
    with open_writer(target, LABELS) as writer:
        writer.write("caf\udce9\n.jpg", GOOD)
    assert r"caf\udce9" in target.read_text(encoding="utf-8").replace("\\\\", "\\")


def test_an_interrupted_run_keeps_what_was_answered_apart(tmp_path: Path) -> None:
    """An earlier file stays as it was; the rows are in the partial file."""
    target = tmp_path / "results.csv"
    target.write_text("earlier")
    writer = open_writer(target, LABELS)

    def interrupted() -> None:
        with writer:
            writer.write("a.jpg", GOOD)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text() == "earlier"
    assert rows(writer.partial)[1][0] == "a.jpg"


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    """The error names the two that there are."""
    with pytest.raises(ConfigError, match=r"\.csv or \.jsonl"):
        open_writer(tmp_path / "results.xlsx", LABELS)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Nothing is written, and the person reads where and why."""
    with (
        pytest.raises(PublishError, match=r"cannot write .*nowhere.*No such file"),
        open_writer(tmp_path / "nowhere" / "results.csv", LABELS),
    ):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full to stand for a full disk")
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """However late the system reports it."""
    target = tmp_path / "results.csv"
    writer = open_writer(target, LABELS)
    writer.partial.symlink_to("/dev/full")

    def fill() -> None:
        with writer:
            for number in range(10_000):
                writer.write(f"{number}.jpg", Failure("X", "y" * 50))

    with pytest.raises(PublishError, match="No space left"):
        fill()
    assert not target.exists()
