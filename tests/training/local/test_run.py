"""The folder of a fit: what is written is read back, and what is none of this trainer's is refused."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tests.training.local.tiny import draw, multi_label, recipe, tiny_run
from training.dataset.annotations import MULTILABEL
from training.errors import DataError
from training.local.fit import prepare_run
from training.local.run import (
    Epoch,
    Fitted,
    read_epochs,
    read_fitted,
    read_run,
    write_epochs,
    write_fitted,
    write_run,
)

EPOCHS = (Epoch(1, 2.5, 0.1, 1.2, 0.5, {"accuracy": 0.75, "log_loss": 0.6}), Epoch(2, 2.4, 0.2, 1.1, 0.6))


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    """One class a picture or several, in folders of any name."""
    records = draw(tmp_path / "größere Bilder", 12)
    several = prepare_run(multi_label(records), recipe(task=MULTILABEL), validation_data_size=0, threads=2)
    for number, run in enumerate((tiny_run(records), several)):
        write_run(tmp_path / str(number), run)
        assert read_run(tmp_path / str(number)) == run


@pytest.mark.parametrize(("written", "changed"), [('"views": "surface"', '"views": "far"'), ('"Rolled"\n', '"Rust"\n')])
def test_a_run_that_somebody_has_changed_is_refused(written: str, changed: str, tmp_path: Path) -> None:
    """Where it says what cannot be: views that there are not, labels that are no class."""
    write_run(tmp_path, tiny_run(draw(tmp_path / "data")))
    path = tmp_path / "run.json"
    text = path.read_text()
    assert written in text
    path.write_text(text.replace(written, changed, 1))
    with pytest.raises(DataError, match=r"run\.json: is no run of this trainer"):
        read_run(tmp_path)


def test_figures_and_ending_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Before anything is written there is nothing."""
    assert (read_epochs(tmp_path), read_fitted(tmp_path)) == ([], None)
    fitted = Fitted(best=EPOCHS[0], epochs=EPOCHS, how="early", device="CPU", batch_size=4, origin="file a.pt")
    write_epochs(tmp_path, EPOCHS)
    write_fitted(tmp_path, fitted)
    assert (tuple(read_epochs(tmp_path)), read_fitted(tmp_path)) == (EPOCHS, fitted)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fitted.json", "metrics.jsonl"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "automl-edge/run/9"}', "no json"])
def test_what_is_no_run_is_refused(text: str, tmp_path: Path) -> None:
    """By its file's name; so is a folder without one."""
    with pytest.raises(DataError, match=r"holds no run of automl-train fit \(run\.json is missing\)"):
        read_run(tmp_path)
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(DataError, match=r"run\.json: is no run of this trainer"):
        read_run(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"epochs": [], "best": {}}), "no json"])
def test_an_ending_that_cannot_be_read_is_said(text: str, tmp_path: Path) -> None:
    """With the remedy."""
    (tmp_path / "fitted.json").write_text(text)
    with pytest.raises(DataError, match=r"fitted\.json: is none of this trainer's .*remove it to fit again"):
        read_fitted(tmp_path)


def test_figures_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    """A line that is none of this trainer's; a last one that is cut is none."""
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1}\n')
    with pytest.raises(DataError, match="holds a line that is none of this trainer's"):
        read_epochs(tmp_path)
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1')
    assert read_epochs(tmp_path) == []
