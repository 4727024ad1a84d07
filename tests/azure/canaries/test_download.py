"""What the SDK does wrong with downloads: a test here fails when it is mended, and what works around it can go.

Around all of them works edge.azureml.download.
"""

import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge.azureml.cloud import read_cloud
from edge.azureml.connection import Connection, connect
from edge.azureml.identity import Identity
from edge.azureml.place import SharedRegistry, Workspace
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE, WORKSPACE_PATH
from tests.azure.routes import models, registries
from tests.azure.standin import Cloud

URI = "azureml://datastores/workspaceblobstore/paths/canary"


@pytest.fixture
def connection(azure: Cloud, tmp_path: Path) -> Iterator[Connection]:
    place = Workspace(SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE)
    cloud = read_cloud(str(azure.cloud_file(tmp_path)))
    with closing(connect(place, Identity("managed-identity"), cloud, retries=0)) as opened:
        yield opened


def register(azure: Cloud, path: str, **properties: Any) -> None:
    at = f"{WORKSPACE_PATH}/models/canary/versions/1"
    given = {"modelType": "custom_model", "modelUri": f"{URI}/{path}", **properties}
    azure.resources.put(at, models.registered(at, given))


def downloaded(connection: Connection, into: Path) -> dict[str, int]:
    """Return the sizes of what the SDK downloads, by path."""
    connection.client.models.download("canary", "1", str(into))
    return {str(p.relative_to(into)): p.stat().st_size for p in into.rglob("*") if p.is_file()}


def test_a_download_of_nothing_is_a_success(azure: Cloud, connection: Connection, tmp_path: Path) -> None:
    """Blobs that are not there are not missed."""
    register(azure, "absent")
    assert downloaded(connection, tmp_path / "into") == {}


def test_a_folder_that_begins_alike_comes_too(azure: Cloud, connection: Connection, tmp_path: Path) -> None:
    """``model2`` lands below ``model``."""
    azure.blobs.write({"canary/model/a": b"a", "canary/model2/b": b"bb"})
    register(azure, "model")
    found = downloaded(connection, tmp_path / "into")
    assert sorted(found.values()) == [1, 2]


def test_a_whole_file_is_held_in_memory(azure: Cloud, connection: Connection, tmp_path: Path) -> None:
    """However large it is."""
    size = 16 << 20
    azure.blobs.write({"canary/large/model.onnx": bytes(size)})
    register(azure, "large")
    tracemalloc.start()
    try:
        downloaded(connection, tmp_path / "into")
        assert tracemalloc.get_traced_memory()[1] > size
    finally:
        tracemalloc.stop()


def test_a_registry_without_signed_urls_cannot_be_downloaded_from(azure: Cloud, tmp_path: Path) -> None:
    """It looks for ``no_credentials`` where the service says ``NoCredentials``."""
    azure.notes[registries.REFERENCES] = "NoCredentials"
    path = f"{registries.registry_path()}/models/canary/versions/1"
    uri = registries.blob_url(azure, "canary/model")
    registries.put_model(azure, path, {"modelType": "custom_model", "modelUri": uri})
    cloud = read_cloud(str(azure.cloud_file(tmp_path)))
    place = SharedRegistry(registries.REGISTRY)
    with (
        closing(connect(place, Identity("managed-identity"), cloud, retries=0)) as shared,
        pytest.raises(KeyError, match="sasUri"),
    ):
        shared.client.models.download("canary", "1", str(tmp_path))
