"""A fit killed at any moment goes on where it was; what is damaged, full or another's is said."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from tests.disks import full_disk  # noqa: E402 - torch may be absent
from tests.training.local.tiny import draw, multi_class, recipe, tiny_run  # noqa: E402 - as above
from training.dataset.records import Record  # noqa: E402 - as above
from training.errors import DataError, StorageError  # noqa: E402 - as above
from training.local.fit import fit_run, prepare_run  # noqa: E402 - as above
from training.local.run import Epoch, Fitted, Run, read_epochs, read_fitted, read_run, write_run  # noqa: E402 - as above
from training.local.trainer import Say, Step  # noqa: E402 - as above
from training.local.weights import load_network  # noqa: E402 - as above


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    return draw(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(records: list[Record]) -> Run:
    return tiny_run(records)


@pytest.fixture(scope="module")
def whole(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a fit that nothing has disturbed."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    fit_run(run, folder, lambda _: None)
    return folder


def weights(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(folder / "best.pt", weights_only=True)
    return loaded


def same(folder: Path, other: Path) -> bool:
    """Tell whether two fits have the same weights and figures, bit for bit."""
    one, two = weights(folder), weights(other)
    figures = [[replace(epoch, seconds=0) for epoch in read_epochs(place)] for place in (folder, other)]
    return (
        one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one) and figures[0] == figures[1]
    )


def interrupt(epoch: int, step: int) -> Callable[[Step], None]:
    """Return a watcher that ends the fit at a step, as Ctrl-C does."""

    def watch(now: Step) -> None:
        if (now.epoch, now.step) == (epoch, step):
            raise KeyboardInterrupt

    return watch


def interrupted(run: Run, folder: Path, epoch: int, step: int = 1, say: Say = lambda _: None) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit_run(run, folder, interrupt(epoch, step), say=say)


def test_the_same_fit_twice_gives_the_same_weights(run: Run, whole: Path, tmp_path: Path) -> None:
    """Same seed, same threads: weights and figures are the same, bit for bit."""
    fit_run(run, tmp_path / "run", lambda _: None)
    assert same(tmp_path / "run", whole)


def test_an_interrupted_fit_ends_as_if_nothing_had_been(run: Run, whole: Path, tmp_path: Path) -> None:
    """It says after which epoch it goes on, and tells all of them; weights and figures are those of one left alone."""
    said: list[str] = []
    heard: list[Epoch] = []
    interrupted(run, tmp_path / "run", 2, 2)
    assert read_fitted(tmp_path / "run") is None
    fitted = fit_run(
        run,
        tmp_path / "run",
        lambda _: None,
        say=said.append,
        epoch_done=lambda epoch: heard.append(epoch) or True,  # type: ignore[func-returns-value] # to hear and nod
    )
    assert said == ["going on after epoch 1"]
    assert tuple(heard) == fitted.epochs
    assert same(tmp_path / "run", whole)


def test_checkpoints_are_as_rare_as_asked(records: list[Record], tmp_path: Path) -> None:
    """Killed in the fourth epoch with a checkpoint every two, it goes on after the second; figures too."""
    run = tiny_run(records, number_of_epochs=4, checkpoint_frequency=2)
    said: list[str] = []
    fit_run(run, tmp_path / "whole", lambda _: None)
    interrupted(run, tmp_path / "run", 4)
    assert len(read_epochs(tmp_path / "run")) == 3
    fit_run(run, tmp_path / "run", lambda _: None, say=said.append)
    assert said == ["going on after epoch 2"]
    assert same(tmp_path / "run", tmp_path / "whole")


def test_a_fit_can_be_ended(run: Run, tmp_path: Path) -> None:
    """By saying no to an epoch; the best so far is kept, and the fit is finished."""
    fitted = fit_run(run, tmp_path, lambda _: None, epoch_done=lambda epoch: epoch.epoch < 2)
    assert (fitted.how, len(fitted.epochs)) == ("asked", 2)
    assert fit_run(run, tmp_path, lambda _: pytest.fail("trains again")) == fitted
    load_network(tmp_path, read_run(tmp_path))


def test_a_finished_fit_returns_at_once(run: Run, whole: Path) -> None:
    """Nothing is trained or decoded again, and only what a bundle needs is left."""
    fitted = fit_run(run, whole, lambda _: pytest.fail("trains again"), reading=lambda *_: pytest.fail("reads again"))
    assert fitted == read_fitted(whole)
    assert (fitted.how, fitted.device, fitted.batch_size, fitted.origin) == ("ended", "CPU", 8, "from scratch")
    assert sorted(path.name for path in whole.iterdir()) == ["best.pt", "fitted.json", "metrics.jsonl", "run.json"]


def test_a_killed_process_leaves_what_the_next_one_needs(run: Run, whole: Path, tmp_path: Path) -> None:
    """SIGKILL in the middle of an epoch: the next process goes on, to the same weights."""
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from training.local.fit import fit_run; from training.local.run import read_run\n"
        "def watch(step):\n"
        "    if (step.epoch, step.step) == (2, 2): os.kill(os.getpid(), signal.SIGKILL)\n"
        "fit_run(read_run(Path(sys.argv[1])), Path(sys.argv[1]), watch)\n"
    )
    write_run(tmp_path, run)
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    said: list[str] = []
    fit_run(run, tmp_path, lambda _: None, say=said.append)
    assert said == ["going on after epoch 1"]
    assert same(tmp_path, whole)


def damage(path: Path) -> None:
    """Turn one bit over in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_damaged_checkpoint_is_set_aside_for_the_one_before(run: Run, whole: Path, tmp_path: Path) -> None:
    """One bit is enough; it is named, kept beside, and costs an epoch."""
    interrupted(run, tmp_path, 3)
    damage(tmp_path / "checkpoint.pt")
    said: list[str] = []
    fit_run(run, tmp_path, lambda _: None, say=said.append)
    assert "checkpoint.pt: is damaged" in said[0]
    assert said[0].endswith("it is set aside as checkpoint.damaged.pt")
    assert said[1:] == ["going on after epoch 1"]
    assert (tmp_path / "checkpoint.damaged.pt").exists()
    assert same(tmp_path, whole)


