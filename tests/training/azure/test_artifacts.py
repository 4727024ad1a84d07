"""What is kept of a trial's figures."""

import json
from pathlib import Path
from typing import Any

import pytest

from training.azure.artifacts import KEPT_FIGURE_CHARACTERS, THRESHOLDS, bounded, read_figures
from training.errors import AzureError


def test_a_figure_loses_its_envelope() -> None:
    """Only the data stay; what has none is kept as it is."""
    told = {"schema_type": "confusion_matrix", "data": {"class_labels": ["a"], "matrix": [[3]]}}
    assert bounded("confusion_matrix", told) == {"class_labels": ["a"], "matrix": [[3]]}
    assert bounded("per_label_metrics", {"bolt": {"precision": 1.0}}) == {"bolt": {"precision": 1.0}}


@pytest.mark.parametrize("count", [1, THRESHOLDS, THRESHOLDS + 1, 101])
def test_an_accuracy_table_is_kept_at_few_thresholds(count: int) -> None:
    """First and last among them, each with its own row of each class."""
    thresholds = [index / 100 for index in range(count)]
    rows = [[[index, 0, 0, 0] for index in range(count)] for _ in range(2)]
    table = bounded("accuracy_table", {"data": {"probability_thresholds": thresholds, "probability_tables": rows}})
    kept = table["probability_thresholds"]
    assert (len(kept), kept[0], kept[-1]) == (min(count, THRESHOLDS), thresholds[0], thresholds[-1])
    for cells in table["probability_tables"]:
        assert [cell[0] / 100 for cell in cells] == kept


def test_what_is_too_large_is_left_out_and_said() -> None:
    """A device reads the whole manifest."""
    side = 400
    left = bounded("confusion_matrix", {"data": {"matrix": [[10] * side] * side}})
    assert str(KEPT_FIGURE_CHARACTERS) in left["left_out"]


@pytest.mark.parametrize("told", [[1, 2], "text", None, {"data": [1]}, {"data": {"probability_thresholds": 3}}])
def test_other_shapes_are_kept_as_they_are(told: Any) -> None:
    """Azure may change them; that is no reason not to make a bundle."""
    kept = bounded("accuracy_table", told)
    assert kept == (told["data"] if isinstance(told, dict) else told)


def test_numbers_that_are_none(tmp_path: Path) -> None:
    """NaN is no JSON, and becomes null; what is not asked for is not read."""
    (tmp_path / "confusion_matrix").write_text('{"data": {"matrix": [[NaN, 1]]}}')
    figures = read_figures(tmp_path, ["confusion_matrix", "train_artifacts/model.onnx"])
    assert json.dumps(figures) == '{"confusion_matrix": {"matrix": [[null, 1]]}}'
    (tmp_path / "confusion_matrix").write_text("[" * 100_000)
    with pytest.raises(AzureError, match="confusion_matrix of the trial is no JSON"):
        read_figures(tmp_path, ["confusion_matrix"])
