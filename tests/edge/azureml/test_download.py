"""A bundle fetched out of the real Azurite, over the real SDK: whole, or not at all and with the reason."""

import hashlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edge.azureml.containers import CHUNK_BYTES
from edge.azureml.download import SMALLEST_BYTES, check_room, next_piece_bytes
from edge.bundle import open_bundle
from edge.errors import StoreError
from tests.azure.arm import WORKSPACE_PATH
from tests.azure.blobs import CONTAINER
from tests.azure.routes.storage import CUT, lead_through
from tests.azure.standin import Cloud
from tests.edge.azureml.held import (
    NAME,
    Asker,
    edited,
    files_of,
    folder_of,
    put_bundle,
    tagged_digest,
    write,
)
from tests.fakes import rehash

Files = dict[str, bytes]
BLOBS = r"GET /storage/"


@pytest.mark.parametrize("secrets", ["Sas", "AccountKey", "None"])
def test_a_bundle_arrives_whole(azure: Cloud, asker: Asker, tmp_path: Path, secrets: str) -> None:
    """However the datastore is opened: by a signature, a key, or who asks."""
    azure.secrets = secrets
    folder = put_bundle(azure, tmp_path)
    into = asker.fetch("1", tagged_digest(azure, "1"))
    assert files_of(into) == files_of(folder)
    open_bundle(into)


def _change_store(azure: Cloud, **properties: str) -> None:
    path = f"{WORKSPACE_PATH}/datastores/workspaceblobstore"
    azure.resources.put(path, {**azure.resources.get(path)["properties"], **properties})


def test_a_data_lake_is_read_as_blobs_are(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """Storage with hierarchical folders has a blob endpoint too."""
    folder = put_bundle(azure, tmp_path)
    _change_store(azure, datastoreType="AzureDataLakeGen2", filesystem=CONTAINER)
    assert files_of(asker.fetch("1", tagged_digest(azure, "1"))) == files_of(folder)


def test_a_file_share_is_told_of(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """It holds no blobs."""
    put_bundle(azure, tmp_path, tagged=False)
    _change_store(azure, datastoreType="AzureFile", fileShareName="share")
    assert "blobs are kept in other ones" in asker.survey().refused["colours/1"]


def test_only_what_the_manifest_lists_comes_and_the_signature(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """What else lies in the folder, or in one whose name begins alike, stays there."""
    files = files_of(put_bundle(azure, tmp_path))
    more = {"signature.json": b"{}", "notes.txt": b"notes"}
    azure.blobs.write({f"{folder_of('1')}/{path}": data for path, data in more.items()})
    azure.blobs.write({f"{folder_of('1')}x/model.onnx": b"other"})
    assert files_of(asker.fetch("1", tagged_digest(azure, "1"))) == {**files, "signature.json": b"{}"}


def test_a_large_file_comes_in_pieces_and_progress_is_told(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """No piece is larger than a chunk; the last word is that all bytes are here."""
    lead_through(azure)
    folder = put_bundle(azure, tmp_path)
    (folder / "labels.json").write_text('["' + "x" * 5_000_000 + '", "b", "c", "d"]')
    rehash(folder)
    _replace(azure, folder)
    asker.progress.clear()
    asker.fetch("1", tagged_digest(azure, "1"))
    assert asker.progress[-1].took == asker.progress[-1].of > 5_000_000
    taken = [later.took - sooner.took for sooner, later in zip(asker.progress, asker.progress[1:], strict=False)]
    assert max(taken) <= CHUNK_BYTES


def _replace(azure: Cloud, folder: Path) -> None:
    """Put other files under the same version, with the tag that belongs to them."""
    write(azure, folder_of("1"), files_of(folder))
    path = f"{WORKSPACE_PATH}/models/{NAME}/versions/1"
    properties = azure.resources.get(path)["properties"]
    digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    azure.resources.put(path, {**properties, "tags": {**properties["tags"], "manifest_sha256": digest}})


def _without(path: str) -> Callable[[Files], Files]:
    return lambda files: {known: data for known, data in files.items() if known != path}


def _changed(path: str, change: Callable[[bytes], bytes]) -> Callable[[Files], Files]:
    return lambda files: {**files, path: change(files[path])}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda _files: {}, "holds no files, though the version is registered"),
        (_without("manifest.json"), "holds no manifest.json"),
        (_without("model.onnx"), "model.onnx is missing"),
        (_changed("model.onnx", lambda data: data[:-1]), "the manifest says"),
        (_changed("model.onnx", lambda data: data[:-1] + b"?"), "does not have the SHA-256"),
        (_changed("manifest.json", lambda data: edited(data, metrics={"a": 1})), "holds another bundle"),
        (lambda files: {**files, "signature.json": b" " * 70_000}, "it is no signature"),
    ],
    ids=["empty", "no manifest", "a file short", "truncated", "swapped", "replaced", "a huge signature"],
)
def test_what_is_not_whole_is_refused_and_may_be_mended(
    azure: Cloud, asker: Asker, tmp_path: Path, damage: Callable[[Files], Files], reason: str
) -> None:
    """It is worth another try: whoever uploads is perhaps not ready, and blobs can be put right."""
    folder = put_bundle(azure, tmp_path)
    write(azure, folder_of("1"), damage(files_of(folder)))
    failure = asker.fetch_failure("1", tagged_digest(azure, "1"))
    assert (failure.error, failure.kind) == ("RegistryError", "damaged")
    assert reason in failure.reason
    assert "manifest.json" not in files_of(tmp_path / "fetched-1")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "shapes"}, "its manifest is of shapes:1"),
        ({"files": {"../../evil": {"sha256": "0" * 64, "size": 1}}}, "plain relative path"),
        ({"files": {}}, "files does not list model.onnx"),
    ],
    ids=["another model", "a path that leads out", "no files"],
)
def test_a_manifest_that_cannot_hold_is_invalid(
    azure: Cloud, asker: Asker, tmp_path: Path, changes: Mapping[str, object], reason: str
) -> None:
    """No other try mends it; nothing is written."""
    files = files_of(put_bundle(azure, tmp_path))
    data = edited(files["manifest.json"], **changes)
    write(azure, folder_of("1"), {**files, "manifest.json": data})
    failure = asker.fetch_failure("1", hashlib.sha256(data).hexdigest())
    assert (failure.error, failure.kind) == ("ModelInvalidError", "refused")
    assert reason in failure.reason
    assert files_of(tmp_path / "fetched-1") == {}


