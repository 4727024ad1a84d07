"""A collection becomes data assets: what is sent, what is registered, what happens when Azure does not play along."""

import json
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.azureml.cloud import read_cloud
from edge.azureml.identity import Identity
from edge.azureml.place import Workspace
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE, WORKSPACE_PATH
from tests.azure.commands import COMMAND
from tests.azure.routes.storage import lead_through
from tests.azure.standin import Cloud
from tests.mosquitto import until
from tests.training.dataset.samples import picture_bytes, write_lines
from training.azure.data import Destination, upload
from training.azure.session import Session
from training.dataset.annotations import Box, Mark, Outline, Tag
from training.dataset.collection import collect
from training.dataset.jsonl import line_of
from training.dataset.parts import Shares
from training.errors import AzureError, AzureUnavailableError, DataError, UsageError

BASE = (
    f"azureml://subscriptions/{SUBSCRIPTION}/resourcegroups/{RESOURCE_GROUP}/workspaces/{WORKSPACE}"
    "/datastores/workspaceblobstore/paths"
)


@pytest.fixture
def session(azure: Cloud, tmp_path: Path) -> Session:
    place = Workspace(SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE)
    return Session(place, Identity("managed-identity"), read_cloud(str(azure.cloud_file(tmp_path))))


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name that no other test has: Azurite keeps what lies in it."""
    return "".join(letter if letter.isalnum() else "-" for letter in request.node.name)[:80]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twenty pictures of two classes."""
    folder = tmp_path / "pictures"
    for number in range(20):
        path = folder / "ab"[number // 10] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture_bytes(number))
    return folder


def bodies(azure: Cloud) -> dict[str, dict[str, Any]]:
    """Return what was registered, by ``name/version``."""
    puts = [e for e in azure.wire.exchanges if e.method == "PUT" and "/data/" in e.path and e.status < 300]
    return {"/".join(e.path.split("/")[-3::2]): e.body["properties"] for e in puts}


def stored(azure: Cloud, uri: str) -> dict[str, bytes]:
    """Return the files below an asset's path."""
    assert uri.startswith(f"{BASE}/")
    assert uri.endswith("/")
    folder = uri.removeprefix(f"{BASE}/")
    return {found.removeprefix(folder): azure.blobs.read(found) for found in azure.blobs.names(folder)}


def lines(azure: Cloud, uri: str) -> list[dict[str, Any]]:
    """Return the lines of a table."""
    found = next(data for file, data in stored(azure, uri).items() if file.endswith(".jsonl"))
    return [json.loads(line) for line in found.decode().splitlines()]


def test_what_is_registered_and_what_lies_there(azure: Cloud, session: Session, pictures: Path, name: str) -> None:
    """A folder of the very files, and tables whose lines lead to them; nothing else is asked of Azure."""
    done = upload(collect(pictures, shares=Shares(0.2, 0.1, 7)), session, Destination(name))
    registered = bodies(azure)
    assert list(registered) == [f"{name}/1", f"{name}-train/1", f"{name}-validation/1", f"{name}-test/1"]
    folder = registered[f"{name}/1"]
    assert folder == {
        "dataType": "uri_folder",
        "dataUri": folder["dataUri"],
        "isAnonymous": False,
        "isArchived": False,
        "properties": {},
        "tags": {"content_sha256": folder["tags"]["content_sha256"], "pictures": "20"},
    }
    files = {path.relative_to(pictures).as_posix(): path.read_bytes() for path in pictures.rglob("*.png")}
    assert stored(azure, folder["dataUri"]) == files
    seen: set[str] = set()
    for part, count in (("train", 14), ("validation", 4), ("test", 2)):
        table = registered[f"{name}-{part}/1"]
        assert (table["dataType"], table["referencedUris"]) == ("mltable", [f"./{part}.jsonl"])
        told = {"task": "image-classification", "part": part, "classes": "2", "seed": "7", "pictures": str(count)}
        told["picture_folder"] = f"azureml:{name}:1"
        assert table["tags"] == {**told, "content_sha256": table["tags"]["content_sha256"]}
        assert set(stored(azure, table["dataUri"])) == {"MLTable", f"{part}.jsonl"}
        for line in lines(azure, table["dataUri"]):
            picture = line["image_url"].removeprefix(folder["dataUri"])
            assert line["label"] == picture.split("/")[0]
            assert line["image_details"] == {"format": "png", "width": "40px", "height": "20px"}
            seen.add(picture)
    assert seen == set(files)
    assert [asset.reference for asset in done.assets] == [
        f"azureml:{name}{end}:1" for end in ("", "-train", "-validation", "-test")
    ]
    assert (done.sent.files, done.sent.kept, done.sent.bytes) == (20, 0, sum(map(len, files.values())))


def test_the_same_content_is_neither_sent_nor_registered_again(
    azure: Cloud, session: Session, pictures: Path, name: str
) -> None:
    """Also from another folder; another split makes new tables for the same pictures; another picture all anew."""
    upload(collect(pictures), session, Destination(name))
    azure.wire.break_(r"PUT .*/data/", 500)
    moved = pictures.rename(pictures.with_name("moved"))
    again = upload(collect(moved), session, Destination(name))
    assert [(asset.version, asset.known) for asset in again.assets] == [("1", True)] * 3
    assert (again.sent.files, again.sent.kept) == (0, 20)
    azure.wire.mend()
    other = upload(collect(moved, shares=Shares(seed=1)), session, Destination(name))
    assert [(asset.version, asset.known) for asset in other.assets] == [("1", True), ("2", False), ("2", False)]
    (moved / "a/new.png").write_bytes(picture_bytes(99))
    more = upload(collect(moved), session, Destination(name))
    assert [(asset.version, asset.known) for asset in more.assets] == [("2", False), ("3", False), ("3", False)]


@pytest.mark.parametrize("secrets", ["AccountKey", "None"])
def test_a_datastore_may_be_opened_by_key_or_identity(
    azure: Cloud, session: Session, pictures: Path, name: str, secrets: str
) -> None:
    """Not only by the signature that the other tests have."""
    azure.secrets = secrets
    done = upload(collect(pictures), session, Destination(name))
    assert done.pictures is not None
    assert len(stored(azure, done.pictures.path)) == 20


MARKS: dict[str, list[Mark]] = {
    "image-classification-multilabel": [Tag("can"), Tag("milk bottle")],
    "image-object-detection": [Box("can", 0.1, 0.2, 0.3, 0.4), Box("can", 0.5, 0.5, 1.0, 1.0, crowd=True)],
    "image-instance-segmentation": [Outline("can", ((0.1, 0.2, 0.3, 0.2, 0.3, 0.4),))],
}


@pytest.mark.parametrize("task", MARKS)
def test_labels_of_the_other_tasks(azure: Cloud, session: Session, pictures: Path, name: str, task: str) -> None:
    """Read from JSONL, sent as the same JSONL with the pictures' new places."""
    files = sorted(path.relative_to(pictures).as_posix() for path in pictures.rglob("*.png"))
    told = [json.loads(line_of(file, MARKS[task], many=True, details=None)) for file in files]
    collection = collect(write_lines(pictures / "labels.jsonl", told))
    done = upload(collection, session, Destination(name))
    assert collection.checked.dataset.task == task
    assert done.pictures is not None
    sent = [line for asset in done.tables.values() for line in lines(azure, asset.path)]
    places = [line["image_url"].removeprefix(done.pictures.path) for line in sent]
    assert sorted(places) == files
    assert all(line["label"] == told[0]["label"] for line in sent)


def test_without_the_right_to_write_the_role_is_named(
    azure: Cloud, session: Session, pictures: Path, name: str
) -> None:
    """Nothing is registered."""
    azure.sas_permissions = "rl"
    with pytest.raises(AzureError, match=r"uploading to the datastore .*Storage Blob Data Contributor to write"):
        upload(collect(pictures), session, Destination(name))
    assert bodies(azure) == {}


def test_an_upload_goes_on_where_it_was_interrupted(azure: Cloud, session: Session, pictures: Path, name: str) -> None:
    """Storage fails in the middle: no asset is made of half a folder; the next run sends only what is missing."""
    lead_through(azure)
    azure.wire.break_(r"PUT /storage/.*/b/.*\.png", 503)
    with pytest.raises(AzureUnavailableError, match="run the same command again"):
        upload(collect(pictures), replace(session, retries=0), Destination(name))
    assert bodies(azure) == {}
    azure.wire.mend()
    there = azure.blobs.names(f"automl-edge/{name}/")
    assert there
    before = len(azure.wire.exchanges)
    told: list[tuple[int, int]] = []
    done = upload(collect(pictures), session, Destination(name), lambda *counted: told.append(counted))
    sent = [e for e in azure.wire.exchanges[before:] if e.method == "PUT" and e.path.endswith(".png")]
    assert (done.sent.files, done.sent.kept, len(sent)) == (20 - len(there), len(there), 20 - len(there))
    assert told == [(count, 20) for count in range(len(there), 21)]
    assert done.pictures is not None
    assert len(stored(azure, done.pictures.path)) == 20


def test_storage_that_never_answers_is_told(azure: Cloud, session: Session, pictures: Path, name: str) -> None:
    """Nobody waits for ever; what was sent by then is kept."""
    lead_through(azure)
    azure.wire.break_(r"PUT /storage/.*/b/.*\.png", hang_s=20)
    with pytest.raises(AzureUnavailableError, match="run the same command again"):
        upload(collect(pictures), replace(session, timeout_s=1, retries=0), Destination(name))
    assert azure.blobs.names(f"automl-edge/{name}/")


def test_a_fault_that_passes_is_not_noticed(azure: Cloud, session: Session, pictures: Path, name: str) -> None:
    """Storage is busy for a moment: what failed is sent again."""
    lead_through(azure)
    azure.wire.break_(r"PUT /storage/.*/1\.png", 503, times=1)
    done = upload(collect(pictures), session, Destination(name))
    assert done.sent.files == 20
    assert azure.wire.count("PUT", r"/storage/.*/1\.png") == 2


def test_an_upload_outlasts_the_datastores_signature(azure: Cloud, session: Session, pictures: Path, name: str) -> None:
    """It lasts an hour: the datastore is opened anew, and only what is missing is sent."""
    lead_through(azure)
    over = {"x-ms-error-code": "AuthenticationFailed"}
    azure.wire.break_(r"PUT /storage/.*/b/.*\.png", 403, code="AuthenticationFailed", headers=over, times=1)
    done = upload(collect(pictures), session, Destination(name))
    assert (done.sent.files, done.sent.kept) == (20, 0)
    assert azure.wire.count("PUT", r"/storage/.*\.png") == 21
    assert done.pictures is not None
    assert len(stored(azure, done.pictures.path)) == 20


def test_a_signature_that_never_opens_is_told(azure: Cloud, session: Session, pictures: Path, name: str) -> None:
    """Nothing was sent by it: asking again would never end."""
    lead_through(azure)
    over = {"x-ms-error-code": "AuthenticationFailed"}
    azure.wire.break_(r"PUT /storage/.*\.png", 403, code="AuthenticationFailed", headers=over)
    with pytest.raises(AzureError, match="refuses the signature"):
        upload(collect(pictures), session, Destination(name))


def test_a_named_version(session: Session, pictures: Path, name: str) -> None:
    """It is made, found again with the same content, and never changed to another."""
    first = upload(collect(pictures), session, Destination(name, "2026-11"))
    assert [asset.version for asset in first.assets] == ["2026-11"] * 3
    again = upload(collect(pictures), session, Destination(name, "2026-11"))
    assert all(asset.known for asset in again.assets)
    with pytest.raises(UsageError, match="2026-11 holds something else; leave --version out"):
        upload(collect(pictures, shares=Shares(seed=1)), session, Destination(name, "2026-11"))


def test_a_name_of_another_kind_of_asset(azure: Cloud, session: Session, pictures: Path, name: str) -> None:
    """Azure would refuse it after everything was sent."""
    path = f"{WORKSPACE_PATH}/data/{name}/versions/1"
    azure.resources.put(path, {"dataType": "uri_file", "dataUri": f"{BASE}/x.csv", "tags": {}, "isArchived": False})
    with pytest.raises(UsageError, match="is a data asset of the type uri_file"):
        upload(collect(pictures), session, Destination(name))
    assert azure.blobs.names(f"automl-edge/{name}/") == []


def test_a_path_that_azure_writes_in_another_way_is_the_same(
    azure: Cloud, session: Session, pictures: Path, name: str
) -> None:
    """Without the workspace in it and without its last slash: lines, and so hashes, stay the same."""
    first = upload(collect(pictures), session, Destination(name))
    for asset in first.assets:
        path = f"{WORKSPACE_PATH}/data/{asset.name}/versions/1"
        body = azure.resources.get(path)["properties"]
        short = asset.path.replace(BASE, "azureml://datastores/workspaceblobstore/paths").rstrip("/")
        azure.resources.put(path, {**body, "dataUri": short})
    again = upload(collect(pictures), session, Destination(name))
    assert [(asset.path, asset.known) for asset in again.assets] == [(asset.path, True) for asset in first.assets]


def test_pictures_that_somebody_deleted_are_sent_again(
    azure: Cloud, session: Session, pictures: Path, name: str
) -> None:
    """An asset that is known again is made whole again."""
    first = upload(collect(pictures), session, Destination(name))
    assert first.pictures is not None
    azure.blobs.delete(f"{first.pictures.path.removeprefix(f'{BASE}/')}a/3.png")
    again = upload(collect(pictures), session, Destination(name))
    assert (again.sent.files, again.sent.kept) == (1, 19)
    assert len(stored(azure, first.pictures.path)) == 20


def test_pictures_that_lie_in_azure_are_used_there(azure: Cloud, session: Session, tmp_path: Path, name: str) -> None:
    """The export of a labelling project alone is enough: tables are made, pictures stay."""
    told = [
        {
            "image_url": f"AmlDatastore://labelled/line 1/{n}.png",
            "image_details": {"format": "png", "width": "40px", "height": "20px"},
            "label": "ab"[n % 2],
            "label_confidence": 1.0,
        }
        for n in range(20)
    ]
    file = write_lines(tmp_path / "export.jsonl", told)
    assert [finding.kind for finding in collect(file).problems] == ["missing"]
    done = upload(collect(file, in_place=True), session, Destination(name))
    assert done.pictures is None
    written = [line for asset in done.tables.values() for line in lines(azure, asset.path)]
    places = {line["image_url"] for line in written}
    assert {json.dumps(line["image_details"]) for line in written} == {json.dumps(told[0]["image_details"])}
    root = BASE.replace("workspaceblobstore", "labelled")
    assert places == {f"{root}/line 1/{n}.png" for n in range(20)}
    assert set(bodies(azure)) == {f"{name}-train/1", f"{name}-validation/1"}


def test_pictures_of_another_workspace_stay_there(azure: Cloud, session: Session, tmp_path: Path, name: str) -> None:
    """Labels that name a place as a whole mean that one, not a datastore of the same name here."""
    there = BASE.replace(WORKSPACE, "elsewhere")
    size = {"format": "png", "width": 40, "height": 20}
    told = [{"image_url": f"{there}/{n}.png", "image_details": size, "label": "ab"[n % 2]} for n in range(20)]
    done = upload(collect(write_lines(tmp_path / "export.jsonl", told), in_place=True), session, Destination(name))
    written = [line for asset in done.tables.values() for line in lines(azure, asset.path)]
    assert {line["image_url"] for line in written} == {line["image_url"] for line in told}


@pytest.mark.parametrize("changes", [{"version": "../../x"}, {"datastore": "../x"}, {"datastore": ""}])
def test_what_is_no_name_sends_nothing(azure: Cloud, session: Session, pictures: Path, changes: dict[str, str]) -> None:
    """It would be a path to something else, which is noticed when all is sent."""
    with pytest.raises(UsageError, match="letters, digits"):
        upload(collect(pictures), session, Destination("right", **changes))
    assert azure.wire.exchanges == ()


def test_an_interrupt_waits_for_no_silent_storage(azure: Cloud, pictures: Path, name: str) -> None:
    """Files under way may be waited for minutes; whoever interrupts has the terminal back."""
    lead_through(azure, "workspaceblobstore")
    silence = azure.wire.break_(r"PUT /storage/", hang_s=60, times=8)
    place = ["--subscription", SUBSCRIPTION, "--resource-group", RESOURCE_GROUP, "--workspace", WORKSPACE]
    who = ["--credential", "managed-identity", "--cloud", str(azure.cloud_file(pictures.parent))]
    words = [*COMMAND, "data", "upload", str(pictures), "--name", name, *place, *who]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        until(lambda: silence.times == 0, within_s=20, what="eight files under way")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    assert process.returncode == 130
    assert bodies(azure) == {}


def test_names_that_mean_something_in_a_url_are_replaced(
    azure: Cloud, session: Session, pictures: Path, name: str
) -> None:
    """Line and file agree on the new one."""
    (pictures / "a/50% #1.png").write_bytes(picture_bytes(50))
    done = upload(collect(pictures), session, Destination(name))
    assert done.pictures is not None
    there = stored(azure, done.pictures.path)
    assert len([file for file in there if file.startswith("a/50___1-")]) == 1
    places = {line["image_url"] for asset in done.tables.values() for line in lines(azure, asset.path)}
    assert places == {f"{done.pictures.path}{file}" for file in there}


def test_a_file_that_changes_after_the_check_stops_the_upload(
    azure: Cloud, session: Session, pictures: Path, name: str
) -> None:
    """No asset is made of what was not checked."""
    collection = collect(pictures)
    (pictures / "a/3.png").write_bytes(picture_bytes(77))
    with pytest.raises(DataError, match=r"3\.png: has changed since it was checked"):
        upload(collection, session, Destination(name))
    assert bodies(azure) == {}


def test_a_registration_that_fails_is_told(azure: Cloud, session: Session, pictures: Path, name: str) -> None:
    """Denied, with what was attempted; afterwards nothing is sent twice."""
    azure.wire.break_(r"PUT .*/data/", 403, code="AuthorizationFailed", times=1)
    with pytest.raises(AzureError, match=f"registering the data asset {name}") as caught:
        upload(collect(pictures), session, Destination(name))
    assert "Storage Blob" not in str(caught.value)
    assert upload(collect(pictures), session, Destination(name)).sent.kept == 20


@pytest.mark.parametrize("bad", ["", "-a", "a b", "é", "a/b"])
def test_bad_names_and_bad_collections_send_nothing(azure: Cloud, session: Session, pictures: Path, bad: str) -> None:
    """Both are known before anything is asked."""
    with pytest.raises(UsageError, match="letters, digits"):
        upload(collect(pictures), session, Destination(bad))
    (pictures / "a/broken.png").write_bytes(b"x")
    with pytest.raises(DataError, match="problems; nothing was sent"):
        upload(collect(pictures), session, Destination("good"))
    assert azure.wire.exchanges == ()
