"""Whatever a labels' file holds, it is read or refused in words."""

import json
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from training.dataset.annotations import DETECTION, MULTICLASS, SEGMENTATION
from training.dataset.coco import read_coco
from training.dataset.jsonl import read_jsonl
from training.dataset.table import read_table
from training.dataset.voc import read_voc
from training.errors import DataError, UsageError

PATIENT = settings(suppress_health_check=[HealthCheck.too_slow])
"""A busy machine draws slowly, which says nothing of these."""
plain = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.text(max_size=4), st.just("1.5"))
NAMES = (
    "label topX topY bottomX bottomY isCrowd polygon width height image_url image_details "
    "id image_id category_id name bbox segmentation iscrowd file_name coco_url"
)
keys = st.sampled_from(NAMES.split())
anything = st.recursive(
    plain, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=6)), max_leaves=12
)


@PATIENT
@given(st.lists(st.fixed_dictionaries({"image_url": plain, "label": anything, "image_details": anything}), max_size=3))
def test_any_lines(lines: list[Any]) -> None:
    """JSON of every shape below the keys that are looked for."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "labels.jsonl"
        file.write_text("\n".join(map(json.dumps, lines)))
        with suppress(DataError):
            read_jsonl(file)


parts = st.lists(st.one_of(anything, st.dictionaries(keys, anything, max_size=8)), max_size=3)


@PATIENT
@given(parts, parts, parts, st.sampled_from((None, MULTICLASS, DETECTION, SEGMENTATION)))
def test_any_coco(images: list[Any], annotations: list[Any], categories: list[Any], task: Any) -> None:
    """Lists of every shape where images, annotations and categories are looked for."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "labels.json"
        file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
        with suppress(DataError, UsageError):
            read_coco(file, task)


@PATIENT
@given(st.binary(max_size=60), st.sampled_from((b"", b"file,labels\n", b"<annotation>", b"<annotation><size><width>")))
def test_any_bytes(data: bytes, start: bytes) -> None:
    """Files that are cut off, or something else altogether."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "labels"
        file.write_bytes(start + data)
        for read in (read_jsonl, read_voc, lambda path: read_table(path, None), lambda path: read_coco(path, None)):
            with suppress(DataError):
                read(file)
