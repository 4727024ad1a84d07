"""The schema of ``manifest.json``: strict, complete, and every problem named at once."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle import Manifest, manifest_json, parse_manifest, version_key
from edge.errors import ModelInvalidError

FILE = {"sha256": "0" * 64, "size": 1}
VALID: Mapping[str, Any] = {
    "schema": "automl-edge/bundle/1",
    "name": "parts",
    "version": "3",
    "task": "image-classification",
    "family": "classification",
    "created_at": "2026-11-21T03:00:00Z",
    "input": {"name": "input1", "shape": ["batch", 3, 224, 224]},
    "preprocessing": {"rule": "shorter-side", "resize": 256, "crop": 224},
    "files": {"model.onnx": FILE, "labels.json": FILE},
}


def parse(changes: Mapping[str, Any]) -> Manifest:
    return parse_manifest(json.dumps({**VALID, **changes}).encode(), where="manifest.json")


def test_defaults_are_automls() -> None:
    """What a manifest leaves out has the meaning that AutoML gives it."""
    manifest = parse({})
    assert (manifest.input.colour, manifest.input.range, manifest.input.dtype) == ("rgb", "imagenet", "float32")
    assert (manifest.batch, manifest.postprocessing.threshold, manifest.golden) == ("dynamic", 0.5, ())


def test_written_manifest_reads_back_the_same() -> None:
    """Writing and reading a manifest loses nothing, its alias ``schema`` included."""
    manifest = parse({"metrics": {"accuracy": 0.99}, "provenance": {"seed": 1}})
    assert parse_manifest(manifest_json(manifest), where="x") == manifest
    assert json.loads(manifest_json(manifest))["schema"] == "automl-edge/bundle/1"


WRONG: list[tuple[Mapping[str, Any], str]] = [
    ({"schema": "automl-edge/bundle/2"}, "schema: Input should be 'automl-edge/bundle/1'"),
    ({"nmae": "x"}, "nmae: Extra inputs are not permitted"),
    ({"input": {"name": "i", "shape": ["b", 3, 224, 224], "rnage": "0-1"}}, "input.rnage: Extra inputs"),
    ({"version": 3}, "version: Input should be a valid string"),
    ({"name": "../evil"}, "name: String should match"),
    ({"name": ""}, "name: String should match"),
    ({"version": "v" * 129}, "version: String should match"),
    ({"task": "image-clasification"}, "task: Input should be"),
    ({"created_at": "2026-11-21T03:00:00"}, "created_at: Input should have timezone info"),
    ({"created_at": "yesterday"}, "created_at: Input should be a valid datetime"),
    ({"preprocessing": {"resize": "256"}}, "preprocessing.resize: Input should be a valid integer"),
    ({"preprocessing": {"rule": "squeeze"}}, "preprocessing.rule: Input should be"),
    ({"preprocessing": {"crop": 0}}, "preprocessing.crop: Input should be greater than or equal to 1"),
    ({"preprocessing": {"rule": "square", "resize": 200, "crop": 224}}, "square rule needs resize >= crop"),
    ({"preprocessing": {"crop": 192}}, "input.shape is ['batch', 3, 224, 224], preprocessing makes"),
    ({"input": {"name": "i", "shape": [3, 224, 224]}}, "input.shape is [3, 224, 224]"),
    ({"input": {"name": "i", "shape": [4, 3, 224, 224]}}, "4 as its batch axis, batch says 'dynamic'"),
    ({"batch": 0}, "batch"),
    ({"batch": "many"}, "batch"),
    ({"postprocessing": {"threshold": 1.5}}, "postprocessing.threshold: Input should be less than or equal to 1"),
    ({"files": {"model.onnx": FILE}}, "files does not list labels.json"),
    ({"files": {**VALID["files"], "a": {"sha256": "abc", "size": 1}}}, "files.a.sha256: String should match"),
    ({"golden": [{"image": "golden/a.png", "expected": {"labels": ["a"]}}]}, "files does not list golden/a.png"),
    ({"golden": [{"image": "model.onnx", "expected": {"labels": ["a", "b"]}}]}, "expects 2 labels, a multi-class"),
    ({"golden": [{"image": "model.onnx", "expected": {"labels": ["a"], "probs": [1.2]}}]}, "less than or equal to 1"),
]


@pytest.mark.parametrize(("changes", "problem"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_wrong_manifest_is_refused_naming_the_place(changes: Mapping[str, Any], problem: str) -> None:
    """Each mistake names the key that holds it."""
    with pytest.raises(ModelInvalidError, match=r"manifest.json: ") as caught:
        parse(changes)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../up",
        "a/../../up",
        "a/../b",
        "./a",
        "a//b",
        "a/",
        "a\\b",
        "",
        ".",
        "..",
        "a\nb",
        "manifest.json",
    ],
)
def test_path_that_leaves_the_bundle_or_has_a_second_spelling_is_refused(path: str) -> None:
    """A listed path is plain, relative and the only spelling of its file; the manifest never lists itself."""
    with pytest.raises(ModelInvalidError, match="files"):
        parse({"files": {**VALID["files"], path: FILE}})


def test_all_problems_are_reported_at_once() -> None:
    """Two mistakes in one manifest are both in the message, those between keys too."""
    with pytest.raises(ModelInvalidError) as caught:
        parse({"version": 3, "colour": "red"})
    assert "version: " in str(caught.value)
    assert "colour: " in str(caught.value)
    with pytest.raises(ModelInvalidError, match=r"files does not list labels.json; the square rule"):
        parse({"files": {"model.onnx": FILE}, "preprocessing": {"rule": "square", "resize": 200, "crop": 224}})


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "Invalid JSON"),
        (b"{", "Invalid JSON"),
        (b"[]", "Input should be an object"),
        (b'{"a":' * 100_000, "Invalid JSON: recursion limit"),
        (b"\xff\xfe", "Invalid JSON"),
        (json.dumps(VALID).encode().replace(b'"name": "parts"', b'"name": "a", "name": "b"'), "says name twice"),
    ],
)
def test_text_that_is_no_manifest_is_refused(data: bytes, problem: str) -> None:
    """Broken JSON, another kind of JSON and a key that stands twice are refused, never guessed about."""
    with pytest.raises(ModelInvalidError, match=problem):
        parse_manifest(data, where="manifest.json")


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.text() | st.floats(), st.lists).map(json.dumps).map(str.encode)
)
def test_no_bytes_bring_the_reader_down(data: bytes) -> None:
    """Whatever a manifest holds, the reader refuses it with its own error."""
    with pytest.raises(ModelInvalidError):
        parse_manifest(data, where="manifest.json")


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("9", "10"),
        ("1.9", "1.10"),
        ("1", "1.0"),
        ("1.0", "2"),
        ("rc1", "1"),
        ("1.0-a", "1.0-b"),
        ("20251231", "20260101"),
    ],
)
def test_versions_sort_as_people_count(lower: str, higher: str) -> None:
    """Numbers in a version compare as numbers, words as words, and a number follows a word."""
    assert version_key(lower) < version_key(higher)


@given(st.lists(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True), min_size=2))
def test_any_versions_can_be_sorted(versions: list[str]) -> None:
    """No pair of versions that the schema allows is incomparable."""
    assert len(sorted(versions, key=version_key)) == len(versions)
