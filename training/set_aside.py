"""Writes down which pictures to look at, and copies them for a labelling tool. Overwrites and deletes no picture."""

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from edge.durable import replace_file
from training.dataset.records import read_bytes
from training.errors import DataError
from training.hard_negatives import Chosen, Hard

NO_ANSWER = "none"
"""The folder of pictures in which a multi-label model sees nothing."""
LONGEST_NAME = 100
MOST_NAMES = 10_000


def list_paths(folder: Path) -> tuple[Path, Path]:
    """Return the paths of the lists of a folder."""
    return folder.with_name(f"{folder.name}.csv"), folder.with_name(f"{folder.name}.jsonl")


def write_lists(folder: Path, hard: Sequence[Hard]) -> tuple[Path, Path]:
    """Write ``FOLDER.csv`` and ``FOLDER.jsonl`` and return both paths.

    They lie beside the folder and not in it, where the next fit would take them for labels. Raises DataError.
    """
    names = [field.name for field in fields(Hard)]
    rows = io.StringIO(newline="")
    writer = csv.DictWriter(rows, names)
    writer.writeheader()
    writer.writerows(asdict(one) for one in hard)
    lines = "".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in hard)
    table, json_lines = list_paths(folder)
    for path, text in ((table, rows.getvalue()), (json_lines, lines)):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, text.encode())
        except OSError as exc:
            raise DataError(f"{path}: cannot be written ({exc.strerror})") from exc
    return table, json_lines


def copy_by_answer(folder: Path, chosen: Sequence[Chosen]) -> int:
    """Copy each picture to ``FOLDER/<answer>/<name>`` and return how many were new there.

    One that is there with the same content is left; a different one of the same name gets a number. Raises DataError.
    """
    return sum(_copy(one.record.path, folder / _folder_name(one.hard.answer)) for one in chosen)


def _folder_name(answer: str) -> str:
    """Return an answer as a folder's name."""
    name = answer.replace("/", "_").replace("\0", "_").lstrip(".").strip()[:LONGEST_NAME]
    return name or NO_ANSWER


def _copy(file: Path, folder: Path) -> bool:
    data = read_bytes(file)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target in _names(folder, file):
            if _placed(data, target):
                return True
            if target.read_bytes() == data:
                return False
    except OSError as exc:
        raise DataError(f"{folder}: cannot be written ({exc.strerror}); free space or choose another --output") from exc
    raise DataError(f"{folder}: holds {MOST_NAMES} other pictures of the name {file.name}")


def _names(folder: Path, file: Path) -> Iterator[Path]:
    yield folder / file.name
    yield from (folder / f"{file.stem}-{number}{file.suffix}" for number in range(2, MOST_NAMES))


def _placed(data: bytes, target: Path) -> bool:
    """Write a file in one step, unless there is one; tell whether it was written."""
    if target.exists():
        return False
    partial = target.with_name(f".{target.name}.partial")
    try:
        partial.write_bytes(data)
        return _named(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _named(partial: Path, target: Path) -> bool:
    try:
        os.link(partial, target)  # unlike a rename, it replaces nothing
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        if target.exists():
            return False
        partial.rename(target)
    return True
