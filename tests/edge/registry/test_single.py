"""One bundle as registry, as Azure's endpoints mount it: found at any depth, offered whole, never confused."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.bundle import MANIFEST, open_bundle
from edge.errors import ModelNotFoundError, RegistryError
from edge.registry.single import SingleBundle
from tests.fakes import edit_manifest, make_bundle, truncate


def versions(root: Path, name: str | None = None) -> list[str]:
    return [f"{one.name}:{one.version}" for one in SingleBundle(root).survey(name).candidates]


@pytest.mark.parametrize("below", [".", "model", "colours/3", "colours/3/INPUT_model"])
def test_the_bundle_is_found_at_any_depth(tmp_path: Path, below: str) -> None:
    """Its name and version are those of the manifest, whatever the folders are called."""
    make_bundle(tmp_path / below, name="parts", version="7")
    assert versions(tmp_path) == versions(tmp_path, "parts") == ["parts:7"]
    assert versions(tmp_path, "other") == []
    assert SingleBundle(tmp_path).known() == SingleBundle(tmp_path).survey()


def test_what_lies_too_deep_or_hidden_is_not_there(tmp_path: Path) -> None:
    """It is looked for three folders deep, and not among somebody's work in progress."""
    make_bundle(tmp_path / "a/b/c/d")
    make_bundle(tmp_path / ".partial-1")
    assert versions(tmp_path) == []


def test_a_bundle_is_not_looked_into(tmp_path: Path) -> None:
    """Another one inside of it belongs to it."""
    make_bundle(tmp_path / "model", version="1")
    make_bundle(tmp_path / "model/inner", version="2")
    assert versions(tmp_path) == ["colours:1"]


def test_several_bundles_are_named(tmp_path: Path) -> None:
    """Which one is meant must be said."""
    make_bundle(tmp_path / "colours/1", version="1")
    make_bundle(tmp_path / "colours/2", version="2")
    with pytest.raises(RegistryError, match=r"several bundles \(colours/1, colours/2\): let registry.path name one"):
        SingleBundle(tmp_path).survey()


def test_a_folder_that_is_gone_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    """Unlike one that is still empty."""
    with pytest.raises(RegistryError, match=r"cannot read .*nowhere: No such file.*must be a folder that holds"):
        SingleBundle(tmp_path / "nowhere").survey()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda folder: truncate(folder / "model.onnx"), "not offered until it is whole"),
        (lambda folder: truncate(folder / MANIFEST), "Invalid JSON"),
        (lambda folder: (folder / "labels.json").unlink(), "labels.json is missing"),
    ],
)
def test_half_a_bundle_is_refused_with_the_reason(tmp_path: Path, change: Callable[[Path], None], reason: str) -> None:
    """Until it is whole."""
    change(make_bundle(tmp_path / "colours/1"))
    survey = SingleBundle(tmp_path).survey()
    assert survey.candidates == ()
    assert reason in survey.refused["colours/1"]


def test_fetch_copies_the_bundle(tmp_path: Path) -> None:
    """Every byte is checked on its way, and told."""
    source = make_bundle(tmp_path / "models/model")
    registry, into = SingleBundle(tmp_path / "models"), tmp_path / "into"
    into.mkdir()
    took: list[tuple[int, int]] = []
    registry.fetch(registry.survey().candidates[0], into, took=lambda here, of: took.append((here, of)))
    assert open_bundle(into).digest == open_bundle(source).digest
    whole = sum(file.size for file in open_bundle(source).manifest.files.values())
    assert took[-1] == (whole, whole)
    assert [here for here, _ in took] == sorted(here for here, _ in took)


def test_a_wrong_hash_is_not_offered_until_it_changes(tmp_path: Path) -> None:
    """A file of the right size and wrong content is found while fetching; another version may be mounted over it."""
    folder = make_bundle(tmp_path / "models/model")
    data = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(bytes(len(data)))
    registry, into = SingleBundle(tmp_path / "models"), tmp_path / "into"
    into.mkdir()
    with pytest.raises(RegistryError, match=r"model.onnx is not what the manifest says"):
        registry.fetch(registry.survey().candidates[0], into)
    assert "not what the manifest says" in registry.survey().refused["model"]
    shutil.rmtree(folder)
    make_bundle(folder, version="2")
    assert [one.version for one in registry.survey().candidates] == ["2"]


def test_fetch_of_what_was_replaced_or_vanished(tmp_path: Path) -> None:
    """It is looked at again, or not found."""
    folder = make_bundle(tmp_path / "models/model")
    registry, into = SingleBundle(tmp_path / "models"), tmp_path / "into"
    (candidate,) = registry.survey().candidates
    into.mkdir()
    edit_manifest(folder, lambda manifest: manifest["postprocessing"].update(threshold=0.7))
    with pytest.raises(RegistryError, match="was replaced"):
        registry.fetch(candidate, into)
    shutil.rmtree(folder)
    with pytest.raises(ModelNotFoundError, match="holds no bundle any more"):
        registry.fetch(candidate, into)
