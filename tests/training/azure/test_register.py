"""A bundle becomes a registered model over the real SDK, and comes out of Azure as it went in."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge.azureml.asking import answer
from edge.azureml.place import SharedRegistry
from edge.azureml.tags import tags_of
from edge.bundle import open_bundle
from edge.bundle.signing import generate_key, sign
from edge.errors import ModelInvalidError
from edge.ports import Survey
from edge.registry.inquiry import Azure, Inquiry
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE, WORKSPACE_PATH
from tests.azure.routes.registries import REGISTRY, registry_path
from tests.azure.routes.storage import lead_through
from tests.azure.routes.workspace import refuse_blobs
from tests.azure.sessions import session_of
from tests.azure.standin import Cloud
from tests.fakes import make_bundle, truncate
from training.azure.bundle_upload import files_of, folder_of
from training.azure.register import Order, Registration, free_version, register
from training.azure.registered import Registered
from training.azure.session import Session
from training.errors import AzureError, AzureUnavailableError, UsageError

VERSIONS = r"/models/[^/]+/versions/"


@pytest.fixture
def session(azure: Cloud, tmp_path: Path) -> Iterator[Session]:
    with closing(session_of(azure, tmp_path)) as opened:
        yield opened


@pytest.fixture
def shared(azure: Cloud, tmp_path: Path) -> Iterator[Session]:
    with closing(session_of(azure, tmp_path, SharedRegistry(REGISTRY))) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A bundle of the test's own name: Azurite is one for all tests."""
    name = f"m{abs(hash(request.node.nodeid)) % 10**12}"
    return make_bundle(tmp_path / name / "1", name=name)


def run(session: Session, folder: Path, **order: Any) -> Registration:
    return register(session, Order(folder=folder, **order))


def test_it_is_a_folder_of_type_custom_model_with_tags(azure: Cloud, session: Session, folder: Path) -> None:
    """The whole request: name and version are the manifest's, the tags those of the bundle and a person's."""
    bundle = open_bundle(folder)
    done = run(session, folder, tags={"line": "3"}, stage="Staging", properties={"job": "j"})
    (exchange,) = [e for e in azure.wire.exchanges if e.method == "PUT" and "/versions/" in e.path]
    assert exchange.path.endswith(f"/models/{bundle.manifest.name}/versions/1")
    asked = exchange.body["properties"]
    assert asked["modelType"] == "custom_model"
    assert asked["modelUri"] == (
        f"azureml://subscriptions/{SUBSCRIPTION}/resourcegroups/{RESOURCE_GROUP}/workspaces/{WORKSPACE}"
        f"/datastores/workspaceblobstore/paths/{folder_of(bundle)}"
    )
    assert asked["tags"] == {"line": "3", **tags_of(bundle)}
    assert (asked["stage"], asked["properties"]) == ("Staging", {"job": "j"})
    assert (done.uploaded, done.registered.stage) == (True, "Staging")


def test_exactly_the_bundles_files_go_up_and_the_manifest_last(azure: Cloud, session: Session, folder: Path) -> None:
    """What lies in the folder and is not listed stays here; the signature goes along."""
    (folder / "notes.txt").write_text("not listed")
    generate_key(folder.parent / "key.pem")
    sign(folder, folder.parent / "key.pem")
    bundle = open_bundle(folder)
    run(session, folder)
    there = azure.blobs.names(folder_of(bundle))
    expected = {*bundle.manifest.files, "manifest.json", "signature.json"}
    assert {name.removeprefix(f"{folder_of(bundle)}/") for name in there} == expected
    assert list(files_of(bundle))[-1] == "manifest.json"


