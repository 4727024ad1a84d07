"""`automl-train data check --sheet | convert | split` as they are typed."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.training.dataset.samples import picture_bytes, write_lines, write_pictures
from training.cli import main
from training.dataset.drawn import write_drawn


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["data", *map(str, words)], env={"COLUMNS": "80"})


@pytest.fixture
def steel(tmp_path: Path) -> Path:
    """Sixty pictures of six classes."""
    list(write_drawn(tmp_path / "steel", count=60, seed=1, size=48))
    return tmp_path / "steel"


def test_what_looks_wrong_is_on_a_sheet(steel: Path, tmp_path: Path) -> None:
    """The damaged and the tiny, beside suspects where scikit-learn is; as a page or a picture."""
    pytest.importorskip("jinja2")
    (steel / "Rolled/cut.png").write_bytes(picture_bytes()[:100])
    (steel / "Rolled/tiny.png").write_bytes(picture_bytes())
    result = run("check", steel, "--sheet", tmp_path / "sheet.html")
    assert result.exit_code == 1
    assert "pictures to look at in " in result.stderr
    page = (tmp_path / "sheet.html").read_text()
    assert "Tiny: 1 picture" in page
    assert "Cannot be used: 1 picture" in page
    assert "Rolled/tiny.png" in page
    pytest.importorskip("matplotlib")
    run("check", steel, "--sheet", tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("name", "message"), [("s.jpg", ".html or .png"), ("no/s.png", "no such folder")])
def test_a_sheet_that_could_not_be_written_is_refused_first(
    steel: Path, tmp_path: Path, name: str, message: str
) -> None:
    """Before thousands of pictures are looked at."""
    pytest.importorskip("jinja2")
    result = run("check", steel, "--sheet", tmp_path / name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_there_and_back(steel: Path, tmp_path: Path) -> None:
    """Class folders become JSONL and class folders again, with the same pictures under the same names."""
    assert run("convert", steel, tmp_path / "lines", "--to", "jsonl").stdout.startswith("60 pictures in ")
    assert run("convert", tmp_path / "lines", tmp_path / "back", "--to", "folders", "--link").exit_code == 0
    before = {path.relative_to(steel): path.read_bytes() for path in steel.rglob("*.png")}
    assert before == {path.relative_to(tmp_path / "back"): path.read_bytes() for path in tmp_path.rglob("back/*/*.png")}


def test_what_a_conversion_loses_is_told(tmp_path: Path) -> None:
    """And what a format cannot hold at all is refused, without a trace."""
    write_pictures(tmp_path / "in", ["1.png"])
    label = {"label": "a", "polygon": [[0.1, 0.1, 0.9, 0.1, 0.9, 0.9]]}
    write_lines(tmp_path / "in/l.jsonl", [{"image_url": "1.png", "label": [label]}])
    done = run("convert", tmp_path / "in", tmp_path / "out", "--to", "voc")
    assert (done.exit_code, done.stdout) == (0, f"1 pictures in {tmp_path / 'out'}\n")
    assert "1 polygons became the boxes around them" in done.stderr
    refused = run("convert", tmp_path / "in", tmp_path / "no", "--to", "folders")
    assert (refused.exit_code, (tmp_path / "no").exists()) == (1, False)
    assert "error: 1.png: has boxes or polygons" in refused.stderr
    again = run("convert", tmp_path / "in", tmp_path / "out", "--to", "voc")
    assert "is there already and not empty" in again.stderr


def test_a_split_into_folders(steel: Path, tmp_path: Path) -> None:
    """A collection a part, in the same format; each picture once; the same seed, the same split."""
    shares = ("--validation-share", "0.2", "--test-share", "0.1", "--seed", "3")
    result = run("split", steel, tmp_path / "one", *shares)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1].split() == ["pictures", "42", "12", "6"]
    run("split", steel, tmp_path / "two", *shares, "--to", "coco")
    parts = {part: sorted(path.name for path in (tmp_path / "one" / part).rglob("*.png")) for part in ("train", "test")}
    assert [len(names) for names in parts.values()] == [42, 6]
    assert not set(parts["train"]) & set(parts["test"])
    for part, names in parts.items():
        assert sorted(path.name for path in (tmp_path / "two" / part / "images").rglob("*.png")) == names


def test_no_split_of_what_nobody_can_learn_from(steel: Path, tmp_path: Path) -> None:
    """A picture that is cut off is named, and nothing is made."""
    shutil.copytree(steel, tmp_path / "in")
    damaged = next((tmp_path / "in").rglob("*.png"))
    damaged.write_bytes(damaged.read_bytes()[:200])
    result = run("split", tmp_path / "in", tmp_path / "out")
    assert result.exit_code == 1
    assert "1 files that are no whole picture" in result.stderr
    assert damaged.name in result.stderr
    assert not (tmp_path / "out").exists()


def test_wrong_patterns(steel: Path, tmp_path: Path) -> None:
    """Named, and nothing is made."""
    for pattern, message in (("(", "no regular expression"), ("strip", "found in no picture's name")):
        result = run("split", steel, tmp_path / "out", "--by-name", pattern)
        assert result.exit_code == 2
        assert message in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_new_collection_inside_the_old_one(steel: Path) -> None:
    """It would become a part of what it was made of."""
    for words in (("convert", steel, steel / "new", "--to", "csv"), ("split", steel, steel)):
        result = run(*words)
        assert result.exit_code == 2
        assert "would be read as a part of it" in result.stderr
    assert not (steel / "new").exists()
