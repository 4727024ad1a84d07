"""A bundle on disk: every listed file is checked before anything is believed."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.bundle import MANIFEST, Bundle, file_problem, open_bundle, parse_labels, read_manifest
from edge.errors import ModelInvalidError
from tests.fakes import LABELS, edit_manifest, make_bundle, rehash, truncate


def test_whole_bundle_opens(tmp_path: Path) -> None:
    """A sound folder gives its manifest, its labels, the model's path and a digest."""
    bundle = open_bundle(make_bundle(tmp_path / "b"))
    assert isinstance(bundle, Bundle)
    assert (str(bundle), bundle.labels) == ("colours:1", LABELS)
    assert bundle.model_path == tmp_path / "b" / "model.onnx"
    assert len(bundle.digest) == 64


def test_digest_changes_with_any_file(tmp_path: Path) -> None:
    """Two bundles that differ in one label have different digests."""
    first = open_bundle(make_bundle(tmp_path / "a"))
    make_bundle(tmp_path / "b", golden=False)
    (tmp_path / "b" / "labels.json").write_text(json.dumps([*LABELS[:-1], "rot"]))
    rehash(tmp_path / "b")
    assert open_bundle(tmp_path / "b").digest != first.digest


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def cut(name: str) -> Callable[[Path], None]:
    return lambda folder: truncate(folder / name)


def write(name: str, text: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).write_text(text)
        if name != MANIFEST:
            rehash(folder)

    return change


def flip_last_byte(folder: Path) -> None:
    data = bytearray((folder / "model.onnx").read_bytes())
    data[-1] ^= 1
    (folder / "model.onnx").write_bytes(data)


def link_outside(folder: Path) -> None:
    outside = folder.parent / "outside.onnx"
    (folder / "model.onnx").rename(outside)
    (folder / "model.onnx").symlink_to(outside)


