"""Writes a collection down in any of the ways that it may be read, with its pictures, whole or not at all."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from training.dataset.annotations import Box, Dataset, Example, Outline, Picture, Tag
from training.dataset.coco import coco_file
from training.dataset.folders import folder_names
from training.dataset.inspection import Looked, look_at
from training.dataset.jsonl import jsonl_file
from training.dataset.table import table_file
from training.dataset.voc import voc_files_of
from training.dataset.yolo import label_files
from training.errors import DataError

Target = Literal["folders", "jsonl", "jsonl-early", "csv", "voc", "coco", "yolo"]
TARGETS: tuple[Target, ...] = ("folders", "jsonl", "jsonl-early", "csv", "voc", "coco", "yolo")
IMAGES = "images"
"""Where the pictures go, but for class folders."""
SIZED: frozenset[Target] = frozenset(("jsonl", "jsonl-early", "coco", "voc"))
"""The formats that tell of the pictures' sizes, for which each is decoded."""

Told = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Planned:
    """A collection as it is going to lie: the name of each picture below the new folder, and the labels' files.

    ``lost`` counts what the format cannot hold, by what that is.
    """

    sources: Mapping[str, Path]
    files: Mapping[str, bytes]
    lost: Counter[str] = field(default_factory=Counter)


def planned(
    dataset: Dataset,
    target: Target,
    told: Told = lambda _done, _total: None,
    *,
    classes: Sequence[str] | None = None,
) -> Planned:
    """Return how a collection is written as ``target``. Nothing is written yet.

    ``classes`` are those of the whole, where this is a part of it: some formats number them.

    Raises:
        DataError: the format cannot hold it, or a picture's file is not here or, where sizes are wanted, no picture.
    """
    _check_here(dataset.examples)
    if target == "folders":
        return Planned(_sources(folder_names(dataset.examples), dataset.examples), {})
    names = _names(dataset.examples)
    looked = _looked(dataset.examples, told) if target in SIZED else []
    seen: Sequence[Looked | None] = looked or [None] * len(names)
    placed = [_placed(*each) for each in zip(dataset.examples, names, seen, strict=True)]
    files, lost = _labels(replace(dataset, examples=tuple(placed)), target, looked, classes or dataset.classes)
    return Planned(_sources(names, dataset.examples), files, lost)


def _names(examples: Sequence[Example]) -> list[str]:
    """Return where each picture goes: below ``images``, but not twice for what was written so before."""
    names = [example.picture.name for example in examples]
    there = all(name.startswith(f"{IMAGES}/") for name in names)
    return names if there else [f"{IMAGES}/{name}" for name in names]


def _labels(
    dataset: Dataset, target: Target, looked: Sequence[Looked], classes: Sequence[str]
) -> tuple[dict[str, bytes], Counter[str]]:
    examples = dataset.examples
    if target in ("jsonl", "jsonl-early"):
        kinds = [seen.format for seen in looked]
        return jsonl_file(dataset, kinds, early=target == "jsonl-early"), Counter()
    if target == "csv":
        return table_file(examples), Counter()
    if target == "coco":
        return coco_file(dataset, classes), Counter()
    if target == "voc":
        return voc_files_of(examples), Counter(
            {
                "polygons became the boxes around them": _count(examples, Outline),
                "coordinates were rounded to whole pixels": _count(examples, Box) + _count(examples, Outline),
            }
        )
    below = [(example.picture.name.removeprefix(f"{IMAGES}/"), example.marks) for example in examples]
    rings = sum(isinstance(m, Outline) and len(m.rings) > 1 for e in examples for m in e.marks)
    crowds = sum(isinstance(m, Box | Outline) and m.crowd for e in examples for m in e.marks)
    lost = Counter({"things of several polygons became one for each": rings, "marks of crowds became plain": crowds})
    return label_files(below, classes), lost


def _count(examples: Sequence[Example], kind: type[Tag | Box | Outline]) -> int:
    return sum(isinstance(mark, kind) for example in examples for mark in example.marks)


def _check_here(examples: Sequence[Example]) -> None:
    missing = [example.picture.name for example in examples if example.picture.source is None]
    if missing:
        raise DataError(f"{len(missing)} pictures are not here, as {missing[0]}; say where they are with --pictures")
    counted = Counter(example.picture.name for example in examples)
    twice = next((name for name, count in counted.items() if count > 1), None)
    if twice:
        raise DataError(f"{twice}: the labels list this picture more than once")


def _looked(examples: Sequence[Example], told: Told) -> list[Looked]:
    pictures = [example.picture for example in examples]
    looked = look_at(pictures, lambda done: told(done, len(pictures)))
    for picture, seen in zip(pictures, looked, strict=True):
        if seen.fault:
            raise DataError(f"{picture.name}: {seen.why}; automl-train data check shows all that is wrong")
    return looked


def _placed(example: Example, name: str, seen: Looked | None) -> Example:
    size = seen.size if seen else example.picture.size
    return Example(Picture(name, example.picture.source, size=size), example.marks)


def _sources(names: Sequence[str], examples: Sequence[Example]) -> dict[str, Path]:
    return {name: e.picture.source for name, e in zip(names, examples, strict=True) if e.picture.source}


def write(plan: Planned, folder: Path, *, link: bool = False, told: Told = lambda _done, _total: None) -> None:
    """Write a collection into a folder: its pictures, copied or as symbolic links, and then its labels.

    Raises:
        OSError: it cannot be written.
    """
    for done, (name, source) in enumerate(plan.sources.items()):
        path = folder / PurePosixPath(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if link:
            path.symlink_to(source.resolve())
        else:
            shutil.copyfile(source, path)
        told(done + 1, len(plan.sources))
    for name, data in plan.files.items():
        path = folder / PurePosixPath(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give a folder beside the wanted one to write into, and put it in place when the block ends well.

    After an error, or Ctrl-C, nothing is left; after a kill, a hidden folder, which the next attempt clears away.

    Raises:
        DataError: there is something at the place already, or it cannot be written.
    """
    folder = folder.resolve()  # "." has no name of its own
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DataError(f"{folder}: is there already and not empty; name a new folder")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        partial.replace(folder)
    except OSError as exc:
        raise DataError(f"{folder}: cannot be written ({exc.strerror})") from exc
    finally:
        shutil.rmtree(partial, ignore_errors=True)