def comes_out(azure: Cloud, session: Session, folder: Path, into: Path) -> None:
    """Look for what was registered and fetch it as a device does, and compare every byte."""
    bundle = open_bundle(folder)
    into.mkdir()
    shared = isinstance(session.place, SharedRegistry)
    asked = Azure(
        subscription_id="" if shared else SUBSCRIPTION,
        resource_group="" if shared else RESOURCE_GROUP,
        workspace="" if shared else WORKSPACE,
        shared_registry=REGISTRY if shared else "",
        credential="managed-identity",
        cloud=str(azure.cloud_file(into.parent)),
    )
    cache = str(into.parent / "cache")
    survey = answer(Inquiry("survey", asked, bundle.manifest.name, cache), lambda _: None)
    assert isinstance(survey, Survey)
    (found,) = survey.candidates
    assert (found.digest, found.version) == (bundle.digest, bundle.manifest.version)
    inquiry = Inquiry("fetch", asked, found.name, cache, version=found.version, digest=found.digest, into=str(into))
    assert answer(inquiry, lambda _: None) == "fetched"
    names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert {str(p.relative_to(into)) for p in into.rglob("*") if p.is_file()} == names
    assert all((folder / name).read_bytes() == (into / name).read_bytes() for name in names)


def test_it_comes_out_byte_for_byte(azure: Cloud, session: Session, folder: Path, tmp_path: Path) -> None:
    """Signature included, through what the daemon's child process does."""
    generate_key(tmp_path / "key.pem")
    sign(folder, tmp_path / "key.pem")
    run(session, folder)
    comes_out(azure, session, folder, tmp_path / "out")


def test_it_comes_out_of_a_shared_registry(azure: Cloud, shared: Session, folder: Path, tmp_path: Path) -> None:
    """The registry gives a signed place; the version is put with the place's own path, and has no stage."""
    done = run(shared, folder, tags={"line": "prod"})
    name = open_bundle(folder).manifest.name
    (reference,) = {e.path for e in azure.wire.exchanges if "/tempdatarefs/" in e.path}
    assert reference.endswith(f"{registry_path()}/tempdatarefs/{name}/versions/1")
    (asked,) = azure.wire.bodies("PUT", rf"/models/{name}/versions/1$")
    assert asked["properties"]["modelType"] == "custom_model"
    assert asked["properties"]["modelUri"].startswith("https://")
    assert "sig=" not in json.dumps(asked)
    assert done.registered.tags["line"] == "prod"
    comes_out(azure, shared, folder, tmp_path / "out")
    with pytest.raises(UsageError, match="a shared registry knows no stages"):
        run(shared, folder, stage="Production")


@pytest.mark.parametrize(
    ("status", "text"), [(409, "is being registered in registry factory, or was just now"), (403, "uploading m")]
)
def test_a_registry_that_gives_no_place(azure: Cloud, shared: Session, folder: Path, status: int, text: str) -> None:
    """Somebody else has it already, or a right is missing."""
    azure.wire.break_(r"PUT .*/tempdatarefs/", status, code="UserError")
    with pytest.raises(AzureError, match=text):
        run(shared, folder)
    assert azure.wire.count("PUT", VERSIONS) == 0


def test_the_same_bundle_is_recognised(azure: Cloud, session: Session, folder: Path) -> None:
    """The second time nothing goes up, and nothing is put; a further tag or stage is set."""
    run(session, folder)
    seen = len(azure.wire.bodies("PUT", VERSIONS))
    assert not run(session, folder).uploaded
    assert len(azure.wire.bodies("PUT", VERSIONS)) == seen
    again = run(session, folder, tags={"line": "3"}, stage="Production")
    assert (again.uploaded, again.registered.stage, again.registered.tags["line"]) == (False, "Production", "3")


def test_a_signature_made_later_goes_up_alone(azure: Cloud, session: Session, folder: Path, tmp_path: Path) -> None:
    """The bundle is the same, since its digest leaves the signature out."""
    run(session, folder)
    generate_key(tmp_path / "key.pem")
    sign(folder, tmp_path / "key.pem")
    done = run(session, folder)
    assert (done.uploaded, done.signed_anew) == (False, True)
    stored = azure.blobs.read(f"{folder_of(open_bundle(folder))}/signature.json")
    assert stored == (folder / "signature.json").read_bytes()
    assert done.registered.tags["signature_sha256"] == hashlib.sha256(stored).hexdigest()
    assert not run(session, folder).signed_anew


def other(folder: Path) -> Path:
    """Return another bundle of the same name and version."""
    name = folder.parent.name
    return make_bundle(folder.parent.parent / "other" / "1", name=name, golden=False)


