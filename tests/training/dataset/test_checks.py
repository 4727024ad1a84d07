"""Each thing that can be wrong with a collection is found, named and counted."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from training.dataset.annotations import (
    DETECTION,
    MULTICLASS,
    MULTILABEL,
    SEGMENTATION,
    Box,
    Dataset,
    Example,
    Mark,
    Outline,
    Picture,
    Tag,
)
from training.dataset.checks import check
from training.dataset.finding import Checked, Finding
from training.dataset.inspection import Looked

RING = (0.1, 0.1, 0.9, 0.1, 0.9, 0.9)
GOOD: Mapping[str, Mark] = {
    MULTICLASS: Tag("a"),
    MULTILABEL: Tag("a"),
    DETECTION: Box("a", 0.1, 0.1, 0.9, 0.9),
    SEGMENTATION: Outline("a", (RING,)),
}


def checked(task: str = MULTICLASS, odd: Sequence[Mark] | None = None, **seen: Any) -> Checked:
    """Return twenty good pictures of two classes, validated in turn, and one of ``odd`` marks that shows ``seen``."""
    good = GOOD[task]
    marks: list[tuple[Mark, ...]] = [(type(good)(**{**_fields(good), "label": "ab"[n // 10]}),) for n in range(20)]
    examples = [Example(Picture(f"{n}.png", size=(80, 40)), found) for n, found in enumerate(marks)]
    looked = [Looked(f"sha{n}", (80, 40), "png") for n in range(20)]
    examples.append(Example(Picture("odd.png", size=(80, 40)), tuple(odd) if odd is not None else (good,)))
    looked.append(Looked(**{"sha256": "odd", "size": (80, 40), "format": "png", **seen}))
    return Checked(Dataset(task, "jsonl", tuple(examples)), looked, ["train", "validation"] * 10 + ["train"])  # type: ignore[arg-type]  # a task's name


def _fields(mark: Mark) -> dict[str, Any]:
    return {name: getattr(mark, name) for name in mark.__slots__}


def found(which: Checked) -> dict[str, Finding]:
    return {finding.kind: finding for finding in check(which)}


@pytest.mark.parametrize("task", GOOD)
def test_a_good_collection_has_no_findings(task: str) -> None:
    """Nothing is found where nothing is wrong."""
    assert check(checked(task)) == []


@pytest.mark.parametrize(
    ("kind", "where", "which"),
    [
        ("missing", "odd.png", checked(sha256="", fault="missing")),
        ("unreadable", "odd.png: no", checked(fault="unreadable", why="no")),
        ("damaged", "odd.png: cut", checked(fault="damaged", why="cut")),
        ("format", "odd.png: GIF", checked(fault="format", why="GIF")),
        ("huge", "odd.png: too", checked(fault="huge", why="too")),
        ("contradiction", "0.png (a) = odd.png (b)", checked(odd=[Tag("b")], sha256="sha0")),
        ("empty-label", "odd.png", checked(odd=[Tag(" ")])),
        ("several-labels", "odd.png: a, b", checked(odd=[Tag("a"), Tag("b")])),
        ("outside", "odd.png: a", checked(DETECTION, [Box("a", 0.1, 0.1, 1.01, 0.5)])),
        ("outside", "odd.png: a", checked(DETECTION, [Box("a", float("nan"), 0.1, 1, 0.5)])),
        ("outside", "odd.png: a", checked(SEGMENTATION, [Outline("a", ((0.1, 0.1, 0.9, 0.1, 0.9, -0.1),))])),
        ("empty-box", "odd.png: a", checked(DETECTION, [Box("a", 0.5, 0.1, 0.5, 0.5)])),
        ("no-polygon", "odd.png: a", checked(SEGMENTATION, [Outline("a", ((0.1, 0.1, 0.9, 0.1),))])),
        ("no-polygon", "odd.png: a", checked(SEGMENTATION, [Outline("a", (RING[:-1],))])),
        ("no-polygon", "odd.png: a", checked(SEGMENTATION, [Outline("a", ())])),
    ],
)
def test_problems(kind: str, where: str, which: Checked) -> None:
    """Each stops the upload and names the picture."""
    finding = found(which)[kind]
    assert (finding.level, finding.count, finding.where) == ("problem", 1, (where,))


@pytest.mark.parametrize(
    ("kind", "where", "which"),
    [
        ("small-class", "c: 1", checked(odd=[Tag("c")])),
        ("not-validated", "c", checked(odd=[Tag("c")])),
        ("duplicate", "0.png = odd.png", checked(sha256="sha0")),
        ("unmarked", "odd.png", checked(DETECTION, [])),
        ("unmarked", "odd.png", checked(MULTILABEL, [])),
        ("odd-spaces", "'a '", checked(odd=[Tag("a ")])),
        ("twins", "'A' and 'a'", checked(odd=[Tag("A")])),
        ("other-suffix", "odd.png: jpg", checked(format="jpg", suffix_fits=False)),
        ("other-size", "odd.png: 80x40 told, 40x80 is", checked(size=(40, 80))),
        ("turned", "odd.png", checked(DETECTION, turned=True)),
    ],
)
def test_warnings(kind: str, where: str, which: Checked) -> None:
    """Each is told of with the picture or class, and stops nothing."""
    finding = found(which)[kind]
    assert (finding.level, finding.count, finding.where) == ("warning", 1, (where,))
    assert not [other for other in check(which) if other.level == "problem"]


def test_a_collection_too_small_or_of_one_class() -> None:
    """AutoML takes ten pictures and two classes; detection may have one."""
    one = Example(Picture("1.png"), (Tag("a"),))
    small = Checked(Dataset(MULTICLASS, "folders", (one,)), [Looked("1", (9, 9), "png")], ["train"])
    assert {"too-few", "one-class"} <= set(found(small))
    boxed = Example(Picture("1.png"), (Box("a", 0, 0, 1, 1),))
    assert "one-class" not in found(Checked(Dataset(DETECTION, "coco", (boxed,)), small.looked, ["train"]))


def test_a_class_that_is_never_trained_on() -> None:
    """As can be where a picture has several labels."""
    some = checked(MULTILABEL)
    assert found(Checked(some.dataset, some.looked, ["validation"] * 21))["not-trained"].where == ("a", "b")


def test_listed_twice_is_not_taken_for_a_copy() -> None:
    """One picture on two lines is a fault of the labels' file."""
    some = checked()
    examples = (*some.dataset.examples, some.dataset.examples[-1])
    twice = Checked(
        Dataset(MULTICLASS, "jsonl", examples, ("x.png",)), [*some.looked, some.looked[-1]], [*some.parts, "train"]
    )
    assert set(found(twice)) == {"listed-twice", "unlisted"}


def test_pictures_that_stay_in_azure_are_not_missing() -> None:
    """Only where they are to be used there, and only those whose place is known."""
    url = "AmlDatastore://store/1.png"
    example = Example(Picture("1.png", url=url), (Tag("a"),))
    elsewhere = Dataset(MULTICLASS, "jsonl", (example, Example(Picture("2.png"), (Tag("b"),))))
    looked = [Looked(fault="missing"), Looked(fault="missing")]
    assert found(Checked(elsewhere, looked, ["train", "train"]))["missing"].where == ("1.png", "2.png")
    assert found(Checked(elsewhere, looked, ["train", "train"], in_place=True))["missing"].where == ("2.png",)


def test_of_many_places_a_few_are_shown() -> None:
    """The count is of all."""
    some = checked(MULTICLASS)
    broken = [Looked(f"sha{n}", fault="damaged", why="cut") for n in range(21)]
    finding = found(Checked(some.dataset, broken, some.parts))["damaged"]
    assert (finding.count, len(finding.where)) == (21, 5)