def test_a_version_that_is_gone_is_not_found(asker: Asker) -> None:
    """Deleted or archived between the look and the fetch."""
    failure = asker.fetch_failure("1", "0" * 64)
    assert (failure.error, failure.kind) == ("ModelNotFoundError", "absent")
    assert "colours:1 is no longer in workspace vision" in failure.reason


def test_a_piece_that_is_cut_on_the_way_is_no_file(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """A proxy that ends an answer early and calls it whole."""
    lead_through(azure)
    put_bundle(azure, tmp_path)
    azure.notes[CUT] = "model.onnx"
    failure = asker.fetch_failure("1", tagged_digest(azure, "1"))
    assert failure.error == "RegistryError"
    assert "model.onnx ended at byte" in failure.reason


def test_pieces_are_as_large_as_the_line_lets_them() -> None:
    """Progress is heard of every second on a slow line, and a quick one is not asked too often."""
    sizes = [SMALLEST_BYTES]
    for took_s in (0.01,) * 6 + (0.5, 0.9, 0.9):
        sizes.append(next_piece_bytes(sizes[-1], took_s))
    assert sizes == [n << 16 for n in (1, 2, 4, 8, 16, 16, 16, 16, 8, 4)]
    assert next_piece_bytes(SMALLEST_BYTES, 5.0) == SMALLEST_BYTES


def test_a_piece_that_fails_is_asked_for_again(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """What passes soon is waited for, and a sign of life is given; what came is kept."""
    lead_through(azure)
    folder = put_bundle(azure, tmp_path)
    azure.wire.break_(BLOBS + ".*model.onnx", 503, times=1)
    assert files_of(asker.fetch("1", tagged_digest(azure, "1"))) == files_of(folder)
    assert azure.wire.count("GET", "/storage/.*model.onnx") == 2


def test_a_signature_that_runs_out_is_asked_for_anew(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """A slow line may take longer than the hour that Azure gives; the download goes on where it was."""
    lead_through(azure)
    folder = put_bundle(azure, tmp_path)
    expired = {"x-ms-error-code": "AuthenticationFailed"}
    azure.wire.break_(BLOBS + ".*model.onnx", 403, code="AuthenticationFailed", headers=expired, times=1)
    assert files_of(asker.fetch("1", tagged_digest(azure, "1"))) == files_of(folder)
    assert azure.wire.count("POST", "/listSecrets") == 2


def test_a_disk_without_room_is_told(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """Before anything is downloaded."""
    put_bundle(azure, tmp_path)
    into = str(tmp_path / ".partial-07/x")
    inquiry = asker.inquiry("fetch", version="1", digest=tagged_digest(azure, "1"), into=into)
    failure = asker.ask(inquiry)
    assert "StoreError" in repr(failure)
    assert ".partial-" not in repr(failure)  # that name is another one each time, and the reason shall be told once


def test_a_download_leaves_room_for_results(tmp_path: Path) -> None:
    """Those that wait for the broker lie on the same disk: a version that fits exactly would cost them."""
    check_room(tmp_path, 0)
    with pytest.raises(StoreError, match="32 MiB kept for results"):
        check_room(tmp_path, shutil.disk_usage(tmp_path).free - (1 << 20))
