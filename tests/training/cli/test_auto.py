"""The command that chooses by itself: what it refuses before it begins, and how it ends."""

import signal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from training.cli.auto import Asked
from training.cli.progress import bars
from training.cli.root import main
from training.dataset.drawn import write_drawn


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    list(write_drawn(folder, count=24, seed=0, size=32))
    return folder


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["auto", *map(str, words)])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--budget", "30"], "budget '30': write a length of time of at most 30 days, as 90s, 30m or 1h30m"),
        (["--budget", "1m", "--validation-share", "0.5", "--test-share", "0.5"], "leave nothing to train on"),
        (["--budget", "1m", "--name", "a/b"], "name 'a/b': use up to 128"),
        (["--budget", "1m", "--test-share", "1"], "--test-share"),
        ([], "--budget"),
    ],
)
def test_wrong_usage_is_told_at_once(data: Path, options: list[str], said: str) -> None:
    """Before pictures are read or anything is trained, with exit code 2."""
    result = run(data, *options)
    assert result.exit_code == 2
    assert said in result.stderr


def test_weights_that_it_does_not_know_are_wrong_usage(data: Path, tmp_path: Path) -> None:
    """A network that it does not fine-tune, or no form at all."""
    pytest.importorskip("torch")
    for text, said in (("resnet5=a.pth", "did you mean resnet50?"), ("some", "give none, auto, or NETWORK=WEIGHTS")):
        result = run(data, "--budget", "1m", "--output", tmp_path / "b", "--pretrained", text)
        assert (result.exit_code, said in result.stderr) == (2, True)


def test_a_place_that_is_taken_is_told_before_hours_are_spent(data: Path, tmp_path: Path) -> None:
    """Nothing of what is there is touched."""
    pytest.importorskip("torch")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine").write_text("mine")
    result = run(data, "--budget", "1m", "--output", tmp_path / "b", "--pretrained", "none")
    assert result.exit_code == 1
    assert "exists and is not empty" in result.stderr
    assert (tmp_path / "b" / "mine").read_text() == "mine"


def test_the_first_ctrl_c_asks_and_the_second_ends() -> None:
    """What was learnt until the first one is exported, unless somebody cannot wait for it."""
    with bars() as shown:
        asked = Asked(shown)
        assert not asked()
        asked.hear(signal.SIGINT, None)
        assert asked()
        with pytest.raises(KeyboardInterrupt):
            asked.hear(signal.SIGINT, None)
