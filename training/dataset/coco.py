"""COCO files: those of the COCO tools, and those that Azure's data-labelling projects export.

The latter give coordinates as shares of the picture where the person who exports chooses so, leave ``bbox`` out for
classification, write sizes as ``4032.0`` and name the picture in Azure in ``coco_url``.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edge.bundle import Task
from training.dataset.annotations import (
    DETECTION,
    MULTICLASS,
    MULTILABEL,
    SEGMENTATION,
    Box,
    Dataset,
    Mark,
    Outline,
    Tag,
    coordinates,
)
from training.dataset.entries import Entry, Told, azure_url, path_of, size_from
from training.errors import DataError, UsageError

SHARES_BELOW = 1.5
"""A file none of whose coordinates reaches this is taken to give shares of the picture, not pixels."""


def is_coco(path: Path) -> bool:
    """Tell whether a JSON file is a COCO file, without raising."""
    try:
        return _has_parts(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError):
        return False


def read_coco(path: Path, task: Task | None) -> Told:
    """Read a COCO file for a task; None takes the only task that its annotations are for.

    Raises:
        DataError: the file is no COCO file, or an annotation cannot be used for the task.
        UsageError: its annotations have both boxes and polygons, and no task was told.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as exc:
        raise DataError(f"{path}: cannot be read ({exc})") from exc
    if not _has_parts(content):
        raise DataError(f"{path}: is no COCO file; it has images, annotations and categories")
    try:
        return _told(content, task or _task(content["annotations"], path))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as exc:
        raise DataError(f"{path}: an annotation cannot be used ({type(exc).__name__}: {exc})") from exc


def coco_file(dataset: Dataset, classes: Sequence[str]) -> dict[str, bytes]:
    """Return the file, by its name, for pictures whose sizes are known; coordinates are pixels, with their fractions.

    A polygon has its box beside it, as COCO's tools want it: reading such a file again needs the task.
    """
    number_of = {name: number for number, name in enumerate(classes, 1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, example in enumerate(dataset.examples, 1):
        width, height = example.picture.size or (0, 0)
        images.append({"id": image_id, "file_name": example.picture.name, "width": width, "height": height})
        for mark in example.marks:
            told = {"id": len(annotations) + 1, "image_id": image_id, "category_id": number_of[mark.label]}
            annotations.append({**told, **_shape(mark, width, height)})
    categories = [{"id": number, "name": name} for name, number in number_of.items()]
    content = {"images": images, "annotations": annotations, "categories": categories}
    return {"annotations.json": json.dumps(content, ensure_ascii=False, indent=1).encode()}


def _shape(mark: Mark, width: int, height: int) -> dict[str, Any]:
    if isinstance(mark, Tag):
        return {}
    box = mark.box() if isinstance(mark, Outline) else mark
    sides = (box.left * width, box.top * height, (box.right - box.left) * width, (box.bottom - box.top) * height)
    told = {"bbox": list(sides), "area": sides[2] * sides[3], "iscrowd": int(mark.crowd)}
    if isinstance(mark, Outline):
        rings = [[value * (height if n % 2 else width) for n, value in enumerate(ring)] for ring in mark.rings]
        told |= {"segmentation": rings, "area": sum(map(_area, rings))}
    return told


def _area(ring: Sequence[float]) -> float:
    """Return the area inside a ring, by the shoelace formula."""
    corners = list(zip(ring[0::2], ring[1::2], strict=True))
    following = zip(corners, [*corners[1:], *corners[:1]], strict=True)
    return abs(sum(x * below - right * y for (x, y), (right, below) in following)) / 2


def _has_parts(content: Any) -> bool:
    return isinstance(content, dict) and all(
        isinstance(content.get(part), list) for part in ("images", "annotations", "categories")
    )


def _task(annotations: Sequence[Mapping[str, Any]], path: Path) -> Task:
    boxes = any(annotation.get("bbox") for annotation in annotations)
    polygons = any(annotation.get("segmentation") for annotation in annotations)
    if boxes and polygons:
        raise UsageError(
            f"{path}: has boxes and polygons; say which to train on with --task {DETECTION}|{SEGMENTATION}"
        )
    if boxes or polygons:
        return DETECTION if boxes else SEGMENTATION
    pictures = [annotation["image_id"] for annotation in annotations]
    return MULTICLASS if len(set(pictures)) == len(pictures) else MULTILABEL


def _told(content: Mapping[str, Any], task: Task) -> Told:
    names = {category["id"]: str(category["name"]) for category in content["categories"]}
    marks: dict[Any, list[Mark]] = defaultdict(list)
    for annotation in content["annotations"]:
        marks[annotation["image_id"]].append(_mark(annotation, names[annotation["category_id"]], task))
    pixels = any(value >= SHARES_BELOW for some in marks.values() for mark in some for value in coordinates(mark))
    entries = [_entry(image, tuple(marks.get(image["id"], ())), pixels=pixels) for image in content["images"]]
    listed = {image["id"] for image in content["images"]}
    stray = (f"image_id {number}: {len(some)} annotations" for number, some in marks.items() if number not in listed)
    return Told(entries, tuple(stray))


def _entry(image: Mapping[str, Any], marks: tuple[Mark, ...], *, pixels: bool) -> Entry:
    urls = [str(image[key]) for key in ("coco_url", "absolute_url") if image.get(key)]
    url = next((found for found in map(azure_url, urls) if found), None)
    return Entry(path_of(str(image.get("file_name") or urls[0])), marks, url, size_from(image), pixels)


def _mark(annotation: Mapping[str, Any], label: str, task: Task) -> Mark:
    crowd = bool(annotation.get("iscrowd", 0))
    if task in (MULTICLASS, MULTILABEL):
        return Tag(label)
    if task == SEGMENTATION or not annotation.get("bbox"):
        outline = Outline(label, _rings(annotation), crowd)
        return outline if task == SEGMENTATION else outline.box()
    left, top, width, height = (float(value) for value in annotation["bbox"])
    return Box(label, left, top, left + width, top + height, crowd)


def _rings(annotation: Mapping[str, Any]) -> tuple[tuple[float, ...], ...]:
    found = annotation.get("segmentation") or []
    if isinstance(found, Mapping):
        raise ValueError(f"annotation {annotation.get('id')} is a run-length mask; AutoML takes polygons")
    return tuple(tuple(float(value) for value in ring) for ring in found)
