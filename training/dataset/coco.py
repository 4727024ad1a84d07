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
    Mark,
    Outline,
    Tag,
    coordinates,
)
from training.dataset.entries import Entry, azure_url, path_of, size_from
from training.errors import DataError, UsageError

SHARES_BELOW = 1.5
"""A file none of whose coordinates reaches this is taken to give shares of the picture, not pixels."""


def is_coco(path: Path) -> bool:
    """Tell whether a JSON file is a COCO file, without raising."""
    try:
        return _has_parts(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError):
        return False


def read_coco(path: Path, task: Task | None) -> list[Entry]:
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
        return _entries(content, task or _task(content["annotations"], path))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as exc:
        raise DataError(f"{path}: an annotation cannot be used ({type(exc).__name__}: {exc})") from exc


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


def _entries(content: Mapping[str, Any], task: Task) -> list[Entry]:
    names = {category["id"]: str(category["name"]) for category in content["categories"]}
    marks: dict[Any, list[Mark]] = defaultdict(list)
    for annotation in content["annotations"]:
        marks[annotation["image_id"]].append(_mark(annotation, names[annotation["category_id"]], task))
    pixels = any(value >= SHARES_BELOW for some in marks.values() for mark in some for value in coordinates(mark))
    return [_entry(image, tuple(marks[image["id"]]), pixels=pixels) for image in content["images"]]


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
