"""A folder as registry: whole versions only, newest first, and a reason for what is refused."""

import os
import shutil
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from edge.bundle import MANIFEST, open_bundle
from edge.errors import ConfigError, ModelInvalidError, ModelNotFoundError, RegistryError, StoreError
from edge.registry.local import LocalRegistry, next_version, register
from tests.fakes import CREATED_AT, edit_manifest, make_bundle, truncate


def put(root: Path, version: str, *, name: str = "colours", days: int = 0) -> Path:
    created_at = CREATED_AT + timedelta(days=days)
    return make_bundle(root / name / version, name=name, version=version, created_at=created_at, golden=False)


def versions(root: Path, name: str | None = None) -> list[str]:
    return [f"{one.name}:{one.version}" for one in LocalRegistry(root).candidates(name)]


def test_newest_is_the_most_recently_created(tmp_path: Path) -> None:
    """The order is by creation, as Azure ML's ``latest``, and not by version."""
    put(tmp_path, "1", days=3)
    put(tmp_path, "2", days=1)
    put(tmp_path, "3", days=2)
    assert versions(tmp_path) == ["colours:1", "colours:3", "colours:2"]


def test_the_higher_version_decides_a_tie(tmp_path: Path) -> None:
    """Versions created at one instant are ordered as people count: 10 before 9."""
    for version in ("9", "10", "1.9", "1.10"):
        put(tmp_path, version)
    assert versions(tmp_path) == ["colours:10", "colours:9", "colours:1.10", "colours:1.9"]


def test_a_name_narrows_the_look(tmp_path: Path) -> None:
    """Only the versions of the asked-for model are candidates; an unknown or malformed name has none."""
    put(tmp_path, "1", name="a")
    put(tmp_path, "1", name="b")
    assert versions(tmp_path, "b") == ["b:1"]
    assert versions(tmp_path, "c") == versions(tmp_path, "../b") == versions(tmp_path, "") == []


def test_candidates_carry_the_bundles_digest(tmp_path: Path) -> None:
    """A version that is replaced under its old name is told by its digest."""
    folder = put(tmp_path, "1")
    (before,) = LocalRegistry(tmp_path).candidates()
    assert before.digest == open_bundle(folder).digest
    edit_manifest(folder, lambda manifest: manifest["postprocessing"].update(threshold=0.7))
    (after,) = LocalRegistry(tmp_path).candidates()
    assert after.digest == open_bundle(folder).digest != before.digest


def test_what_is_no_version_is_not_there(tmp_path: Path) -> None:
    """Hidden folders, files, and folders without a manifest are passed over without a word."""
    put(tmp_path, "1")
    make_bundle(tmp_path / "colours" / ".2.uploading", version="2")
    make_bundle(tmp_path / ".trash" / "3", version="3")
    (tmp_path / "colours" / "4").mkdir()
    (tmp_path / "colours" / "notes.txt").write_text("")
    (tmp_path / "README").write_text("")
    survey = LocalRegistry(tmp_path).survey()
    assert [one.version for one in survey.candidates] == ["1"]
    assert survey.refused == {}


def cut_manifest(folder: Path) -> None:
    truncate(folder / MANIFEST)


def cut_model(folder: Path) -> None:
    truncate(folder / "model.onnx")


def drop_model(folder: Path) -> None:
    (folder / "model.onnx").unlink()


def rename(folder: Path) -> None:
    edit_manifest(folder, lambda manifest: manifest.update(version="8"))


def typo(folder: Path) -> None:
    edit_manifest(folder, lambda manifest: manifest.update(lables="labels.json"))


def link_manifest_nowhere(folder: Path) -> None:
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).symlink_to("nowhere")


REFUSED: list[tuple[Callable[[Path], None], str]] = [
    (cut_manifest, "Invalid JSON"),
    (cut_model, "not offered until it is whole: "),
    (drop_model, "model.onnx is missing"),
    (rename, "holds colours:8; the folders must be colours/8"),
    (typo, "lables: Extra inputs are not permitted"),
    (link_manifest_nowhere, "manifest.json does not exist"),
]