def test_a_taken_version_is_refused_with_the_remedy(azure: Cloud, session: Session, folder: Path) -> None:
    """Versions never change; ``auto`` makes a copy under the next number, whose manifest says so."""
    run(session, folder)
    another = other(folder)
    with pytest.raises(AzureError, match=r":1 is registered in .* with other content: .* --version auto"):
        run(session, another)
    done = run(session, another, version="auto")
    assert (done.registered.version, done.copied) == ("2", True)
    assert done.bundle.folder == another.parent / "2"
    assert open_bundle(done.bundle.folder).manifest.version == "2"
    assert open_bundle(another).manifest.version == "1"
    (uploaded,) = [n for n in azure.blobs.names(folder_of(done.bundle)) if n.endswith("manifest.json")]
    assert json.loads(azure.blobs.read(uploaded))["version"] == "2"


def test_auto_twice_is_one_version(session: Session, folder: Path) -> None:
    """The copy is recognised as what it is a copy of."""
    run(session, folder)
    another = other(folder)
    assert [run(session, another, version="auto").registered.version for _ in range(2)] == ["2", "2"]
    assert run(session, folder, version="auto").registered.version == "1"


def test_a_version_of_ones_own(session: Session, folder: Path, tmp_path: Path) -> None:
    """It is a copy too, without the signature, which is another manifest's."""
    generate_key(tmp_path / "key.pem")
    sign(folder, tmp_path / "key.pem")
    done = run(session, folder, version="2026-11")
    assert (done.registered.version, done.lost_signature) == ("2026-11", True)
    assert not (done.bundle.folder / "signature.json").exists()
    with pytest.raises(UsageError, match="--version latest"):
        run(session, folder, version="latest")


MANIFEST_TAG = "manifest_sha256"


def test_next_number_counts_what_is_archived_and_of_no_number(folder: Path) -> None:
    """The manifest's own version is kept where it is the highest."""
    manifest = open_bundle(folder).manifest
    taken = [Registered("m", "1", {MANIFEST_TAG: "x"}), Registered("m", "9", archived=True), Registered("m", "beta")]
    assert free_version(manifest, []) == "1"
    assert free_version(manifest, taken) == "10"
    assert free_version(manifest.model_copy(update={"version": "12"}), taken) == "12"


def test_an_archived_version_is_named(azure: Cloud, session: Session, folder: Path) -> None:
    """Devices do not follow it, and registering it again does not bring it back."""
    name = open_bundle(folder).manifest.name
    run(session, folder)
    session.client.models.archive(name, "1")
    with pytest.raises(AzureError, match="but archived: restore it"):
        run(session, folder)
    assert azure.wire.exchanges


def test_a_bundle_that_does_not_hold_together_is_not_registered(azure: Cloud, session: Session, folder: Path) -> None:
    """Its hashes are checked before anything is asked."""
    truncate(folder / "model.onnx")
    with pytest.raises(ModelInvalidError, match="cut off or changed"):
        run(session, folder)
    assert not azure.wire.exchanges


@pytest.mark.parametrize(
    ("order", "text"),
    [
        ({"tags": {"task": "x"}}, "--tag task: this tag says what the bundle is"),
        ({"tags": {"k": "v" * 257}}, "a tag has 1 to 256 characters"),
        ({"tags": {"": "v"}}, "a tag has 1 to 256 characters"),
    ],
)
def test_tags_that_cannot_be_set(session: Session, folder: Path, order: dict[str, Any], text: str) -> None:
    """They are refused before anything is asked."""
    with pytest.raises(UsageError, match=text):
        run(session, folder, **order)


def test_a_registration_that_fails_can_be_repeated(azure: Cloud, session: Session, folder: Path) -> None:
    """What went up stays where it is, and is not sent again."""
    azure.wire.break_(r"PUT .*/models/.*/versions/1", 409, code="Conflict", times=1)
    with pytest.raises(AzureError, match="registering"):
        run(session, folder)
    sent: list[int] = []
    register(session, Order(folder=folder), lambda _step, done, _of: sent.append(done))
    assert len(sent) == len(open_bundle(folder).manifest.files) + 1


REFUSALS = [
    (403, "AuthorizationFailed", AzureError),
    (404, "UserError", AzureError),
    (503, "Busy", AzureUnavailableError),
]


