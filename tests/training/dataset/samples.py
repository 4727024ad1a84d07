"""Small pictures and labels' files, for tests of how they are read."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np


def picture_bytes(number: int = 0, *, width: int = 40, height: int = 20, suffix: str = ".png") -> bytes:
    """Return a small picture; another number, another content."""
    pixels = np.random.default_rng(number).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return cv2.imencode(suffix, pixels)[1].tobytes()


def write_pictures(folder: Path, names: Iterable[str]) -> None:
    """Write a picture of its own content, 40x20 pixels, under each name."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture_bytes(number, suffix=path.suffix.lower() if path.suffix != ".jpe" else ".jpg"))


def write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> Path:
    """Write JSON lines."""
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def coco(annotations: Iterable[Mapping[str, Any]], *, images: int = 2, store: str | None = None) -> dict[str, Any]:
    """Return a COCO file of pictures 40x20 px ``up/<n>.png``; with a ``store`` as labelling projects export it."""
    listed: list[dict[str, Any]] = []
    for number in range(1, images + 1):
        image: dict[str, Any] = {"id": number, "width": 40, "height": 20, "file_name": f"up/{number}.png"}
        if store:
            url = f"https://account.blob.core.windows.net/container/up/{number}.png"
            image |= {"width": 40.0, "height": 20.0, "coco_url": f"AmlDatastore://{store}/up/{number}.png"}
            image |= {"absolute_url": url, "date_captured": "2022-06-24T23:34:17.7980622Z"}
        listed.append(image)
    marks = [{"id": number, "area": 0.0, **annotation} for number, annotation in enumerate(annotations, 1)]
    return {
        "images": listed,
        "annotations": marks,
        "categories": [{"id": 1, "name": "milk bottle"}, {"id": 2, "name": "can"}],
    }


def voc(name: str, boxes: Iterable[tuple[str, tuple[int, int, int, int]]], *, size: bool = True) -> str:
    """Return a Pascal VOC file for a picture of 40x20 px."""
    parts = [f"<annotation><filename>{name}</filename>"]
    if size:
        parts.append("<size><width>40</width><height>20</height><depth>3</depth></size>")
    for label, (left, top, right, bottom) in boxes:
        frame = f"<xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax>"
        parts.append(f"<object><name>{label}</name><difficult>1</difficult><bndbox>{frame}</bndbox></object>")
    return "".join([*parts, "</annotation>"])
