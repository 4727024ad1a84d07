"""Reads a labelled collection in any of the ways that it may be written down."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge.bundle import Task
from edge.errors import InputError
from edge.preprocess.decode import picture
from training.dataset.annotations import (
    DETECTION,
    MULTICLASS,
    SEGMENTATION,
    Box,
    Dataset,
    Example,
    Format,
    Mark,
    Outline,
    Picture,
    Size,
    Tag,
    task_of,
)
from training.dataset.coco import is_coco, read_coco
from training.dataset.entries import Entry, Told, scaled
from training.dataset.folders import read_folders
from training.dataset.jsonl import read_jsonl
from training.dataset.locate import Pictures
from training.dataset.records import read_bytes
from training.dataset.table import read_table
from training.dataset.voc import read_voc, voc_files
from training.dataset.yolo import class_lists, read_yolo
from training.errors import DataError, UsageError

FORMATS: tuple[Format, ...] = ("folders", "jsonl", "coco", "voc", "csv", "yolo")
SUFFIXES: Mapping[str, Format] = {
    ".jsonl": "jsonl",
    ".json": "coco",
    ".xml": "voc",
    ".csv": "csv",
    ".yaml": "yolo",
    ".yml": "yolo",
    ".txt": "yolo",
}
"""What a labels' file is by its suffix."""


NO_CLASSES = frozenset(("train", "training", "val", "valid", "validation", "test", "images", "pictures", "labels"))
"""Folders of other layouts, which are seldom meant as classes."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person tells of a collection beside its folder, where it does not show.

    ``labels`` are the labels' files, ``pictures`` the folder that the pictures are looked for in.
    """

    task: Task | None = None
    format: Format | None = None
    labels: tuple[Path, ...] = ()
    pictures: Path | None = None


def read_dataset(folder: Path, wishes: Wishes = Wishes()) -> Dataset:
    """Read the collection in ``folder``, which may also be the one labels' file.

    Raises:
        DataError: there is no collection, or what is there cannot be read or not be used for the task.
        UsageError: it could be read in several ways, and nothing tells in which.
    """
    if folder.is_file():
        return read_dataset(folder.parent, replace(wishes, labels=(folder,)))
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    found = _given(wishes.labels) if wishes.labels else _recognised(folder)
    kind = _chosen(found, wishes, folder)
    root = wishes.pictures or folder
    if kind == "folders":
        return _from_folders(root, wishes)
    return _from_files(found.get(kind, []), kind, root, wishes)


def _given(labels: Sequence[Path]) -> Mapping[Format, list[Path]]:
    found: dict[Format, list[Path]] = {}
    for path in labels:
        if path.suffix.lower() not in SUFFIXES:
            raise UsageError(f"{path}: a labels' file is one of {' '.join(SUFFIXES)}")
        found.setdefault(SUFFIXES[path.suffix.lower()], []).append(path)
    return found


def _recognised(folder: Path) -> Mapping[Format, list[Path]]:
    """Return the labels' files of each kind in a folder; XML also below it, class folders for what they are."""
    ways: Mapping[Format, Callable[[], Iterator[Path]]] = {
        "jsonl": lambda: folder.glob("*.jsonl"),
        "coco": lambda: filter(is_coco, folder.glob("*.json")),
        "voc": lambda: iter(voc_files(folder.rglob("*.xml"))),
        "csv": lambda: folder.glob("*.csv"),
        "yolo": lambda: iter(class_lists(folder)),
    }
    try:
        found: dict[Format, list[Path]] = {kind: sorted(way()) for kind, way in ways.items()}
        inner = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
        classes = sorted(path for path in inner if any(Pictures(path).names))
    except OSError as exc:
        raise DataError(f"{folder}: cannot be read ({exc.strerror}); check its permissions") from exc
    if (len(classes) > 1 and not found["yolo"]) or not any(found.values()):
        found["folders"] = classes
    return {kind: paths for kind, paths in found.items() if paths}


def _chosen(found: Mapping[Format, list[Path]], wishes: Wishes, folder: Path) -> Format:
    kinds = [wishes.format] if wishes.format else list(found)
    if not kinds:
        raise DataError(
            f"{folder}: no labelled pictures; expected one folder a class, or a file of labels: "
            "AutoML's .jsonl, COCO's .json, Pascal VOC's .xml, YOLO's data.yaml or classes.txt, or a .csv"
        )
    if len(kinds) > 1:
        raise UsageError(f"{folder}: can be read as {' or '.join(kinds)}; say which with --format")
    files = found.get(kinds[0], [])
    if not files and kinds[0] != "folders":
        raise DataError(f"{folder}: holds no labels' file of the format {kinds[0]}; name it with --labels")
    if len(files) > 1 and kinds[0] not in ("voc", "folders") and not wishes.labels:
        names = ", ".join(path.name for path in files[:3])
        raise UsageError(f"{folder}: holds several labels' files ({names}); name those to read with --labels")
    return kinds[0]


