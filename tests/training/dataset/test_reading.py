"""Each way of writing labels down becomes the same collection; what is not clear is asked for by an option's name."""

import json
import os
import time
from pathlib import Path

import pytest

from tests.training.dataset.samples import coco, voc, write_lines, write_pictures
from training.dataset.annotations import DETECTION, MULTICLASS, MULTILABEL, SEGMENTATION, Box, Outline, Tag
from training.dataset.inspection import look_at
from training.dataset.reading import Wishes, read_dataset
from training.errors import DataError, UsageError

PLACE = "azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/labelled/paths"


def test_class_folders(tmp_path: Path) -> None:
    """A folder's name is the class; a picture deeper down is told of and left out."""
    write_pictures(tmp_path, ["b/1.png", "a/2.JPG", "a/deep/3.png"])
    (tmp_path / "a/notes.txt").write_text("x")
    found = read_dataset(tmp_path)
    assert (found.task, found.format) == (MULTICLASS, "folders")
    assert [(e.picture.name, e.marks) for e in found.examples] == [("a/2.JPG", (Tag("a"),)), ("b/1.png", (Tag("b"),))]
    assert found.unlisted == ("a/deep/3.png",)
    assert found.classes == ["a", "b"]


def test_parts_of_a_split_are_not_taken_for_classes(tmp_path: Path) -> None:
    """Folders of a layout that we do not read would train a network to tell training from validation."""
    write_pictures(tmp_path, ["train/1.png", "Valid/2.png"])
    with pytest.raises(UsageError, match="Valid, train look like no classes"):
        read_dataset(tmp_path)
    assert read_dataset(tmp_path, Wishes(format="folders")).classes == ["Valid", "train"]


def test_jsonl_of_each_task(tmp_path: Path) -> None:
    """The labels tell the task; pictures are found by the end of their path, whatever it begins with."""
    write_pictures(tmp_path, ["images/1.png", "images/2.png"])
    box = {"label": "can", "topX": 0.1, "topY": 0.2, "bottomX": 0.5, "bottomY": 1, "isCrowd": 1}
    ring = [0.1, 0.2, 0.5, 0.2, 0.5, 0.9]
    cases = [
        (MULTICLASS, "can", (Tag("can"),)),
        (MULTILABEL, ["can", "milk bottle"], (Tag("can"), Tag("milk bottle"))),
        (DETECTION, [box], (Box("can", 0.1, 0.2, 0.5, 1.0, crowd=True),)),
        (SEGMENTATION, [{"label": "can", "polygon": [ring]}], (Outline("can", (tuple(ring),)),)),
    ]
    for task, label, marks in cases:
        lines = [{"image_url": f"{PLACE}/far/images/{n}.png", "label": label} for n in (1, 2)]
        write_lines(tmp_path / "labels.jsonl", lines)
        found = read_dataset(tmp_path)
        assert (found.task, found.format, found.unlisted) == (task, "jsonl", ())
        assert [e.marks for e in found.examples] == [marks, marks]
        assert [e.picture.name for e in found.examples] == ["images/1.png", "images/2.png"]
        assert found.examples[0].picture.url == f"{PLACE}/far/images/1.png"


def test_labelling_projects_jsonl(tmp_path: Path) -> None:
    """What a data-labelling project exports: old URLs, sizes in px, confidences beside, numbers as texts."""
    write_pictures(tmp_path, ["1.png"])
    label = {"label": "can", "topX": "0.1", "topY": "0", "bottomX": "1", "bottomY": "0.5", "isCrowd": "false"}
    details = {"format": "png", "width": "40px", "height": "20px"}
    url = "AmlDatastore://labelled/UI/2023-01-28_061527_UTC/1.png"
    line = {"image_url": url, "image_details": details, "label": [label], "label_confidence": [[1.0]]}
    write_lines(tmp_path / "export.jsonl", [line])
    (example,) = read_dataset(tmp_path).examples
    assert example.marks == (Box("can", 0.1, 0.0, 1.0, 0.5),)
    assert (example.picture.size, example.picture.url) == ((40, 20), url)
    write_lines(tmp_path / "export.jsonl", [{"image_url": url, "labels": ["can"], "label_confidence": [0.9]}])
    assert read_dataset(tmp_path).examples[0].marks == (Tag("can"),)