@pytest.mark.parametrize(("change", "reason"), REFUSED, ids=[case[0].__name__ for case in REFUSED])
def test_broken_version_is_refused_and_the_others_stay(
    tmp_path: Path, change: Callable[[Path], None], reason: str
) -> None:
    """A version that does not hold together is no candidate, says why, and hides no other version."""
    put(tmp_path, "1")
    change(put(tmp_path, "2", days=1))
    survey = LocalRegistry(tmp_path).survey()
    assert [one.version for one in survey.candidates] == ["1"]
    assert list(survey.refused) == ["colours/2"]
    assert reason in survey.refused["colours/2"]


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_registry_that_is_gone_is_an_error_with_a_remedy(tmp_path: Path, kind: str) -> None:
    """A vanished root, or a file in its place, is not the same as a registry without models."""
    root = tmp_path / "models"
    if kind == "file":
        root.write_text("")
    with pytest.raises(RegistryError, match=r"cannot read the registry .*models: .*; make the folder or name another"):
        LocalRegistry(root).candidates("colours")


def test_empty_registry_has_no_candidates(tmp_path: Path) -> None:
    """A registry that exists and holds nothing is no error."""
    assert LocalRegistry(tmp_path).candidates() == ()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_unreadable_model_folder_hides_no_other_model(tmp_path: Path) -> None:
    """A model's folder without permission is refused with the reason; the other models are offered."""
    put(tmp_path, "1", name="a")
    put(tmp_path, "1", name="b")
    (tmp_path / "a").chmod(0)
    try:
        survey = LocalRegistry(tmp_path).survey()
    finally:
        (tmp_path / "a").chmod(0o755)
    assert [one.name for one in survey.candidates] == ["b"]
    assert "Permission denied" in survey.refused["a"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_unreadable_version_hides_no_other_version(tmp_path: Path) -> None:
    """A version's folder without permission is refused by name; the other versions are offered."""
    put(tmp_path, "1")
    put(tmp_path, "2").chmod(0)
    try:
        survey = LocalRegistry(tmp_path).survey()
    finally:
        (tmp_path / "colours" / "2").chmod(0o755)
    assert [one.version for one in survey.candidates] == ["1"]
    assert "Permission denied; give the right" in survey.refused["colours/2"]


@pytest.mark.parametrize("manifest_first", [False, True])
def test_version_being_copied_is_never_seen_half(tmp_path: Path, manifest_first: bool) -> None:
    """Copied file by file, each cut in between, in a good or a bad order, a version is offered only when whole."""
    source = make_bundle(tmp_path / "source")
    target = tmp_path / "models" / "colours" / "1"
    registry = LocalRegistry(tmp_path / "models")
    files = sorted(path for path in source.rglob("*") if path.is_file())
    files.sort(key=lambda path: (path.name == MANIFEST) != manifest_first)
    target.mkdir(parents=True)
    for path in files:
        data = path.read_bytes()
        destination = target / path.relative_to(source)
        destination.parent.mkdir(exist_ok=True)
        for part in (b"", data[: len(data) // 2], data):
            assert registry.candidates() == ()
            destination.write_bytes(part)
    assert [one.version for one in registry.candidates()] == ["1"]


def test_concurrent_copy_never_yields_a_broken_bundle(tmp_path: Path) -> None:
    """Whatever a reader fetches while another thread copies versions in is whole."""
    source, root = make_bundle(tmp_path / "source"), tmp_path / "models"
    (root / "colours").mkdir(parents=True)
    done = threading.Event()

    def copy() -> None:
        for version in range(1, 6):
            number = str(version)
            edit_manifest(source, lambda manifest: manifest.update(version=number))  # noqa: B023 - called at once
            shutil.copytree(source, root / "colours" / number)
        done.set()

    writer = threading.Thread(target=copy)
    writer.start()
    registry, fetched = LocalRegistry(root), 0
    last_look = False
    while not last_look:
        last_look = done.is_set()
        for candidate in registry.candidates():
            into = tmp_path / f"fetched-{fetched}"
            into.mkdir()
            fetched += 1
            registry.fetch(candidate, into)
            assert open_bundle(into).digest == candidate.digest
    writer.join()
    assert len(registry.candidates()) == 5


def test_fetch_copies_exactly_the_listed_files(tmp_path: Path) -> None:
    """What lies in the folder beside the listed files stays there."""
    folder = make_bundle(tmp_path / "colours" / "1")
    (folder / "notes.txt").write_text("not ours")
    registry, into = LocalRegistry(tmp_path), tmp_path / "into"
    into.mkdir()
    registry.fetch(registry.candidates()[0], into)
    listed = {*open_bundle(folder).manifest.files, MANIFEST}
    assert {str(path.relative_to(into)) for path in into.rglob("*") if path.is_file()} == listed
    assert open_bundle(into).digest == open_bundle(folder).digest


def test_version_with_a_wrong_hash_is_not_offered_until_it_changes(tmp_path: Path) -> None:
    """A file of the right size and wrong content is found while fetching; mended, the version comes back."""
    folder = put(tmp_path, "1")
    sound = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(bytes(len(sound)))
    registry, into = LocalRegistry(tmp_path), tmp_path / ".into"
    (candidate,) = registry.candidates()
    into.mkdir()
    with pytest.raises(RegistryError, match=r"model.onnx is not what the manifest says"):
        registry.fetch(candidate, into)
    survey = registry.survey()
    assert survey.candidates == ()
    assert "not what the manifest says" in survey.refused["colours/1"]
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").write_bytes(sound)
    assert registry.candidates() == (candidate,)


def test_fetch_of_a_version_that_vanished(tmp_path: Path) -> None:
    """A version removed between looking and fetching is not found; one replaced is looked at again."""
    folder = put(tmp_path, "1")
    registry, into = LocalRegistry(tmp_path), tmp_path / ".into"
    (candidate,) = registry.candidates()
    into.mkdir()
    edit_manifest(folder, lambda manifest: manifest["postprocessing"].update(threshold=0.7))
    with pytest.raises(RegistryError, match="was replaced"):
        registry.fetch(candidate, into)
    shutil.rmtree(folder)
    with pytest.raises(ModelNotFoundError, match=r"colours/1 is no longer there"):
        registry.fetch(candidate, into)


def test_fetch_into_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """A fault of the reader's own disk is not blamed on the registry, and the version stays on offer."""
    put(tmp_path, "1")
    registry = LocalRegistry(tmp_path)
    (candidate,) = registry.candidates()
    with pytest.raises(StoreError, match=r"copying model.onnx into .* failed: No such file.*nowhere"):
        registry.fetch(candidate, Path("/proc/nowhere"))
    assert registry.candidates() == (candidate,)


def test_register_puts_a_bundle_in_its_place(tmp_path: Path) -> None:
    """A bundle made anywhere appears under its name and version, and leaves no trace of the copying."""
    source = make_bundle(tmp_path / "made", name="parts", version="7")
    bundle = register(source, tmp_path / "models")
    assert bundle.folder == tmp_path / "models" / "parts" / "7"
    assert versions(tmp_path / "models") == ["parts:7"]
    assert [path.name for path in (tmp_path / "models" / "parts").iterdir()] == ["7"]


def test_register_never_overwrites(tmp_path: Path) -> None:
    """A version that exists stays as it is."""
    source = make_bundle(tmp_path / "made")
    register(source, tmp_path / "models")
    with pytest.raises(ConfigError, match=r"colours:1 is already registered .*give another version"):
        register(source, tmp_path / "models")


def test_register_refuses_a_broken_bundle(tmp_path: Path) -> None:
    """What does not hold together never reaches the registry."""
    source = make_bundle(tmp_path / "made")
    truncate(source / "model.onnx")
    with pytest.raises(ModelInvalidError, match=r"model.onnx has"):
        register(source, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_register_into_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """A file where the registry's folder should be is an error that names the place."""
    source = make_bundle(tmp_path / "made")
    (tmp_path / "models").write_text("")
    with pytest.raises(StoreError, match="models"):
        register(source, tmp_path / "models")


def test_next_version_counts_whole_numbers(tmp_path: Path) -> None:
    """The next version follows the highest number, whatever else is there; the first is 1."""
    assert next_version(tmp_path, "colours") == "1"
    for version in ("2", "10", "3-beta", "word"):
        put(tmp_path, version)
    assert next_version(tmp_path, "colours") == "11"
    (tmp_path / "colours" / "12").mkdir()
    assert next_version(tmp_path, "colours") == "13"
