"""Two graphs' answers to the same pictures, held against each other."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edge.bundle import MULTILABEL, Task
from training.accuracy_gate import compare, fewest_for
from training.answers import Answers, flags_of
from training.dataset.annotations import MULTICLASS
from training.dataset.records import Record

LABELS = ("a", "b")


def answers(true: Sequence[str], selected: Sequence[str], task: Task = MULTICLASS) -> Answers:
    """Return answers to pictures; each text holds the labels' letters."""
    zeros = np.zeros((len(true), len(LABELS)))
    return Answers(
        task=task,
        labels=LABELS,
        records=tuple(Record(Path(f"{number}.png"), tuple(letters)) for number, letters in enumerate(true)),
        true=flags_of([tuple(letters) for letters in true], LABELS),
        logits=zeros.astype(np.float32),
        probs=zeros,
        selected=flags_of([tuple(letters) for letters in selected], LABELS),
    )


def test_accuracy_before_and_after() -> None:
    """Counts what became wrong and right; the loss is the difference, and what is allowed may just be lost."""
    found = compare(answers("aabb", "aabb"), answers("aabb", "abbb"))
    assert (found.metric, found.before, found.after, found.pictures) == ("accuracy", 1.0, 0.75, 4)
    assert (found.became_wrong, found.became_right) == (1, 0)
    assert found.passes(0.25)
    assert not found.passes(0.24)
    assert compare(answers("aab", "bbb"), answers("aab", "abb")).loss == pytest.approx(-1 / 3)


def test_overlap_counts_where_pictures_show_several_classes() -> None:
    """A picture whose labels are half right counts half; one that rightly got none counts whole."""
    found = compare(answers(["ab", ""], ["ab", ""], MULTILABEL), answers(["ab", ""], ["a", ""], MULTILABEL))
    assert (found.metric, found.before, found.after) == ("iou", 1.0, 0.75)
    assert found.became_wrong == 1


def test_the_difference_is_paired() -> None:
    """Its bounds come from the pictures that changed; where none did, from how rare what nobody saw can be."""
    some = compare(answers("a" * 100, "a" * 100), answers("a" * 100, "b" * 10 + "a" * 90))
    assert some.low == pytest.approx(-0.1 - 1.96 * np.sqrt(0.09 / 99), abs=1e-4)
    none = compare(answers("a" * 100, "a" * 100), answers("a" * 100, "a" * 100))
    assert (none.low, none.high) == (-0.03, 0.03)
    assert compare(answers("a", "a"), answers("a", "b")).low == -1.0


def test_figures_for_people_and_manifests() -> None:
    """The line and the JSON say the same."""
    found = compare(answers("aabb", "aabb"), answers("aabb", "abbb"))
    assert found.line().startswith("accuracy 1.0000 before, 0.7500 after (-0.2500, with 95 % confidence -1.0000 to ")
    assert found.line().endswith("on 4 pictures: 1 became wrong, 0 right")
    assert found.as_json()["difference_95"][0] == -1.0


def test_how_many_pictures_a_small_loss_takes() -> None:
    """One mistake of so many is no more than is allowed."""
    assert [fewest_for(allowed) for allowed in (0.005, 0.01, 0.3, 1, 0)] == [200, 100, 4, 1, 1]