@pytest.mark.parametrize("relative", [False, True])
def test_coco_boxes_in_pixels_and_as_shares(tmp_path: Path, *, relative: bool) -> None:
    """Boxes of left, top, width, height, absolute as COCO has them or as shares as Azure exports them."""
    write_pictures(tmp_path, ["up/1.png", "up/2.png"])
    bbox = [0.25, 0.5, 0.5, 0.25] if relative else [10, 10, 20, 5]
    content = coco([{"image_id": 1, "category_id": 2, "bbox": bbox}], store="labelled")
    (tmp_path / "export.json").write_text(json.dumps(content))
    found = read_dataset(tmp_path)
    assert (found.task, found.format) == (DETECTION, "coco")
    assert [e.marks for e in found.examples] == [(Box("can", 0.25, 0.5, 0.75, 0.75),), ()]
    assert found.examples[0].picture.url == "AmlDatastore://labelled/up/1.png"
    assert found.examples[0].picture.size == (40, 20)


def test_coco_without_boxes_is_classification(tmp_path: Path) -> None:
    """As labelling projects export classes: one annotation a picture is multi-class, more are multi-label."""
    write_pictures(tmp_path, ["up/1.png", "up/2.png"])
    marks = [{"image_id": 1, "category_id": 1}, {"image_id": 2, "category_id": 2}]
    (tmp_path / "export.json").write_text(json.dumps(coco(marks)))
    assert read_dataset(tmp_path).task == MULTICLASS
    (tmp_path / "export.json").write_text(json.dumps(coco([*marks, {"image_id": 2, "category_id": 1}])))
    found = read_dataset(tmp_path)
    assert found.task == MULTILABEL
    assert [e.labels for e in found.examples] == [("milk bottle",), ("can", "milk bottle")]


def test_pictures_that_nobody_has_labelled_are_left_out(tmp_path: Path) -> None:
    """Of a labelling project that is not finished; they are told of, here or in Azure. Elsewhere they may be right."""
    write_pictures(tmp_path, ["up/1.png"])
    content = coco([{"image_id": 1, "category_id": 1}], images=2, store="labelled")
    (tmp_path / "export.json").write_text(json.dumps(content))
    found = read_dataset(tmp_path)
    assert [e.picture.name for e in found.examples] == ["up/1.png"]
    assert found.unlisted == ("up/2.png",)
    assert len(read_dataset(tmp_path, Wishes(task=MULTILABEL)).examples) == 2


def test_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """A file system may hold any bytes; Azure and JSON do not."""
    folder = os.fsencode(tmp_path) + b"/can\xe9"
    os.mkdir(folder)  # noqa: PTH102 - only this takes bytes
    (tmp_path / "can").mkdir()
    (tmp_path / "can/1.png").write_bytes(b"x")
    with open(folder + b"/1.png", "wb"):  # noqa: PTH123 - only this takes bytes
        pass
    with pytest.raises(DataError, match=r"'can\\udce9/1\.png': is no UTF-8; rename it"):
        read_dataset(tmp_path)


def test_coco_polygons_are_asked_about(tmp_path: Path) -> None:
    """With boxes and polygons the task is asked for; outlines of pixels become shares, or boxes."""
    write_pictures(tmp_path, ["up/1.png"])
    mark = {"image_id": 1, "category_id": 2, "bbox": [10, 5, 20, 10], "segmentation": [[10, 5, 30, 5, 30, 15]]}
    (tmp_path / "export.json").write_text(json.dumps(coco([mark], images=1)))
    with pytest.raises(UsageError, match="--task"):
        read_dataset(tmp_path)
    (outlined,) = read_dataset(tmp_path, Wishes(task=SEGMENTATION)).examples
    assert outlined.marks == (Outline("can", ((0.25, 0.25, 0.75, 0.25, 0.75, 0.75),)),)
    (boxed,) = read_dataset(tmp_path, Wishes(task=DETECTION)).examples
    assert boxed.marks == (Box("can", 0.25, 0.25, 0.75, 0.75),)


def test_run_length_masks_are_refused_by_name(tmp_path: Path) -> None:
    """AutoML takes polygons only."""
    write_pictures(tmp_path, ["up/1.png"])
    mark = {"image_id": 1, "category_id": 2, "segmentation": {"counts": [1], "size": [1, 1]}, "iscrowd": 1}
    (tmp_path / "export.json").write_text(json.dumps(coco([mark], images=1)))
    with pytest.raises(DataError, match="annotation 1 is a run-length mask"):
        read_dataset(tmp_path)


def test_voc(tmp_path: Path) -> None:
    """XML beside or below; without a size in it the picture itself tells it; ``difficult`` is a crowd."""
    write_pictures(tmp_path, ["images/1.png", "images/2.png"])
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/1.xml").write_text(voc("1.png", [("can", (10, 5, 30, 20))]))
    (tmp_path / "annotations/2.xml").write_text(voc("", [("can", (0, 0, 40, 20))], size=False))
    (tmp_path / "annotations/other.xml").write_text("<something/>")
    found = read_dataset(tmp_path)
    assert (found.task, found.format) == (DETECTION, "voc")
    assert [e.marks for e in found.examples] == [
        (Box("can", 0.25, 0.25, 0.75, 1.0, crowd=True),),
        (Box("can", 0.0, 0.0, 1.0, 1.0, crowd=True),),
    ]


