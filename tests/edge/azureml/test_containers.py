"""Files in the real Azurite, over the real SDK, opened in each of the ways that a datastore may ask for."""

import hashlib
from pathlib import Path

import pytest

from edge.azureml.cloud import read_cloud
from edge.azureml.connection import Connection, connect
from edge.azureml.containers import StoredFile, open_datastore
from edge.azureml.identity import Identity
from edge.azureml.place import Workspace
from edge.errors import ModelInvalidError
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.standin import Cloud


@pytest.fixture
def connection(azure: Cloud, tmp_path: Path) -> Connection:
    place = Workspace(SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE)
    return connect(place, Identity("managed-identity"), read_cloud(str(azure.cloud_file(tmp_path))), retries=0)


@pytest.mark.parametrize("secrets", ["Sas", "AccountKey", "None"])
def test_a_folder_is_listed_and_its_files_come_whole(
    azure: Cloud, connection: Connection, tmp_path: Path, secrets: str
) -> None:
    """A folder whose name only begins alike is another one."""
    azure.secrets = secrets
    data = b"0123456789" * 300_000
    azure.blobs.write({f"{secrets}/model/a.onnx": data, f"{secrets}/model2/b": b"b"})
    with open_datastore(connection, "workspaceblobstore") as container:
        assert container.files(f"{secrets}/model") == [StoredFile(f"{secrets}/model/a.onnx", len(data))]
        took: list[int] = []
        digest = container.download(f"{secrets}/model/a.onnx", tmp_path / "a", took=took.append)
    assert (tmp_path / "a").read_bytes() == data
    assert digest == hashlib.sha256(data).hexdigest()
    assert sum(took) == len(data)
    assert max(took) <= 1 << 20


def test_a_list_ends_where_it_becomes_too_long(azure: Cloud, connection: Connection) -> None:
    """Whoever asks for a model's folder does not get a whole storage account into memory."""
    azure.blobs.write({f"many/{number}": b"" for number in range(3)})
    with open_datastore(connection, "workspaceblobstore") as container:
        assert len(container.files("many", most=3)) == 3
        with pytest.raises(ModelInvalidError, match="many holds more than 2 files"):
            container.files("many", most=2)


def test_an_uploaded_file_is_there_whole_or_not_at_all(azure: Cloud, connection: Connection, tmp_path: Path) -> None:
    """It goes in blocks; one whose bytes are not the promised ones is never committed."""
    data = b"0123456789" * 900_000
    source = tmp_path / "model.onnx"
    source.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    took: list[int] = []
    with open_datastore(connection, "workspaceblobstore") as container:
        with pytest.raises(ModelInvalidError, match="was changed while it was uploaded"):
            container.upload("up/wrong", source, sha256="0" * 64)
        container.upload("up/right", source, sha256=digest, took=took.append)
        (stored,) = container.files("up")
    assert (stored.path, stored.size, stored.sha256) == ("up/right", len(data), digest)
    assert azure.blobs.read("up/right") == data
    assert sum(took) == len(data)
    assert max(took) == 4 << 20


def test_an_empty_file_is_uploaded(connection: Connection, tmp_path: Path) -> None:
    """It has no blocks."""
    source = tmp_path / "empty"
    source.touch()
    with open_datastore(connection, "workspaceblobstore") as container:
        container.upload("none/empty", source, sha256=hashlib.sha256().hexdigest())
        assert container.files("none") == [StoredFile("none/empty", 0)]