def folder_instead(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").mkdir()


def link_to_itself(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").symlink_to("model.onnx")


def pipe_instead(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    os.mkfifo(folder / "model.onnx")


BROKEN: list[tuple[str, Callable[[Path], None], str]] = [
    ("no manifest", remove(MANIFEST), "manifest.json does not exist; the manifest is written last"),
    ("no model", remove("model.onnx"), "model.onnx is missing; copy it again"),
    ("model cut off", cut("model.onnx"), r"model.onnx has \d+ bytes, the manifest says \d+: cut off or changed"),
    ("model changed", flip_last_byte, "model.onnx does not have the SHA-256 in the manifest: changed; copy it again"),
    ("link leads out", link_outside, "model.onnx leads outside the bundle"),
    ("model is a folder", folder_instead, "cannot read .*model.onnx: it is a folder"),
    ("link to itself", link_to_itself, r"model.onnx is a symbolic link that leads to itself|Too many levels"),
    ("model is a pipe", pipe_instead, "cannot read .*model.onnx: it is no regular file"),
    ("manifest empty", write(MANIFEST, ""), "manifest.json: Invalid JSON"),
    ("labels no JSON", write("labels.json", "red, blue"), "labels.json is no JSON"),
    ("labels no list", write("labels.json", '{"0": "red"}'), "labels.json must be a JSON list of class names"),
    ("labels empty", write("labels.json", "[]"), "labels.json must be a JSON list of class names"),
    ("labels numbers", write("labels.json", "[1, 2]"), "labels.json must be a JSON list of class names"),
    ("labels twice", write("labels.json", '["red", "red"]'), "labels.json names a class twice: red"),
    ("labels one short", write("labels.json", '["blue", "bright", "dark"]'), "expects 4 probabilities for 3 labels"),
    ("golden unknown", write("labels.json", '["blue", "bright", "dark", "rot"]'), "expects unknown labels: red"),
]


@pytest.mark.parametrize(("change", "problem"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_broken_bundle_is_refused_naming_the_file(tmp_path: Path, change: Callable[[Path], None], problem: str) -> None:
    """Each way a bundle can be broken names the file and what to do."""
    folder = make_bundle(tmp_path / "b")
    change(folder)
    with pytest.raises(ModelInvalidError, match=problem):
        open_bundle(folder)


def test_a_fault_of_all_golden_pictures_is_told_once(tmp_path: Path) -> None:
    """Labels that lack one are told in one sentence that names them, however many pictures disagree."""
    folder = make_bundle(tmp_path / "colours")
    (folder / "labels.json").write_text('["blue", "bright", "dark", "rot"]')
    edit_manifest(folder, lambda manifest: [g["expected"].update(labels=["red"]) for g in manifest["golden"]])
    rehash(folder)
    with pytest.raises(
        ModelInvalidError, match=r"\(and \d+ more\) expects unknown labels: red; labels.json"
    ) as refused:
        open_bundle(folder)
    assert str(refused.value).count("golden picture") == 1


def test_every_wrong_file_is_reported_at_once(tmp_path: Path) -> None:
    """Two broken files are both in the message."""
    folder = make_bundle(tmp_path / "b")
    truncate(folder / "model.onnx")
    (folder / "golden" / "red.png").unlink()
    with pytest.raises(ModelInvalidError, match=r"model.onnx has .*red.png is missing"):
        open_bundle(folder)


def test_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    """A path to nothing and a path to a file are refused with the path in the message."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelInvalidError, match=r"nowhere/manifest.json does not exist"):
        open_bundle(tmp_path / "nowhere")
    with pytest.raises(ModelInvalidError, match=r"cannot read .*file/manifest.json: Not a directory"):
        open_bundle(tmp_path / "file")


def test_giant_manifest_is_not_read(tmp_path: Path) -> None:
    """A manifest far above any real one is refused before it fills the memory."""
    folder = make_bundle(tmp_path / "b")
    with (folder / MANIFEST).open("r+b") as file:
        file.truncate(5 << 20)
    with pytest.raises(ModelInvalidError, match="more than 4 MiB"):
        read_manifest(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_unreadable_file_is_refused(tmp_path: Path) -> None:
    """A file without permission to read is refused with the system's reason."""
    folder = make_bundle(tmp_path / "b")
    (folder / "model.onnx").chmod(0)
    with pytest.raises(ModelInvalidError, match=r"cannot read .*model.onnx: Permission denied"):
        open_bundle(folder)


def test_link_inside_the_bundle_is_allowed(tmp_path: Path) -> None:
    """A link to another place of the same bundle holds the same bytes and leads nowhere else."""
    folder = make_bundle(tmp_path / "b")
    (folder / "model.onnx").rename(folder / "weights.onnx")
    (folder / "model.onnx").symlink_to("weights.onnx")
    assert open_bundle(folder).manifest.name == "colours"


def test_unhashed_check_looks_at_the_size_only(tmp_path: Path) -> None:
    """The cheap check sees a short file and not a changed one."""
    folder = make_bundle(tmp_path / "b")
    entry = read_manifest(folder).files["model.onnx"]
    flip_last_byte(folder)
    assert file_problem(folder, "model.onnx", entry, hashed=False) is None
    assert "SHA-256" in str(file_problem(folder, "model.onnx", entry))
    truncate(folder / "model.onnx")
    assert "bytes" in str(file_problem(folder, "model.onnx", entry, hashed=False))


def test_labels_keep_their_order() -> None:
    """Class names come out in index order, not sorted."""
    assert parse_labels(b'["b", "a"]', where="labels.json") == ("b", "a")


def test_deeply_nested_labels_are_refused() -> None:
    """JSON nested beyond reason is refused, not a crash."""
    with pytest.raises(ModelInvalidError, match="is no JSON"):
        parse_labels(b"[" * 100_000, where="labels.json")


def test_edited_manifest_is_another_bundle(tmp_path: Path) -> None:
    """The digest covers the manifest, so that a changed threshold is seen as a change."""
    folder = make_bundle(tmp_path / "b")
    before = open_bundle(folder).digest
    edit_manifest(folder, lambda manifest: manifest["postprocessing"].update(threshold=0.7))
    assert open_bundle(folder).digest != before
