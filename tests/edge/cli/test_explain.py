"""``automl-edge explain``: figures that show why."""

import json
from pathlib import Path

import pytest

from edge.preprocess.decode import decode
from tests.edge.cli.conftest import Cli
from tests.fakes import COLOURS, encoded, make_bundle, picture


@pytest.fixture
def red(pictures: Path) -> Path:
    return pictures / "red.png"


def test_every_picture_gets_a_figure_and_a_row(cli: Cli, registry: Path, pictures: Path, tmp_path: Path) -> None:
    """Named after picture and class; two pictures of one name get figures of two names."""
    out = tmp_path / "why"
    result = cli("explain", pictures, "--registry", registry, "--output", out, "--runs", 20)
    assert result.exit_code == 0, result.stderr
    assert sorted(file.name for file in out.iterdir()) == [
        "blue.blue.why.png", "bright.bright.why.png", "dark.dark.why.png", "red.red-2.why.png", "red.red.why.png",
    ]  # fmt: skip
    heading, *rows = result.stdout.splitlines()
    assert heading.split() == ["score", "label", "highest", "method", "runs", "seconds", "path", "->", "figure"]
    assert len(rows) == 5
    assert decode((out / "blue.blue.why.png").read_bytes()).shape == (452, 452, 3)


def test_rows_are_for_programs_too(cli: Cli, registry: Path, red: Path, tmp_path: Path) -> None:
    """With what was run, and for which class."""
    asked = ("--method", "rise", "--label", "dark", "--runs", 12, "--output", tmp_path / "why.png", "--json")
    (line,) = cli("explain", red, "--registry", registry, *asked).stdout.splitlines()
    told = json.loads(line)
    assert (told["path"], told["label"], told["method"], told["runs"]) == (str(red), "dark", "rise", 12)
    assert Path(told["file"]).read_bytes().startswith(b"\x89PNG")
    assert 0 <= told["score"] < 0.5


def test_a_multi_label_model_gets_a_figure_a_selected_class(cli: Cli, tmp_path: Path) -> None:
    """None where none is selected, unless one is chosen."""
    make_bundle(tmp_path / "models/colours/1", task="image-classification-multilabel")
    (tmp_path / "none.png").write_bytes(encoded(picture((255, 255, 0))))
    (tmp_path / "red.png").write_bytes(encoded(picture(COLOURS["red"])))
    asked = ("--registry", tmp_path / "models", "--output", tmp_path / "out", "--runs", 5)
    result = cli("explain", tmp_path / "none.png", tmp_path / "red.png", *asked)
    assert "no class is selected; choose a --label" in result.stdout
    selected = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert "red.red.why.png" in selected
    assert not [name for name in selected if name.startswith("none")]
    one_file = cli("explain", tmp_path / "red.png", *asked[:2], "--output", tmp_path / "x.png", "--label", "blue")
    assert one_file.exit_code == 0


def test_figures_are_not_explained(cli: Cli, registry: Path, pictures: Path) -> None:
    """The same command a second time does the same."""
    asked = ("explain", pictures, "--registry", registry, "--output", pictures, "--runs", 5)
    assert len(cli(*asked).stdout.splitlines()) == len(cli(*asked).stdout.splitlines()) == 6


def test_a_bad_picture_fails_in_its_own_row(cli: Cli, registry: Path, pictures: Path, tmp_path: Path) -> None:
    """The others have their figures, and the exit code is 1."""
    (pictures / "blue.png").write_bytes(b"no picture")
    result = cli("explain", pictures, "--registry", registry, "--output", tmp_path / "out", "--runs", 5, "--json")
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert told[0]["error"]["kind"] == "ImageDecodeError"
    assert all("file" in row for row in told[1:])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--label", "green"), "has no class green; it has blue, bright, dark, red"),
        (("--method", "xrai"), "'xrai' is not one of"),
        (("--runs", "1"), "--runs"),
        (("--model", "colours:9"), "there are colours:2, colours:1"),
    ],
)
def test_what_there_is_not_is_named(cli: Cli, registry: Path, red: Path, asked: tuple[str, ...], said: str) -> None:
    """Before anything is run."""
    result = cli("explain", red, "--registry", registry, *asked)
    assert result.exit_code != 0
    assert said in result.stderr


def test_one_file_holds_one_figure(cli: Cli, registry: Path, pictures: Path, tmp_path: Path) -> None:
    """Two would overwrite each other."""
    result = cli("explain", pictures, "--registry", registry, "--output", tmp_path / "why.png")
    assert (result.exit_code, "5 pictures; give a DIR" in result.stderr) == (2, True)


def test_no_figure_takes_the_place_of_a_picture(cli: Cli, registry: Path, red: Path) -> None:
    """Neither by the name that was asked for, nor by the one that a figure would have."""
    content = red.read_bytes()
    refused = cli("explain", red, "--registry", registry, "--output", red)
    assert (refused.exit_code, "is the picture itself" in refused.stderr) == (2, True)
    named_so = red.with_name("a.red.why.png")
    named_so.write_bytes(content)
    (red.parent / "a.png").write_bytes(content)
    asked = ("--registry", registry, "--output", red.parent, "--runs", 5, "--label", "red")
    assert cli("explain", red.parent / "a.png", named_so, *asked).exit_code == 0
    assert (red.read_bytes(), named_so.read_bytes()) == (content, content)
    assert (red.parent / "a.red-2.why.png").exists()


def test_long_names_are_cut(cli: Cli, registry: Path, red: Path) -> None:
    """A name in letters of three bytes each makes a figure all the same."""
    long = red.rename(red.with_name("傷" * 80 + ".png"))
    assert cli("explain", long, "--registry", registry, "--output", red.parent / "out", "--runs", 5).exit_code == 0


def test_a_place_that_cannot_be_written_is_named(cli: Cli, registry: Path, red: Path) -> None:
    """With the reason."""
    result = cli("explain", red, "--registry", registry, "--output", red / "below", "--runs", 5)
    assert (result.exit_code, "cannot write" in result.stderr) == (1, True)