def test_tables(tmp_path: Path) -> None:
    """Labels stand between spaces, or between commas where they have spaces; with and without a header."""
    write_pictures(tmp_path, ["1.png", "2.png", "3.png"])
    table = tmp_path / "labels.csv"
    table.write_text("file,labels\n1.png,can\n2.png,can carton\n3.png,\n")
    found = read_dataset(tmp_path)
    assert (found.task, [e.labels for e in found.examples]) == (MULTILABEL, [("can",), ("can", "carton"), ()])
    table.write_text('1.png,"milk bottle, can"\n2.png,can\n3.png,can\n')
    assert read_dataset(tmp_path).examples[0].labels == ("can", "milk bottle")
    table.write_text("1.png,milk bottle\n2.png,can\n3.png,can\n")
    assert read_dataset(tmp_path, Wishes(task=MULTICLASS)).examples[0].labels == ("milk bottle",)
    table.write_text("Url,Label\nAmlDatastore://labelled/a/1.png,milk bottle\nAmlDatastore://labelled/a/2.png,can\n")
    found = read_dataset(tmp_path)
    assert (found.task, found.examples[0].labels, found.unlisted) == (MULTICLASS, ("milk bottle",), ("3.png",))


def test_several_ways_are_asked_about(tmp_path: Path) -> None:
    """Class folders beside a JSONL, or two files: an option is named, and decides."""
    write_pictures(tmp_path, ["a/1.png", "b/2.png"])
    lines = [{"image_url": "a/1.png", "label": "x"}, {"image_url": "b/2.png", "label": "y"}]
    write_lines(tmp_path / "train.jsonl", lines)
    with pytest.raises(UsageError, match="jsonl or folders; say which with --format"):
        read_dataset(tmp_path)
    assert read_dataset(tmp_path, Wishes(format="folders")).classes == ["a", "b"]
    assert read_dataset(tmp_path, Wishes(format="jsonl")).classes == ["x", "y"]
    assert read_dataset(tmp_path / "train.jsonl").classes == ["x", "y"]
    write_lines(tmp_path / "more.jsonl", [{"image_url": "a/1.png", "label": "z"}])
    with pytest.raises(UsageError, match=r"more\.jsonl, train\.jsonl.*--labels"):
        read_dataset(tmp_path, Wishes(format="jsonl"))
    both = Wishes(labels=(tmp_path / "train.jsonl", tmp_path / "more.jsonl"))
    assert read_dataset(tmp_path, both).classes == ["x", "y", "z"]


def test_pictures_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    """As much of a path as is alike decides; where it does not, the option is named."""
    write_pictures(tmp_path, ["one/a/1.png", "two/a/1.png", "two/b/1.png"])
    line = {"image_url": "AmlDatastore://store/two/a/1.png", "label": "x"}
    file = write_lines(tmp_path / "labels.jsonl", [line])
    assert read_dataset(file).examples[0].picture.name == "two/a/1.png"
    write_lines(file, [{"image_url": "a/1.png", "label": "x"}])
    with pytest.raises(DataError, match="--pictures"):
        read_dataset(file)
    chosen = Wishes(pictures=tmp_path / "one")
    assert read_dataset(file, chosen).examples[0].picture.name == "a/1.png"


def test_the_very_name_is_never_in_doubt(tmp_path: Path) -> None:
    """Though another path ends alike; cameras call every picture the same, and thousands are found in seconds."""
    write_pictures(tmp_path, ["a/1.png", "more/a/1.png"])
    file = write_lines(tmp_path / "labels.jsonl", [{"image_url": "a/1.png", "label": "x"}])
    assert read_dataset(file).examples[0].picture.name == "a/1.png"
    names = [f"shots/{number}/frame.png" for number in range(1000)]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"")
    write_lines(file, [{"image_url": f"AmlDatastore://store/{name}", "label": "x"} for name in names])
    began = time.monotonic()
    assert [example.picture.name for example in read_dataset(file).examples] == names
    assert time.monotonic() - began < 20


def test_links_that_lead_nowhere_are_not_left_out(tmp_path: Path) -> None:
    """A disk that is not there takes no pictures from a class unheard."""
    write_pictures(tmp_path, ["a/1.png", "b/1.png"])
    (tmp_path / "b/2.png").symlink_to("/not-mounted/2.png")
    looked = look_at([example.picture for example in read_dataset(tmp_path).examples])
    assert [seen.fault for seen in looked] == [None, None, "unreadable"]


