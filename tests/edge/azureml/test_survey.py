"""Which versions a look into a workspace offers, which it refuses, and why; the real SDK over the real wire."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.azureml.survey import LOOKED_INTO
from edge.azureml.tags import MANIFEST_SHA256, SIGNATURE_SHA256
from edge.bundle import open_bundle
from edge.registry.inquiry import Failure
from tests.azure.arm import WORKSPACE_PATH
from tests.azure.routes.versioned import PAGE
from tests.azure.standin import Cloud
from tests.edge.azureml.held import (
    DATASTORE,
    FIRST,
    NAME,
    Asker,
    edited,
    files_of,
    folder_of,
    put_bundle,
    put_version,
    write,
)


def test_versions_come_newest_first_with_one_request(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """The order is that of their making; digests are the tags', so that no blob is looked at."""
    folders = {version: put_bundle(azure, tmp_path, version, hour=hour) for version, hour in (("1", 5), ("2", 0))}
    survey = asker.survey()
    assert [(c.name, c.version, c.created_at) for c in survey.candidates] == [
        (NAME, "1", FIRST + timedelta(hours=5)),
        (NAME, "2", FIRST),
    ]
    assert [c.digest for c in survey.candidates] == [open_bundle(folders[v]).digest for v in ("1", "2")]
    assert survey.refused == {}
    assert [e.path.rsplit("/", 2)[1:] for e in azure.wire.exchanges if "/models/" in e.path] == [[NAME, "versions"]]
    assert azure.wire.count("POST", "/listSecrets") == 0


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"stage": "Production"}, ["2"]),
        ({"stage": "production"}, []),
        ({"tag": "line"}, ["3", "2"]),
        ({"tag": "line=b"}, ["3"]),
        ({"tag": "line="}, []),
        ({"version": "1"}, ["1"]),
        ({"version": "1", "stage": "Production"}, []),
        ({"version": "9"}, []),
    ],
)
def test_only_what_is_asked_for_is_offered(
    azure: Cloud, asker: Asker, tmp_path: Path, asked: Mapping[str, str], found: list[str]
) -> None:
    """Stage, tag and version are compared exactly; where nothing fits, why is told."""
    put_bundle(azure, tmp_path, "1")
    put_bundle(azure, tmp_path, "2", hour=1, stage="Production", tags={"line": "a"})
    put_bundle(azure, tmp_path, "3", hour=2, stage="Staging", tags={"line": "b"})
    survey = asker.survey(**asked)
    assert [c.version for c in survey.candidates] == found
    (listed,) = (e for e in azure.wire.exchanges if e.path.endswith("/models/colours/versions"))
    assert (f"stage={asked['stage']}" in listed.query) if "stage" in asked else ("stage" not in listed.query)
    if not found:
        ((place, reason),) = survey.refused.items()
        assert place == (f"{NAME}/{asked['version']}" if "version" in asked else NAME)
        assert "no version of colours that is not archived has" in reason


def test_archived_versions_are_not_offered(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """Archiving is how a version is taken back; not even pinned is it offered."""
    put_bundle(azure, tmp_path, "1")
    put_bundle(azure, tmp_path, "2", hour=1, isArchived=True)
    assert [c.version for c in asker.survey().candidates] == ["1"]
    assert asker.survey(version="2").refused == {
        "colours/2": "no version of colours that is not archived has version 2: there are 1"
    }


def test_a_model_that_is_not_there_is_told_of(azure: Cloud, asker: Asker) -> None:
    """An empty list is no error of Azure's."""
    assert "there is no model colours" in asker.survey().refused[NAME]
    assert azure.wire.count("GET", "/models/") == 1


def test_a_bundle_without_tags_is_looked_into(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """Its manifest is read, and nothing else of it."""
    folder = put_bundle(azure, tmp_path, tagged=False)
    (candidate,) = asker.survey().candidates
    assert candidate.digest == open_bundle(folder).digest


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": "2"}, "its manifest is of colours:2"),
        ({"name": "shapes"}, "its manifest is of shapes:1"),
        ({"task": "image-poetry"}, "task"),
    ],
)
def test_a_manifest_of_something_else_is_refused(
    azure: Cloud, asker: Asker, tmp_path: Path, change: Mapping[str, str], reason: str
) -> None:
    """Registered under another name or version than it says, or not to be read."""
    folder = put_bundle(azure, tmp_path, tagged=False)
    files = files_of(folder)
    write(azure, folder_of("1"), {**files, "manifest.json": edited(files["manifest.json"], **change)})
    survey = asker.survey()
    assert survey.candidates == ()
    assert reason in survey.refused["colours/1"]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "holds no files"),
        ({"notes.txt": b"hello"}, "neither manifest.json nor an ONNX file"),
        ({"model.onnx": b"graph"}, "holds no model.onnx with labels.json, and nothing tells which job made it"),
    ],
)
def test_a_folder_that_is_no_bundle_is_refused(
    azure: Cloud, asker: Asker, files: Mapping[str, bytes], reason: str
) -> None:
    """An empty one, one that holds something else, and half of AutoML's."""
    write(azure, folder_of("1"), files)
    put_version(azure, "1")
    assert reason in asker.survey().refused["colours/1"]


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"modelType": "triton_model"}, "it is a triton_model: register a bundle as custom_model"),
        ({"modelUri": "https://example.com/model"}, "which is in no datastore"),
        ({"tags": {MANIFEST_SHA256: "abc"}}, "no SHA-256"),
        ({"tags": {MANIFEST_SHA256: "0" * 64, "bundle_schema": "automl-edge/bundle/9"}}, "update automl-edge"),
        ({"tags": {MANIFEST_SHA256: "0" * 64, "task": "image-object-detection"}}, "it is for image-object-detection"),
    ],
)
def test_a_version_of_another_kind_is_refused(
    azure: Cloud, asker: Asker, tmp_path: Path, properties: Mapping[str, Any], reason: str
) -> None:
    """The others are offered all the same."""
    put_bundle(azure, tmp_path, "1")
    put_version(azure, "2", hour=1, **properties)
    survey = asker.survey()
    assert [c.version for c in survey.candidates] == ["1"]
    assert reason in survey.refused["colours/2"]


