"""`automl-train` as it is typed: what it makes, and one clear line where it cannot."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from training.cli import main
from training.dataset.drawn import write_drawn


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    list(write_drawn(folder, count=24, seed=0, size=32))
    return folder


def test_help_lists_the_commands() -> None:
    """Help names every command."""
    result = run("--help")
    assert result.exit_code == 0
    for name in ("data", "fit", "crossvalidate", "evaluate"):
        assert name in result.output


@pytest.mark.parametrize("group", [["data"], ["azure"], ["azure", "compute"]])
def test_what_a_command_does_is_not_cut_in_a_list_of_commands(group: list[str]) -> None:
    """Eighty columns hold each line; the one that stays is the usage's."""
    result = run(*group, "--help")
    assert (result.exit_code, result.output.count("...")) == (0, 1)


def test_draw_writes_pictures(tmp_path: Path) -> None:
    """Drawing says how many pictures are where."""
    result = run("data", "draw", tmp_path / "out", "--count", 7, "--seed", 1, "--size", 32, "--format", "jpg")
    assert result.exit_code == 0
    assert "7 pictures" in result.output
    assert len(list((tmp_path / "out").glob("*/*.jpg"))) == 7


def test_draw_loads_neither_torch_nor_onnxruntime(tmp_path: Path) -> None:
    """Drawing starts at once because it imports none of the heavy packages."""
    code = (
        "import sys; from training.cli import main\n"
        f"main(['data', 'draw', {str(tmp_path)!r}, '--count', '1'], standalone_mode=False)\n"
        "sys.exit(bool({'torch', 'onnx', 'onnxruntime'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_missing_extra_is_named() -> None:
    """Where torch is not installed, fitting says what to install."""
    code = (
        "import sys; sys.modules['torch'] = None; from training.cli import main\n"  # None: as if it were not installed
        "main(['fit', '.'])"
    )
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        "error: fit needs torch; install it with: pip install 'automl-edge[cpu,train]'"
    ]


def test_missing_sdk_is_named(tmp_path: Path) -> None:
    """Where Azure's packages are not installed, its commands say what to install, and their help works."""
    code = "import sys; sys.modules['azure'] = None; from training.cli import main; main(sys.argv[1:])"
    place = ["--subscription", "a", "--resource-group", "b", "--workspace", "c"]
    words = [sys.executable, "-c", code, "azure", "cancel"]
    result = subprocess.run([*words, "job", *place], check=False, capture_output=True, text=True, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (
        1,
        "error: azure needs azure; install it with: pip install 'automl-edge[azure]'\n",
    )
    assert subprocess.run([*words, "--help"], check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("words", "exit_code", "message"),
    [
        (("fit", "{tmp}/nowhere"), 2, "does not exist"),
        (("fit", "{tmp}"), 1, "no labelled pictures; expected one folder a class"),
        (("fit", "{data}", "--model", "vgg"), 2, "unknown model 'vgg'"),
        (("fit", "{data}", "--set", "lerning_rate=1"), 2, "unknown hyperparameter 'lerning_rate'"),
        (("fit", "{data}", "--set", "learning_rate=fast"), 2, "learning_rate=fast: must be a number"),
        (("fit", "{data}", "--name", "a b", "--output", "{tmp}/x"), 2, "name 'a b'"),
        (("fit", "{data}", "--output", "{data}"), 1, "not empty"),
        (("crossvalidate", "{data}", "--folds", "9"), 1, "too few for 9 folds"),
        (("crossvalidate", "{data}", "--bundle", "{tmp}", "--drawn", "3"), 2, "leave out --drawn"),
        (("evaluate", "{tmp}", "{data}"), 1, "manifest.json"),
        (("data", "draw", "{data}/Rolled/rolled_1.png", "--count", "1"), 2, "is a file"),
        (("data", "draw", "{tmp}", "--size", "4"), 2, "4 is not in the range"),
    ],
)
def test_wrong_requests_end_in_one_clear_line(
    words: tuple[str, ...], exit_code: int, message: str, data: Path, tmp_path: Path
) -> None:
    """The last line tells what is wrong; no traceback; usage errors exit 2, failed work 1."""
    pytest.importorskip("torch")
    result = run(*(word.format(tmp=tmp_path, data=data) for word in words))
    assert result.exit_code == exit_code
    assert message in result.output.strip().splitlines()[-1]
    assert "Traceback" not in result.output


def test_a_bundles_own_recipe_is_cross_validated_into_its_manifest(tmp_path: Path) -> None:
    """What is printed for programs is what the manifest then says."""
    pytest.importorskip("torch")
    tiny = pytest.importorskip("tests.training.local.tiny")
    bundling = pytest.importorskip("training.local.bundling")
    data, bundle = tmp_path / "data", tmp_path / "bundle"
    tiny.write_learnt_run(tmp_path / "run", tiny.write_grey(data, each=4))
    bundling.export_run(tmp_path / "run", bundling.Export(name="tiny", version="1"), bundle)
    judge = ["crossvalidate", data, "--bundle", bundle, "--folds", "2", "--workers", "1", "--json"]
    # a process of its own: pools that spawn leave a resource tracker behind until the program ends
    program = [sys.executable, "-m", "training.cli", *map(str, judge)]
    judged = subprocess.run(program, check=True, capture_output=True, text=True)
    assert "fold 2: epoch 3/3" in judged.stderr
    figures = json.loads(judged.stdout)
    assert figures["pictures"] == 8
    assert len(figures["fold_accuracies"]) == 2
    assert json.loads((bundle / "manifest.json").read_text())["metrics"]["cross_validation"] == figures
