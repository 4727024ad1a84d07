"""What is written in a format is read again as it was, up to what the format holds; nothing is written by halves."""

import json
import string
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.dataset.samples import coco, picture_bytes
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
from training.dataset.reading import Wishes, read_dataset
from training.dataset.writing import Target, planned, whole_folder, write
from training.errors import DataError

WIDTH, HEIGHT = 40, 20
NAMES = ("a b.png", "up/größe.png", "down/a b.png", "up/down/空, 1.png")
words = st.text(string.ascii_letters + " ,;|'\"/#:[]-ßéß名", min_size=1, max_size=8).filter(
    lambda text: text == text.strip() and not text.startswith(".")
)
across, down = st.integers(0, WIDTH - 3), st.integers(0, HEIGHT - 3)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    """Boxes whose corners are whole pixels, at least two from the left top, so that pixels are not taken for shares."""
    left, top = draw(across), draw(down)
    right, bottom = draw(st.integers(left + 2, WIDTH)), draw(st.integers(top + 2, HEIGHT))
    return Box(draw(words), left / WIDTH, top / HEIGHT, right / WIDTH, bottom / HEIGHT, draw(st.booleans()))


@st.composite
def outlines(draw: st.DrawFn) -> Outline:
    """Polygons of three to six points, one ring or two."""
    points = st.lists(st.tuples(st.integers(2, WIDTH), st.integers(2, HEIGHT)), min_size=3, max_size=6)
    rings = draw(st.lists(points, min_size=1, max_size=2))
    shares = (tuple(value for x, y in ring for value in (x / WIDTH, y / HEIGHT)) for ring in rings)
    return Outline(draw(words), tuple(shares), draw(st.booleans()))


tags = st.builds(Tag, words)


def collections(marks: st.SearchStrategy[Mark], least: int, most: int) -> st.SearchStrategy[list[tuple[Mark, ...]]]:
    some = st.lists(marks, min_size=least, max_size=most, unique_by=repr).map(tuple)
    return st.lists(some, min_size=len(NAMES), max_size=len(NAMES))


def written_and_read(root: Path, task: str, marks: Sequence[tuple[Mark, ...]], target: Target) -> Dataset:
    """Write pictures with these marks as ``target``, and read that again."""
    examples = []
    for number, (name, some) in enumerate(zip(NAMES, marks, strict=True)):
        path = root / "from" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture_bytes(number, width=WIDTH, height=HEIGHT))
        examples.append(Example(Picture(name, path), some))
    before = Dataset(task, "jsonl", tuple(examples))  # type: ignore[arg-type]  # a task's name
    with whole_folder(root / "to") as partial:
        write(planned(before, target), partial)
    return read_dataset(root / "to", Wishes(task=before.task))


def assert_same(read: Dataset, marks: Sequence[tuple[Mark, ...]]) -> None:
    """Every picture is there with its content and its marks, to a millionth of its width."""
    found = {example.picture.name.removeprefix("images/"): example for example in read.examples}
    assert set(found) == set(NAMES)
    for number, (name, some) in enumerate(zip(NAMES, marks, strict=True)):
        source = found[name].picture.source
        assert source
        assert source.read_bytes() == picture_bytes(number, width=WIDTH, height=HEIGHT)
        assert [rounded(mark) for mark in found[name].marks] == [rounded(mark) for mark in some]


def rounded(mark: Mark) -> Mark:
    if isinstance(mark, Box):
        left, top, right, bottom = (round(side, 6) for side in (mark.left, mark.top, mark.right, mark.bottom))
        return Box(mark.label, left, top, right, bottom, mark.crowd)
    if isinstance(mark, Outline):
        return replace(mark, rings=tuple(tuple(round(value, 6) for value in ring) for ring in mark.rings))
    return mark


@pytest.mark.parametrize("target", ["jsonl", "jsonl-early", "csv", "coco"])
@settings(max_examples=6)
@given(marks=collections(tags, 1, 1))
def test_one_class_a_picture(target: Target, marks: list[tuple[Mark, ...]]) -> None:
    """Whatever the class is called: with spaces, commas, quotes, slashes, letters of other alphabets."""
    with TemporaryDirectory() as folder:
        assert_same(written_and_read(Path(folder), MULTICLASS, marks, target), marks)


@pytest.mark.parametrize("target", ["jsonl", "jsonl-early", "csv", "coco"])
@settings(max_examples=6)
@given(marks=collections(tags, 0, 3))
def test_several_classes_a_picture(target: Target, marks: list[tuple[Mark, ...]]) -> None:
    """Or none."""
    with TemporaryDirectory() as folder:
        assert_same(written_and_read(Path(folder), MULTILABEL, marks, target), marks)


@pytest.mark.parametrize("target", ["jsonl", "jsonl-early", "coco", "voc", "yolo"])
@settings(max_examples=6)
@given(marks=collections(boxes(), 1, 3))
def test_boxes(target: Target, marks: list[tuple[Mark, ...]]) -> None:
    """To the pixel in Pascal VOC, where crowds are called difficult; YOLO knows no crowds."""
    with TemporaryDirectory() as folder:
        read = written_and_read(Path(folder), DETECTION, marks, target)
        if target == "yolo":
            marks = [tuple(replace(m, crowd=False) for m in some if isinstance(m, Box)) for some in marks]
        assert_same(read, marks)