def test_without_a_whole_checkpoint_a_fit_begins_anew(run: Run, tmp_path: Path) -> None:
    """And says so."""
    interrupted(run, tmp_path, 2)
    damage(tmp_path / "checkpoint.pt")
    said: list[str] = []
    interrupted(run, tmp_path, 1, say=said.append)
    assert said[1] == "there is no whole checkpoint; the fit begins anew"


def test_a_full_disk_does_not_end_a_fit(run: Run, whole: Path, tmp_path: Path) -> None:
    """What cannot be kept is said with its epoch; the checkpoint before stands; when there is room it is kept again."""
    said: list[str] = []
    limits: list[Any] = []

    def watch(step: Step) -> None:
        if (step.epoch, step.step) == (2, 1):
            limits.append(full_disk(100_000))
            limits[0].__enter__()
        if (step.epoch, step.step) == (3, 1):
            limits[0].__exit__(None, None, None)
            assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["epochs"][-1]["epoch"] == 1

    fit_run(run, tmp_path, watch, say=said.append)
    assert len(said) == 1
    assert said[0].startswith(f"epoch 2 cannot be kept in {tmp_path} (File too large)")
    assert "after epoch 1; free space there" in said[0]
    assert same(tmp_path, whole)


def test_a_disk_full_at_the_end_loses_nothing_that_was_kept(run: Run, whole: Path, tmp_path: Path) -> None:
    """A clear error; with room, the same command goes on after the last checkpoint and ends the same."""
    interrupted(run, tmp_path, 2)
    with (
        full_disk(100_000),
        pytest.raises(StorageError, match=r"File too large.*the same command again: it goes on after epoch 1"),
    ):
        fit_run(run, tmp_path, lambda _: None, say=lambda _: None)
    assert not list(tmp_path.glob(".*"))
    said: list[str] = []
    fit_run(run, tmp_path, lambda _: None, say=said.append)
    assert said == ["going on after epoch 1"]
    assert same(tmp_path, whole)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": 0.003}, "learning_rate=0.002, not 0.003"),
        ({"rest": {"mirrored": True}}, "mirrored=False, not True"),
        ({"threads": 2}, "--threads 1, not 2"),
    ],
)
def test_another_fit_in_the_same_folder_is_refused(
    changes: dict[str, Any], message: str, records: list[Record], whole: Path
) -> None:
    """With what differs and the remedy; the folder stays as it was."""
    before = (whole / "run.json").read_bytes()
    with pytest.raises(DataError, match=rf"{message}.*give the same command to go on, another --run, or remove it"):
        fit_run(tiny_run(records, **changes), whole, lambda _: None)
    assert (whole / "run.json").read_bytes() == before