def _from_folders(root: Path, wishes: Wishes) -> Dataset:
    task = wishes.task or MULTICLASS
    if task in (DETECTION, SEGMENTATION):
        raise UsageError(f"{root}: folders tell classes only; {task} needs a labels' file with boxes or polygons")
    records = read_folders([root])
    classes = sorted({record.label for record in records})
    if not wishes.format and {label.lower() for label in classes} <= NO_CLASSES:
        raise UsageError(
            f"{root}: {', '.join(classes)} look like no classes; give the folder that holds those, or --format folders"
        )
    names = [record.path.relative_to(root).as_posix() for record in records]
    examples = (
        _example_of(Picture(name, record.path), (Tag(record.label),))
        for name, record in zip(names, records, strict=True)
    )
    return Dataset(task, "folders", tuple(examples), _others(Pictures(root), names))


def _from_files(files: Sequence[Path], kind: Format, root: Path, wishes: Wishes) -> Dataset:
    told = _told(files, kind, wishes)
    entries = told.entries
    if not entries:
        raise DataError(f"{files[0]}: tells of no picture")
    task = wishes.task or _common_task(entries, kind)
    pictures = Pictures(root)
    examples = [_example(entry, pictures, task) for entry in entries]
    # a labelling project exports pictures that nobody has labelled yet, too
    without = [e.picture.name for e in examples if task == MULTICLASS and not e.marks]
    kept = tuple(example for example in examples if example.marks or task != MULTICLASS)
    others = _others(pictures, [example.picture.name for example in kept])
    return Dataset(task, kind, kept, tuple(sorted({*others, *without})), told.stray)


def _told(files: Sequence[Path], kind: Format, wishes: Wishes) -> Told:
    readers: Mapping[str, Callable[[Path], Told]] = {
        "jsonl": lambda path: Told(read_jsonl(path)),
        "coco": lambda path: read_coco(path, wishes.task),
        "voc": lambda path: Told([read_voc(path)]),
        "csv": lambda path: Told(read_table(path, wishes.task)),
        "yolo": lambda path: Told(read_yolo(path)),
    }
    found = [readers[kind](path) for path in files]
    return Told(
        [entry for told in found for entry in told.entries], tuple(name for told in found for name in told.stray)
    )


def _common_task(entries: Sequence[Entry], kind: Format) -> Task:
    task = task_of([entry.marks for entry in entries])
    several = kind == "csv" and task == MULTICLASS and not any(entry.url for entry in entries)
    return "image-classification-multilabel" if several else task


def _others(pictures: Pictures, listed: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(set(pictures.names) - set(listed)))


def _example(entry: Entry, pictures: Pictures, task: Task) -> Example:
    name = pictures.find(entry.reference)
    source = pictures.root / name if name else None
    marks = entry.marks
    if entry.pixels and marks:
        size = entry.size or _size(source, entry.reference)
        marks = tuple(scaled(mark, size) for mark in marks)
    fitting = tuple(_fitting(mark, task, entry.reference) for mark in marks)
    return _example_of(Picture(name or entry.reference, source, entry.url, entry.size), fitting)


def _example_of(wanted: Picture, marks: tuple[Mark, ...]) -> Example:
    """Return an example whose names are text: a file system may hold others, and JSON too."""
    found = Example(wanted, marks)
    for text in (wanted.name, *found.labels):
        if not text.isascii() and text != text.encode(errors="replace").decode():
            raise DataError(f"{text!a}: is no UTF-8; rename it")
    return found


def _size(source: Path | None, reference: str) -> Size:
    """Return a picture's size as its file tells it."""
    if source is None:
        raise DataError(f"{reference}: neither the picture is here nor its size told, but its boxes are in pixels")
    try:
        found = picture(read_bytes(source))
    except InputError as exc:
        raise DataError(f"{source}: {exc}") from exc
    return found.width, found.height


def _fitting(mark: Mark, task: Task, reference: str) -> Mark:
    """Return a mark as a task wants it: an outline has a box, and nothing else can be made of another."""
    wanted = {DETECTION: Box, SEGMENTATION: Outline}.get(task, Tag)
    if isinstance(mark, wanted):
        return mark
    if isinstance(mark, Outline) and wanted is Box:
        return mark.box()
    kinds = {Tag: "a class", Box: "a box", Outline: "a polygon"}
    raise DataError(f"{reference}: is marked with {kinds[type(mark)]}, which {task} cannot use; choose another --task")
