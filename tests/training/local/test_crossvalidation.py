"""Cross-validation: what all folds answered, counted together; the folds themselves run in processes of their own."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.training.local.tiny import TINY, draw  # noqa: E402 - torch may be absent
from training.dataset.annotations import MULTICLASS, MULTILABEL  # noqa: E402 - as above
from training.dataset.labelled import Labelled  # noqa: E402 - as above
from training.dataset.records import Record  # noqa: E402 - as above
from training.local.crossvalidation import FoldResult, answers_of, rows_of  # noqa: E402 - as above
from training.report import cross_validation_figures  # noqa: E402 - as above


def folds(*logits: list[list[float]]) -> list[FoldResult]:
    """Return two folds: the second and the fourth record, then the first and the third."""
    positions = ([1, 3], [0, 2])
    return [
        FoldResult(number, places, np.array(some, np.float32))
        for number, (places, some) in enumerate(zip(positions, logits, strict=True), 1)
    ]


def collection(task: str, *labels: tuple[str, ...]) -> Labelled:
    records = tuple(Record(Path(f"{number}.png"), some) for number, some in enumerate(labels))
    return Labelled(task, ("a", "b"), records)  # type: ignore[arg-type] # a task's name, from the tests below


def test_answers_of_all_folds_are_counted_together() -> None:
    """Each picture once, by the fold that had not seen it; the figures of the folds beside."""
    data = collection(MULTICLASS, ("a",), ("b",), ("a",), ("b",))
    results = folds([[0, 3], [2, 0]], [[1, 0], [5, 0]])
    answers = answers_of(data, results)
    assert [record.path.name for record in answers.records] == ["1.png", "3.png", "0.png", "2.png"]
    assert answers.right.tolist() == [True, False, True, True]
    assert np.allclose(answers.probs.sum(axis=1), 1)
    figures = cross_validation_figures(answers, rows_of(results))
    assert figures["primary_metric"] == "accuracy"
    assert (figures["folds"], figures["accuracy"], figures["fold_accuracies"]) == (2, 0.75, [0.5, 1.0])
    assert figures["confusion"] == [[2, 0], [1, 1]]


def test_several_labels_are_judged_by_their_overlap() -> None:
    """The primary metric is AutoML's for the task: intersection over union."""
    data = collection(MULTILABEL, ("a", "b"), ("b",), ("a",), ())
    results = folds([[-1, 1], [-1, -1]], [[1, -1], [1, -1]])
    answers = answers_of(data, results)
    assert answers.selected.tolist() == [[False, True], [False, False], [True, False], [True, False]]
    figures = cross_validation_figures(answers, rows_of(results))
    assert figures["primary_metric"] == "iou"
    assert figures["iou"] == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert figures["fold_ious"] == [1.0, 0.75]
    assert figures["mistakes_by_class"] == {"a": 0, "b": 1}


def crossvalidate(*words: object) -> "subprocess.CompletedProcess[str]":
    """Run the command as a user does: pools that spawn leave a resource tracker behind until the program ends."""
    program = [sys.executable, "-m", "training.cli", "crossvalidate", *map(str, words)]
    settings = [
        word for name, value in {**TINY, "number_of_epochs": 1}.items() for word in ("--set", f"{name}={value}")
    ]
    return subprocess.run([*program, "--workers", "1", *settings], capture_output=True, text=True)  # noqa: PLW1510


def test_a_table_of_several_labels_with_copies(tmp_path: Path) -> None:
    """Every picture is judged once, standardised and mirrored; the JSON is what a program needs."""
    records = draw(tmp_path / "data", count=12)
    copy = tmp_path / "data" / "copy.png"
    copy.write_bytes(records[0].path.read_bytes())
    rows = [f'{record.path},"{record.label},{"dark" if n % 2 else "bright"}"' for n, record in enumerate(records)]
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(["Filename,Label", *rows, f'{copy},"{records[0].label},bright"', ""]))
    done = crossvalidate(table, "--folds", "2", "--standardised", "--mirrored", "--json", "--pretrained", "none")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert (figures["pictures"], figures["primary_metric"], len(figures["fold_ious"])) == (13, "iou", 2)
    assert "mobilenetv2, from scratch" in done.stderr


def test_a_fold_that_fails_ends_it_in_one_line(tmp_path: Path) -> None:
    """An unreadable picture is named, and nothing is printed for programs."""
    record = draw(tmp_path / "data", count=12)[5]
    record.path.write_bytes(b"no picture")
    done = crossvalidate(tmp_path / "data", "--folds", "2", "--json", "--pretrained", "none")
    assert (done.returncode, done.stdout) == (1, "")
    assert record.path.name in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