@pytest.mark.parametrize("target", ["jsonl", "jsonl-early", "coco", "yolo"])
@settings(max_examples=6)
@given(marks=collections(outlines(), 1, 2))
def test_polygons(target: Target, marks: list[tuple[Mark, ...]]) -> None:
    """YOLO makes a thing of each ring."""
    with TemporaryDirectory() as folder:
        read = written_and_read(Path(folder), SEGMENTATION, marks, target)
        if target == "yolo":
            outlines_of = [[mark for mark in some if isinstance(mark, Outline)] for some in marks]
            marks = [tuple(Outline(m.label, (ring,)) for m in some for ring in m.rings) for some in outlines_of]
        assert_same(read, marks)


@settings(max_examples=8)
@given(marks=collections(tags.filter(lambda tag: "/" not in tag.label), 1, 1))
def test_class_folders(marks: list[tuple[Mark, ...]]) -> None:
    """Pictures of one name stay apart, even in one class."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        read = written_and_read(root, MULTICLASS, marks, "folders")
        labels = {e.picture.source.read_bytes(): e.labels for e in read.examples if e.picture.source}
        wanted = [picture_bytes(number, width=WIDTH, height=HEIGHT) for number in range(len(NAMES))]
        assert labels == {data: (some[0].label,) for data, some in zip(wanted, marks, strict=True)}


def one(root: Path, *marks: Mark, task: str = MULTICLASS) -> Dataset:
    path = root / "1.png"
    path.write_bytes(picture_bytes())
    return Dataset(task, "jsonl", (Example(Picture("1.png", path), marks),))  # type: ignore[arg-type]  # a task's name


@pytest.mark.parametrize(
    ("target", "mark", "why"),
    [
        ("folders", Box("a", 0, 0, 1, 1), "1.png: has boxes or polygons, and class folders hold pictures of one class"),
        ("folders", Tag("a/b"), "'a/b' can be no folder's name"),
        ("folders", Tag(".."), "'..' can be no folder's name"),
        ("csv", Box("a", 0, 0, 1, 1), "1.png: has boxes or polygons, and a CSV holds classes only"),
        ("voc", Tag("a"), "1.png: has a class as a whole, and Pascal VOC holds boxes only"),
        ("yolo", Tag("a"), "'a' is the class of a whole picture, and YOLO holds boxes and polygons only"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(tmp_path: Path, target: Target, mark: Mark, why: str) -> None:
    """By the picture's name, before anything is written."""
    with pytest.raises(DataError) as caught:
        planned(one(tmp_path, mark), target)
    assert why in str(caught.value)


def test_a_sliver_at_the_edge_stays_within_the_picture(tmp_path: Path) -> None:
    """In whole pixels a box is one wide at least, and no wider than the picture has room for."""
    sliver = one(tmp_path, Box("a", 0.999, 0.0, 1.0, 0.001), task=DETECTION)
    plan = planned(sliver, "voc")
    write(plan, tmp_path / "to")
    (box,) = read_dataset(tmp_path / "to").examples[0].marks
    assert isinstance(box, Box)
    assert (box.left < box.right, box.right, box.top, box.top < box.bottom) == (True, 1.0, 0.0, True)


def test_what_is_lost_is_counted(tmp_path: Path) -> None:
    """Polygons become boxes in Pascal VOC; YOLO knows neither crowds nor things of several rings."""
    ring = (0.1, 0.1, 0.9, 0.1, 0.9, 0.9)
    outline = one(tmp_path, Outline("a", (ring, ring), crowd=True), task=SEGMENTATION)
    assert dict(planned(outline, "voc").lost) == {
        "polygons became the boxes around them": 1,
        "coordinates were rounded to whole pixels": 1,
    }
    assert set(planned(outline, "yolo").lost.values()) == {1}


def test_pictures_that_are_not_here_or_no_pictures(tmp_path: Path) -> None:
    """Nothing can be copied, or its size told."""
    with pytest.raises(DataError, match=r"1 pictures are not here, as gone\.png"):
        planned(Dataset(MULTICLASS, "csv", (Example(Picture("gone.png"), (Tag("a"),)),)), "csv")
    broken = one(tmp_path, Tag("a"))
    (tmp_path / "1.png").write_bytes(b"no")
    with pytest.raises(DataError, match=r"1\.png: .*known format"):
        planned(broken, "coco")
    assert planned(broken, "csv").files


def test_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    """An error leaves nothing; what a kill left is cleared away; what is there is never touched."""
    out = tmp_path / "out"
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "old").touch()
    with pytest.raises(DataError, match="No space left"), whole_folder(out):
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())
    with whole_folder(out) as partial:
        (partial / "new").touch()
    assert [path.name for path in out.iterdir()] == ["new"]
    with pytest.raises(DataError, match="is there already and not empty"), whole_folder(out):
        pass
    (tmp_path / "empty").mkdir()
    with whole_folder(tmp_path / "empty") as partial:
        (partial / "new").touch()
    assert [path.name for path in (tmp_path / "empty").iterdir()] == ["new"]


def test_links_instead_of_copies(tmp_path: Path) -> None:
    """They lead to the pictures wherever they are looked at from."""
    plan = planned(one(tmp_path, Tag("a")), "folders")
    with whole_folder(tmp_path / "out") as partial:
        write(plan, partial, link=True)
    assert (tmp_path / "out/a/1.png").readlink() == (tmp_path / "1.png").resolve()


def test_annotations_of_pictures_that_coco_does_not_list(tmp_path: Path) -> None:
    """They are told of, not dropped unheard."""
    content = coco(
        [{"image_id": 1, "category_id": 1}, {"image_id": 7, "category_id": 2}, {"image_id": 7, "category_id": 1}]
    )
    (tmp_path / "labels.json").write_text(json.dumps(content))
    assert read_dataset(tmp_path / "labels.json", Wishes(task=MULTILABEL)).stray == ("image_id 7: 2 annotations",)
