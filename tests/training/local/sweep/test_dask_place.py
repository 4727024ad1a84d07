"""What is looked at before trials go to a Dask cluster."""

import socket
import time
from pathlib import Path

import pytest

pytest.importorskip("distributed")

from training.dataset.records import Record
from training.errors import TrainingError, UsageError
from training.local.run import Run
from training.local.sweep.dask_place import connected, lacks_of, samples
from training.local.sweep.dask_worker import probe, versions
from training.recipe import Recipe
from training.settings import default_settings


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:8786", "dask://", "dask://here", "dask://:8786", "dask://here:x"])
def test_what_is_no_address_is_refused(address: str) -> None:
    """With the form that it has."""
    with pytest.raises(UsageError, match="write it as dask://HOST:PORT"), connected(address):
        pass


def test_a_scheduler_that_is_away_is_told_within_seconds() -> None:
    """With how to start one."""
    began = time.monotonic()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # taken, but nobody listens
        address = f"dask://127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(TrainingError, match="no Dask scheduler answers there"), connected(address):
            pass
    assert time.monotonic() - began < 30


def test_a_worker_says_what_it_lacks(tmp_path: Path) -> None:
    """Pictures that it does not see, or sees otherwise, and the sweep's folder."""
    (tmp_path / "a.png").write_bytes(b"123")
    (tmp_path / "mark").write_text("mine")
    paths = [(str(tmp_path / "a.png"), 3), (str(tmp_path / "b.png"), 3)]
    assert probe(paths, str(tmp_path / "mark"), "mine")["lacks"] == [str(tmp_path / "b.png")]
    assert probe([(str(tmp_path / "a.png"), 4)], str(tmp_path / "none/mark"), "mine")["lacks"] == [
        str(tmp_path / "a.png"),
        str(tmp_path / "none"),
    ]


def test_what_a_worker_lacks_is_named() -> None:
    """Other versions, files, or the package itself; nothing of one that has all."""
    mine = versions()
    assert lacks_of({"versions": mine, "lacks": []}) == []
    told = lacks_of({"versions": {**mine, "torch": "1.0"}, "lacks": ["/data/a.png"]})
    assert told == [
        f"has torch 1.0, here is {mine['torch']}",
        "does not see /data/a.png; share it under the same path",
    ]
    (lack,) = lacks_of(ModuleNotFoundError("No module named 'training'"))
    assert lack.endswith("install automl-edge there")


def test_a_few_pictures_stand_for_all() -> None:
    """The first and the last to train on, and of those held out."""
    records = [Record(Path(f"/data/{number}.png"), ("a",)) for number in range(9)]
    recipe = Recipe(model="resnet18", settings=default_settings("resnet18"))
    run = Run(
        recipe=recipe, classes=("a",), training=tuple(records[:6]), held_out=tuple(records[6:]), sha256="",
        validation_data_size=0.2, threads=1,
    )  # fmt: skip
    assert [path.stem for path in samples(run)] == ["0", "5", "6", "8"]