def test_a_fit_that_never_learnt_anything_gives_way(records: list[Record], tmp_path: Path) -> None:
    """First weights misspelt: the corrected command needs no other folder."""
    wrong = tiny_run(records, rest={"pretrained": "gone.pth"})
    with pytest.raises(DataError, match=r"gone\.pth: there is no such file of weights"):
        fit_run(wrong, tmp_path, lambda _: None)
    right = tiny_run(records, number_of_epochs=1)
    fit_run(right, tmp_path, lambda _: None)
    assert read_run(tmp_path) == right


def test_other_pictures_are_refused(records: list[Record], whole: Path) -> None:
    """So are the same ones held out otherwise."""
    with pytest.raises(DataError, match="other pictures, or other labels for them"):
        fit_run(tiny_run(records[:-1]), whole, lambda _: None)
    turned = prepare_run(multi_class(records[::-1]), recipe(), validation_data_size=0.25, threads=1)
    with pytest.raises(DataError, match="other pictures held out"):
        fit_run(turned, whole, lambda _: None)


def test_pictures_that_changed_meanwhile_are_refused(records: list[Record], tmp_path: Path) -> None:
    """Between a kill and the next process, whoever calls; put back, the fit goes on."""
    moved = [Record(Path(shutil.copy(r.path, tmp_path / r.path.name)), r.labels) for r in records]
    run = tiny_run(moved)
    interrupted(run, tmp_path / "run", 1)
    first = moved[0].path.read_bytes()
    moved[0].path.write_bytes(moved[1].path.read_bytes())
    with pytest.raises(DataError, match="the pictures have changed since the fit began; put them back"):
        fit_run(run, tmp_path / "run", lambda _: None)
    moved[0].path.write_bytes(first)
    interrupted(run, tmp_path / "run", 1)


def test_pictures_may_move_meanwhile(records: list[Record], run: Run, tmp_path: Path) -> None:
    """The same contents elsewhere are the same fit; the folder then knows where they are."""
    interrupted(run, tmp_path / "run", 2)
    said: list[str] = []
    (tmp_path / "there").mkdir()
    moved = [Record(Path(shutil.copy(r.path, tmp_path / "there" / r.path.name)), r.labels) for r in records]
    interrupted(tiny_run(moved), tmp_path / "run", 2, say=said.append)
    assert said == ["going on after epoch 1"]
    assert read_run(tmp_path / "run").training[0].path.parent == tmp_path / "there"


def test_validating_by_pictures_that_are_trained_on_is_said(records: list[Record], tmp_path: Path) -> None:
    """Told by content, whatever they are called."""
    copy = Record(Path(shutil.copy(records[0].path, tmp_path / "other.png")), records[0].labels)
    apart = multi_class([copy, records[1]])
    run = prepare_run(multi_class([records[0], *records[2:]]), recipe(), validation=apart, threads=1)
    said: list[str] = []
    interrupted(run, tmp_path / "run", 1, say=said.append)
    assert said == [
        "1 of 2 pictures held out are trained on, too: the figures will be too good; leave them out of --validation"
    ]


def test_copies_only_cannot_be_split(records: list[Record], tmp_path: Path) -> None:
    """Nothing would be held out, and nobody would know."""
    names = [shutil.copy(records[-(at % 2)].path, tmp_path / f"{at}.png") for at in range(4)]
    copies = [Record(Path(name), records[-(at % 2)].labels) for at, name in enumerate(names)]
    with pytest.raises(DataError, match="nothing can be held out"):
        prepare_run(multi_class(copies), recipe(), threads=1)


def test_two_fits_in_one_folder_are_kept_apart(run: Run, tmp_path: Path) -> None:
    """The second is refused while the first is at work."""
    refused: list[Fitted] = []

    def watch(step: Step) -> None:
        if (step.epoch, step.step) == (1, 1):
            with pytest.raises(StorageError, match="another fit is at work there"):
                refused.append(fit_run(run, tmp_path, lambda _: None))

    assert fit_run(run, tmp_path, watch, epoch_done=lambda _: False).how == "asked"
    assert refused == []


def test_a_folder_that_cannot_be_made_is_named(run: Run, tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(StorageError, match=r"taken/run: cannot be made \(Not a directory\); give another --run"):
        fit_run(run, tmp_path / "taken" / "run", lambda _: None)