@pytest.mark.parametrize(("status", "code", "kind"), REFUSALS)
def test_what_azure_refuses_is_said(
    azure: Cloud, tmp_path: Path, folder: Path, status: int, code: str, kind: type[Exception]
) -> None:
    """The right to write, or a workspace that is away; nothing is registered."""
    azure.wire.break_(r"POST .*/listSecrets", status, code=code)
    with closing(session_of(azure, tmp_path, retries=0)) as session, pytest.raises(kind, match="uploading"):
        run(session, folder)
    assert azure.wire.count("PUT", VERSIONS) == 0


@pytest.mark.parametrize(("status", "code"), [(403, "AuthorizationPermissionMismatch"), (409, "BlobImmutable")])
def test_storage_that_may_not_be_written(azure: Cloud, session: Session, folder: Path, status: int, code: str) -> None:
    """The upload ends there, and nothing is registered."""
    lead_through(azure)
    azure.wire.break_(r"PUT /storage/.*model\.onnx", status, code=code)
    with pytest.raises(AzureError, match="uploading"):
        run(session, folder)
    assert azure.wire.count("PUT", VERSIONS) == 0


def test_who_may_not_write_storage_is_told_the_role(azure: Cloud, session: Session, folder: Path) -> None:
    """Reading is not enough."""
    refuse_blobs(azure, "AuthorizationPermissionMismatch", "PUT")
    with pytest.raises(AzureError, match=r"uploading .*Storage Blob Data Contributor"):
        run(session, folder)


def test_a_hiccup_of_storage_is_got_over(azure: Cloud, session: Session, folder: Path, tmp_path: Path) -> None:
    """A block is sent again."""
    lead_through(azure)
    azure.wire.break_(r"PUT /storage/.*model\.onnx", 503, code="ServerBusy", times=1)
    assert run(session, folder).uploaded
    comes_out(azure, session, folder, tmp_path / "out")


def test_a_file_that_went_meanwhile(azure: Cloud, session: Session, folder: Path) -> None:
    """What arrived is listed before anything is registered."""
    place = folder_of(open_bundle(folder))

    def remove(_step: str, done: int, of: int) -> None:
        if done == of:
            azure.blobs.delete(f"{place}/model.onnx")

    with pytest.raises(AzureUnavailableError, match=r"model\.onnx did not arrive in full; register it again"):
        register(session, Order(folder=folder), remove)
    assert azure.wire.count("PUT", VERSIONS) == 0


def test_a_file_that_changes_while_it_goes_up(azure: Cloud, session: Session, folder: Path) -> None:
    """Its bytes are hashed on their way: it is never committed."""
    golden = next(iter(sorted((folder / "golden").iterdir())))

    def change(_step: str, _done: int, _of: int) -> None:
        golden.write_bytes(golden.read_bytes()[:-1] + b"x")

    with pytest.raises(ModelInvalidError, match="was changed while it was uploaded"):
        register(session, Order(folder=folder), change)
    assert azure.wire.count("PUT", VERSIONS) == 0


def test_throttling_is_waited_for(azure: Cloud, session: Session, folder: Path) -> None:
    """As long as Azure asks."""
    azure.wire.break_(r"PUT .*/models/.*/versions/1", 429, headers={"Retry-After": "1"}, times=1)
    assert run(session, folder).uploaded


def test_a_version_that_appears_meanwhile(azure: Cloud, session: Session, folder: Path) -> None:
    """Two people register the same version: who comes second is told, and the first one's stays."""
    name = open_bundle(folder).manifest.name
    path = f"{WORKSPACE_PATH}/models/{name}/versions/1"
    theirs = {"modelUri": "azureml://theirs", "modelType": "custom_model", "tags": {MANIFEST_TAG: "x"}, "flavors": {}}

    def meanwhile(_step: str, _done: int, _of: int) -> None:
        if not azure.resources.has(path):
            azure.resources.put(path, {**theirs, "properties": {}, "isArchived": False})

    with pytest.raises(AzureError, match=r":1 is registered in .* with other content"):
        register(session, Order(folder=folder), meanwhile)
    assert azure.resources.get(path)["properties"]["modelUri"] == "azureml://theirs"
