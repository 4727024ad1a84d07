"""Files in the real Azurite, over the real SDK, opened in each of the ways that a datastore may ask for."""

import hashlib
from pathlib import Path

import pytest

from edge.azureml.cloud import read_cloud
from edge.azureml.connection import Connection, connect
from edge.azureml.containers import StoredFile, open_datastore
from edge.azureml.identity import Identity
from edge.azureml.place import Workspace
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
