"""`automl-train mine`: from pictures to those that a person should look at."""

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")
pytest.importorskip("onnx")

from edge.bundle import MULTILABEL
from tests.disks import full_disk
from tests.fakes import COLOURS, Rgb, encoded, make_bundle, picture
from training.cli import main
from training.dataset.reading import read_dataset
from training.dataset.records import Record
from training.errors import DataError
from training.hard_negatives import Chosen, Hard
from training.set_aside import copy_by_answer


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["mine", *map(str, words)], env={"COLUMNS": "80"})


def spotted(colour: Rgb, seed: int) -> bytes:
    """Return a picture of one mean colour with a pattern of its own."""
    drawn = np.random.default_rng(seed).normal(0, 25, (6, 6, 3)).repeat(8, axis=0).repeat(8, axis=1)
    even = drawn - drawn.mean(axis=(0, 1)) + np.array(colour)
    return encoded(np.clip(even, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that tells colours."""
    return make_bundle(tmp_path_factory.mktemp("bundle") / "1")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Clear colours, one under a wrong label; three that are between two, one of these four times; one is broken."""
    for name, colour in COLOURS.items():
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(5):
            (tmp_path / "data" / name / f"{number}.png").write_bytes(spotted(colour, number + 10 * len(name)))
    (tmp_path / "data/dark/wrong.png").write_bytes(spotted(COLOURS["red"], 77))
    between = {"blue/half.png": (57, 57, 108), "red/half.png": (110, 58, 58), "red/strip.png": (105, 57, 60)}
    for seed, (name, colour) in enumerate(between.items()):
        (tmp_path / "data" / name).write_bytes(spotted(colour, 100 + seed))
    for number in range(3):
        shutil.copy(tmp_path / "data/red/strip.png", tmp_path / f"data/red/strip{number}.png")
    (tmp_path / "data/red/broken.png").write_bytes(b"no picture")
    return tmp_path / "data"


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_uncertain_ones_are_told_once_each(bundle: Path, data: Path) -> None:
    """With what the model wavers between; of four that look the same, one."""
    found = told(run(bundle, data, "--count", 3, "--json"))
    names = {Path(one["path"]).stem.rstrip("012") for one in found["hard"]}
    assert names == {"half", "strip"}
    strip = next(one for one in found["hard"] if "strip" in one["path"])
    assert (strip["kind"], strip["alike"], strip["label"]) == ("uncertain", 3, "")
    assert " or " in strip["reason"]
    assert (found["pictures"], found["mistakes"]) == (27, None)
    assert [Path(one["path"]).name for one in found["unreadable"]] == ["broken.png"]


def test_where_a_camera_stood_still_other_pictures_are_found_all_the_same(bundle: Path, data: Path) -> None:
    """A hundred frames of one strip are one picture, and no reason to stop."""
    for number in range(100):
        shutil.copy(data / "red/strip.png", data / f"red/frame{number}.png")
    found = told(run(bundle, data, "--count", 3, "--json"))
    assert len(found["hard"]) == 3
    (strip,) = (one for one in found["hard"] if "frame" in one["path"] or "strip" in one["path"])
    assert strip["alike"] >= 20


def test_with_labels_the_confident_mistakes_come_first(bundle: Path, data: Path) -> None:
    """A wrong label among them."""
    found = told(run(bundle, data, "--labelled", "--count", 4, "--json"))
    first = found["hard"][0]
    assert (Path(first["path"]).name, first["kind"], first["answer"], first["label"]) == (
        "wrong.png",
        "mistake",
        "red",
        "dark",
    )
    assert first["reason"].startswith("says red 0.9")
    assert len(found["hard"]) == 4
    only = told(run(bundle, data, "--labelled", "--by", "confident-mistakes", "--json"))
    assert {one["kind"] for one in only["hard"]} == {"mistake"}


def test_a_person_reads_a_table_and_a_count(bundle: Path, data: Path) -> None:
    """Which fits into 80 columns; the unreadable ones are named."""
    result = run(bundle, data, "--labelled", "--count", 2)
    assert result.stdout.splitlines()[0].split() == ["margin", "entropy", "why", "picture"]
    assert "27 pictures: " in result.stderr
    assert "warning: 1 picture cannot be read" in result.stderr
    assert "broken.png" in result.stderr


def test_lists_lie_beside_the_folder_that_the_next_fit_takes(bundle: Path, data: Path, tmp_path: Path) -> None:
    """Copies are sorted by answer; the folder is a collection as it stands."""
    result = run(bundle, data, "--count", 3, "--output", tmp_path / "next", "--copy")
    assert result.exit_code == 0, result.output
    with (tmp_path / "next.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [json.loads(line)["path"] for line in (tmp_path / "next.jsonl").read_text().splitlines()] == [
        row["path"] for row in rows
    ]
    copied = read_dataset(tmp_path / "next").examples
    assert len(copied) == 3
    assert {example.labels[0] for example in copied} == {row["answer"] for row in rows}


def test_copying_again_overwrites_nothing(bundle: Path, data: Path, tmp_path: Path) -> None:
    """The same pictures are left, other ones of the same name get a number, what a person put there stays."""
    asked = (bundle, data, "--count", 3, "--output", tmp_path / "next", "--copy")
    run(*asked)
    files = sorted((tmp_path / "next").rglob("*.png"))
    files[0].write_bytes(b"a person's")
    assert "next: 1; there already: 2" in run(*asked).stderr
    assert files[0].read_bytes() == b"a person's"
    assert len(sorted((tmp_path / "next").rglob("*.png"))) == 4
    assert not list((tmp_path / "next").rglob(".*"))


def test_what_is_read_is_not_overwritten(bundle: Path, tmp_path: Path) -> None:
    """The list beside the folder may have the very name of the labels, the sheet that of a picture."""
    picture_file, labels = tmp_path / "x.png", tmp_path / "parts.jsonl"
    picture_file.write_bytes(spotted(COLOURS["red"], 1))
    labels.write_text('{"image_url": "x.png", "label": "red"}\n')
    listed = run(bundle, labels, "--labelled", "--output", tmp_path / "parts")
    drawn = run(bundle, picture_file, "--sheet", picture_file)
    assert [(one.exit_code, "would be overwritten" in one.stderr) for one in (listed, drawn)] == [(2, True)] * 2


def test_a_full_disk_leaves_no_part_of_a_copy(tmp_path: Path) -> None:
    """Not under the picture's name, where a person would take it for one, nor under another."""
    picture_file = tmp_path / "big.png"
    picture_file.write_bytes(bytes(100_000))
    hard = Hard(str(picture_file), "blue", 0.5, 0.0, 1.0, "uncertain", "", "", 0)
    with full_disk(50_000), pytest.raises(DataError, match="cannot be written"):
        copy_by_answer(tmp_path / "next", [Chosen(Record(picture_file, ()), hard)])
    assert list((tmp_path / "next/blue").iterdir()) == []


def test_names_that_are_no_utf_8_are_printed(bundle: Path, tmp_path: Path) -> None:
    """With a backslash, wherever standard output goes, those of unreadable pictures too."""
    for name, content in (("red.png", spotted(COLOURS["red"], 1)), ("broken.png", b"no picture")):
        (tmp_path / os.fsdecode(b"\xff" + name.encode())).write_bytes(content)
    found = told(run(bundle, tmp_path, "--json"))
    assert found["hard"][0]["path"].endswith(r"\udcffred.png")
    assert found["unreadable"][0]["path"].endswith(r"\udcffbroken.png")


@pytest.mark.parametrize("suffix", [".html", ".png"])
def test_a_sheet_shows_them(bundle: Path, data: Path, tmp_path: Path, suffix: str) -> None:
    """As a page or as one picture."""
    sheet = tmp_path / f"sheet{suffix}"
    result = run(bundle, data, "--labelled", "--count", 3, "--sheet", sheet)
    assert result.exit_code == 0, result.output
    assert sheet.stat().st_size > 1000
    if suffix == ".html":
        assert "Confident mistakes" in sheet.read_text(encoding="utf-8")


def test_a_multi_label_bundle_tells_the_least_sure_label(tmp_path: Path, data: Path) -> None:
    """Its folders are named after all labels that it sees."""
    several = make_bundle(tmp_path / "several", task=MULTILABEL)
    found = told(run(several, data, "--count", 3, "--output", tmp_path / "next", "--copy", "--json"))
    assert all("the threshold is 0.5" in one["reason"] for one in found["hard"])
    assert len(list((tmp_path / "next").rglob("*.png"))) == 3


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        (("--by", "both"), 2, "only labels tell what is a mistake"),
        (("--copy",), 2, "give the folder that the copies go to"),
        (("--sheet", "sheet.pdf"), 2, ".html or .png"),
        (("--sheet", "no/such/sheet.png"), 2, "there is no folder no/such"),
        (("--format", "folders"), 2, "give --labelled too"),
        (("--count", "0"), 2, "--count"),
        (("--labelled", "--task", MULTILABEL), 2, "leave --task out"),
    ],
)
def test_what_cannot_be_had_is_refused_before_any_work(
    bundle: Path, data: Path, asked: tuple[str, ...], code: int, said: str
) -> None:
    """With the remedy."""
    result = run(bundle, data, *asked)
    assert (result.exit_code, said in " ".join(result.stderr.split())) == (code, True)


def test_pictures_that_are_none_are_an_error(bundle: Path, tmp_path: Path) -> None:
    """An empty folder, and one in which nothing can be read."""
    (tmp_path / "empty").mkdir()
    assert "no pictures in" in run(bundle, tmp_path / "empty").stderr
    (tmp_path / "empty/a.png").write_bytes(b"x")
    result = run(bundle, tmp_path / "empty")
    assert (result.exit_code, "none of 1 pictures can be read" in result.stderr) == (1, True)


def test_a_class_that_the_bundle_does_not_know_is_named(bundle: Path, data: Path) -> None:
    """A mistake could not be told from a right answer."""
    (data / "green").mkdir()
    (data / "green/1.png").write_bytes(encoded(picture((0, 255, 0))))
    result = run(bundle, data, "--labelled")
    assert (result.exit_code, "'green'" in result.stderr) == (1, True)