def test_a_version_whose_name_can_be_no_folder_is_refused(azure: Cloud, asker: Asker) -> None:
    """Azure allows versions that a bundle cannot have."""
    put_version(azure, "_1")
    assert "cannot be a bundle's" in asker.survey().refused["colours/_1"]


def test_few_versions_without_tags_are_looked_into(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """The newest; of the others is said that nobody looked."""
    put_bundle(azure, tmp_path, "1", hour=0)
    for number in range(2, LOOKED_INTO + 4):
        put_version(azure, str(number), hour=number, modelUri=f"{WORKSPACE_PATH}/nowhere")
    survey = asker.survey()
    assert [c.version for c in survey.candidates] == ["1"]
    assert {place for place, reason in survey.refused.items() if "are looked into" in reason} == {
        "colours/2",
        "colours/3",
    }


def test_a_new_signature_shows(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """The digest leaves the signature out: without its tag a device would not try what was unsigned before."""
    put_bundle(azure, tmp_path, "1", tags={SIGNATURE_SHA256: "ab"})
    put_bundle(azure, tmp_path, "2", hour=1)
    assert [(c.version, c.signature) for c in asker.survey().candidates] == [("2", ""), ("1", "ab")]


def test_a_version_whose_datastore_is_gone_is_refused(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """It is that version's own fault, also where it is the newest."""
    put_bundle(azure, tmp_path, "1")
    put_version(azure, "2", hour=1, modelUri=f"{DATASTORE.replace('workspaceblobstore', 'scratch')}/{folder_of('2')}")
    survey = asker.survey()
    assert [c.version for c in survey.candidates] == ["1"]
    assert "no such datastore" in survey.refused["colours/2"]


def test_an_old_version_in_a_shut_storage_hides_no_newer_one(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """Nor is it asked for more than once; the newest one's storage must answer."""
    put_bundle(azure, tmp_path, "1", tagged=False)
    put_bundle(azure, tmp_path, "2", hour=1)
    azure.wire.break_(r"GET .*/datastores/workspaceblobstore$", 403)
    survey = asker.survey()
    assert [c.version for c in survey.candidates] == ["2"]
    assert "Azure forbids this" in survey.refused["colours/1"]
    put_bundle(azure, tmp_path, "3", hour=2, tagged=False)
    failure = asker.ask(asker.inquiry("survey"))
    assert isinstance(failure, Failure)
    assert failure.kind == "denied"


def test_a_long_history_is_read_to_its_end(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """Azure gives a list page by page; the version that is promoted may be on the last one."""
    put_bundle(azure, tmp_path, "1", tags={"line": "a b"}, stage="Production")
    for number in range(2, 2 * PAGE + 5):
        put_version(azure, str(number), hour=number, tags={"line": "b"})
    for asked in ({"tag": "line=a b"}, {"version": "1"}, {"stage": "Production"}):
        assert [c.version for c in asker.survey(**asked).candidates] == ["1"]
    assert azure.wire.count("GET", "/models/colours/versions") == 3 + 3 + 1
