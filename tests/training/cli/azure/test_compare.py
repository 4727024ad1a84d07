"""`automl-train azure compare` as it is typed: an endpoint of the stand-in beside a bundle and a real daemon."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.azure.routes.endpoints import answer_of, endpoints_of, shifted
from tests.azure.standin import Cloud
from tests.daemon import running
from tests.fakes import COLOURS, encoded, make_bundle, picture
from tests.training.cli.azure.deployed import put_endpoint, where
from training.cli import main

TOKEN = "a-token-of-this-device"


def compare(azure: Cloud, tmp_path: Path, *words: object) -> Result:
    return CliRunner().invoke(main, ["azure", "compare", *map(str, words), *where(azure, tmp_path)])


@pytest.fixture
def bundle(azure: Cloud, tmp_path: Path) -> Path:
    """A bundle, and an endpoint that says what it says."""
    put_endpoint(azure, blue=100)
    folder = make_bundle(tmp_path / "bundle")
    endpoints_of(azure).answer = answer_of(folder)
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Five pictures; a wide one looks otherwise where it is squashed."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, colour in COLOURS.items():
        (folder / f"{name}.png").write_bytes(encoded(picture(colour)))
    (folder / "wide.png").write_bytes(encoded(picture(COLOURS["red"], sides=COLOURS["blue"])))
    return folder


def test_the_same_model_says_the_same(azure: Cloud, bundle: Path, pictures: Path, tmp_path: Path) -> None:
    """Nothing differs, the exit code is 0, table and plot are written."""
    table, plot = tmp_path / "out.csv", tmp_path / "out.svg"
    result = compare(azure, tmp_path, "line-one", pictures, "--bundle", bundle, "--csv", table, "--plot", plot)
    assert result.exit_code == 0, result.output
    assert "line-one and bundle colours:1:\nlargest difference 0.0000, mean 0.0000" in result.stdout
    assert "none differs by more than 0.02" in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()) <= 80
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["edge_label"] for row in rows] == [*COLOURS, "red"]
    assert all(float(row["max_difference"]) < 1e-6 for row in rows)
    assert "<svg" in plot.read_text()


def test_shifted_probabilities_are_found(azure: Cloud, bundle: Path, pictures: Path, tmp_path: Path) -> None:
    """A difference beyond the tolerance ends with 1; the labels may agree all the same."""
    behaviour = endpoints_of(azure)
    behaviour.answer = shifted(behaviour.answer, 0.05)
    result = compare(azure, tmp_path, "line-one", pictures, "--bundle", bundle, "--json")
    assert result.exit_code == 1
    shown = json.loads(result.stdout)
    assert shown["largest"] == pytest.approx(0.05)
    assert shown["mean"] == pytest.approx(0.1 / 4)
    assert (shown["beyond"], shown["disagreements"], shown["compared"]) == (5, 0, 5)
    assert shown["results"][0]["most_different"] in ("blue", "bright")
    assert "no known difference explains it" in shown["results"][0]["reason"]
    assert compare(azure, tmp_path, "line-one", pictures, "--bundle", bundle, "--tolerance", 0.06).exit_code == 0


def test_the_square_recipe_is_recognised(azure: Cloud, bundle: Path, pictures: Path, tmp_path: Path) -> None:
    """An endpoint that squashes pictures differs on those that are not square, and that is said of them."""
    endpoints_of(azure).answer = answer_of(make_bundle(tmp_path / "other", rule="square", golden=False))
    result = compare(azure, tmp_path, "line-one", pictures, "--bundle", bundle)
    assert result.exit_code == 1
    assert "wide.png: the endpoint answers as if it resized to a square" in result.stdout
    assert "1 of 5 pictures differ by more than 0.02" in result.stdout
    back = compare(azure, tmp_path, "line-one", pictures, "--bundle", tmp_path / "other")
    assert back.exit_code == 0


def test_what_only_one_side_can_read_differs(azure: Cloud, bundle: Path, pictures: Path, tmp_path: Path) -> None:
    """A broken picture has no answer on both sides, which is no difference; one that the endpoint leaves out is one."""
    (pictures / "broken.png").write_bytes(b"no picture")
    both = compare(azure, tmp_path, "line-one", pictures, "--bundle", bundle, "--json")
    assert both.exit_code == 0, both.output
    [broken] = [one for one in json.loads(both.stdout)["results"] if one["path"].endswith("broken.png")]
    assert "leaves the picture out" in broken["problem"]
    assert "the edge cannot use the picture" in broken["problem"]
    same = endpoints_of(azure).answer
    wide = (pictures / "wide.png").read_bytes()
    endpoints_of(azure).answer = lambda sent: None if sent == wide else same(sent)
    one = compare(azure, tmp_path, "line-one", pictures, "--bundle", bundle)
    assert one.exit_code == 1
    assert "wide.png: the endpoint leaves the picture out: it cannot decode it" in one.stdout


def test_other_classes_are_another_model(azure: Cloud, bundle: Path, pictures: Path, tmp_path: Path) -> None:
    """Probabilities are compared class by class; where the classes differ that is what is told."""
    endpoints_of(azure).answer = lambda _: {"blue": 0.5, "grey": 0.5}
    result = compare(azure, tmp_path, "line-one", pictures / "blue.png", "--bundle", bundle)
    assert result.exit_code == 1
    assert "the sides know different classes (bright, dark, grey, red)" in result.stdout


def test_boxes_are_not_compared_yet(azure: Cloud, bundle: Path, pictures: Path, tmp_path: Path) -> None:
    """Until the edge runs detection there is nothing to compare them with."""
    endpoints_of(azure).answer = lambda _: []
    result = compare(azure, tmp_path, "line-one", pictures, "--bundle", bundle)
    assert result.exit_code == 2
    assert "compare knows classification only" in result.stderr


def test_a_running_daemon_is_the_edge(azure: Cloud, bundle: Path, pictures: Path, tmp_path: Path) -> None:
    """The daemon is asked over HTTP with its token; a wrong one is refused in words."""
    shutil.copytree(bundle, tmp_path / "daemon/models/colours/1")
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    with running(tmp_path / "daemon", EDGE_HTTP__TOKEN=TOKEN) as daemon:
        words = ("line-one", pictures, "--edge", daemon.url)
        result = compare(azure, tmp_path, *words, "--token-file", token)
        assert result.exit_code == 0, result.output
        assert f"line-one and daemon at {daemon.url}:\nlargest difference 0.0000" in result.stdout
        behaviour = endpoints_of(azure)
        behaviour.answer = shifted(behaviour.answer, 0.05)
        assert compare(azure, tmp_path, *words, "--token-file", token).exit_code == 1
        refused = compare(azure, tmp_path, *words)
        assert refused.exit_code == 2
        assert "the daemon refuses" in refused.stderr
        assert TOKEN not in refused.output
    gone = compare(azure, tmp_path, *words, "--token-file", token)
    assert gone.exit_code == 1
    assert "does not answer" in gone.stderr


@pytest.mark.usefixtures("bundle")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "the edge is what?"),
        (("--edge", "http://localhost:1", "--bundle", "{tmp}"), "the edge is what?"),
        (("--edge", "press-1:8080"), "is no URL of a daemon"),
        (("--bundle", "{tmp}/bundle", "--plot", "x.txt"), "must end in .png or .svg"),
        (("--bundle", "{tmp}/pictures"), "manifest.json"),
        (("--bundle", "{tmp}/bundle", "--tolerance", "nan"), "must be 0 to 1"),
    ],
)
def test_what_cannot_be_compared_is_told(
    azure: Cloud, pictures: Path, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    """Before a picture is sent."""
    result = compare(azure, tmp_path, "line-one", pictures, *(word.format(tmp=tmp_path) for word in words))
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert azure.wire.count("POST", "/score$") == 0