def test_formats_that_nothing_reads_are_told(tmp_path: Path) -> None:
    """A telephone's pictures in a class folder are not left out unheard, and a label that names one is refused."""
    write_pictures(tmp_path, ["a/1.png", "b/1.png", "b/3.png"])
    for name in ("b/2.HEIC", "b/3.HEIC"):
        (tmp_path / name).write_bytes(b"ftypheic")
    assert read_dataset(tmp_path).unlisted == ("b/2.HEIC", "b/3.HEIC")
    file = write_lines(tmp_path / "labels.jsonl", [{"image_url": n, "label": "x"} for n in ("b/2.HEIC", "b/3")])
    looked = look_at([example.picture for example in read_dataset(file).examples])
    assert [seen.fault for seen in looked] == ["format", None]


def test_xml_that_is_cut_off_is_named(tmp_path: Path) -> None:
    """Beside whole files of Pascal VOC it is one of them, and its picture is not left out unheard."""
    write_pictures(tmp_path, ["1.png", "2.png"])
    (tmp_path / "1.xml").write_text(voc("1.png", [("can", (10, 5, 30, 20))]))
    (tmp_path / "2.xml").write_text(voc("2.png", [("can", (10, 5, 30, 20))])[:50])
    with pytest.raises(DataError, match=r"2\.xml: cannot be used as a Pascal VOC file"):
        read_dataset(tmp_path)


def test_xml_that_grows_is_refused(tmp_path: Path) -> None:
    """Entities of entities of entities would be gigabytes."""
    write_pictures(tmp_path, ["1.png"])
    names = [f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12)]
    (tmp_path / "1.xml").write_text(voc("1.png", []))
    (tmp_path / "2.xml").write_text(
        f'<!DOCTYPE a [<!ENTITY e0 "growing">{"".join(names)}]><annotation><filename>&e11;</filename></annotation>'
    )
    with pytest.raises(DataError, match=r"2\.xml: cannot be used .*amplification"):
        read_dataset(tmp_path)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("labels.jsonl", '{"image_url": "1.png", "label": %s}'),
        ("labels.json", '{"images": [], "annotations": [], "categories": %s}'),
        ("labels.csv", '1.png,"%s"'),
    ],
)
def test_lists_in_lists_without_end_are_refused(tmp_path: Path, file: str, text: str) -> None:
    """In one line that names the file; none is a program's fault."""
    write_pictures(tmp_path, ["1.png"])
    (tmp_path / file).write_text(text.replace("%s", "[" * 100_000 + "]" * 100_000))
    with pytest.raises(DataError, match=file) as caught:
        read_dataset(tmp_path / file)
    assert len(str(caught.value)) < 300


def test_a_name_as_it_is_written_comes_before_one_without_its_suffix(tmp_path: Path) -> None:
    """Only where no file is called so, what stands before its suffix counts."""
    write_pictures(tmp_path, ["1.png", "1.png.jpg", "deep/2.png"])
    file = write_lines(tmp_path / "labels.jsonl", [{"image_url": n, "label": "x"} for n in ("1.png", "2")])
    assert [e.picture.name for e in read_dataset(file).examples] == ["1.png", "deep/2.png"]


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Nothing there, a broken line, another task than the labels are for."""
    with pytest.raises(DataError, match="no labelled pictures"):
        read_dataset(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        read_dataset(tmp_path / "nowhere")
    write_pictures(tmp_path, ["1.png"])
    file = tmp_path / "labels.jsonl"
    for line, said in (
        ("{", "line 1: cannot be used"),
        ('{"label": "x"}', "image_url is missing"),
        ('{"image_url": "1.png", "label": [{"label": "x"}]}', "topX is missing"),
        ('{"image_url": "1.png", "label": 1.5}', "neither a text"),
        ('{"image_url": 3, "label": "x"}', "image_url is no text"),
    ):
        file.write_text(f"{line}\n")
        with pytest.raises(DataError, match=said):
            read_dataset(file)
    write_lines(file, [{"image_url": "1.png", "label": "x"}])
    with pytest.raises(DataError, match="a class, which image-object-detection cannot use"):
        read_dataset(file, Wishes(task=DETECTION))
    with pytest.raises(UsageError, match=r"one of \.jsonl"):
        read_dataset(tmp_path, Wishes(labels=(tmp_path / "1.png",)))
    with pytest.raises(DataError, match="no labels' file of the format voc"):
        read_dataset(tmp_path, Wishes(format="voc"))
