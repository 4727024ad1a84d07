"""Defects of azure-ai-ml that registering and promoting work around: each test fails when the defect is gone."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from azure.ai.ml._artifacts._blob_storage_helper import BlobStorageClient
from azure.ai.ml._utils._asset_utils import IgnoreFile, upload_directory
from azure.core.exceptions import ResourceNotFoundError

from tests.azure.arm import WORKSPACE_PATH
from tests.azure.blobs import CONTAINER
from tests.azure.sessions import session_of
from tests.azure.simulation import automl_job, job_path
from tests.azure.standin import Cloud
from training.azure.session import Session


@pytest.fixture
def session(azure: Cloud, tmp_path: Path) -> Iterator[Session]:
    with closing(session_of(azure, tmp_path, retries=0)) as opened:
        yield opened


def test_a_failed_upload_is_swallowed(azure: Cloud, tmp_path: Path) -> None:
    """What the threads of an upload raise is read only while a bar is drawn (show_progress).

    The caller then waits for ever, or registers what is not there; so :mod:`training.azure.bundle_upload` sends files
    itself.
    """
    (tmp_path / "canary").mkdir()
    (tmp_path / "canary" / "file").write_bytes(b"x")
    may_not_write = azure.blobs.sas(permissions="rl")
    storage = BlobStorageClient(may_not_write, azure.blobs.account_url, CONTAINER)
    with closing(storage.service_client), closing(storage.container_client):
        upload_directory(storage, tmp_path / "canary", "LocalUpload/canary", "", False, IgnoreFile())
    assert storage.uploaded_file_count == 0
    assert not azure.blobs.names("LocalUpload/canary")


def put_version(azure: Cloud, **properties: object) -> str:
    path = f"{WORKSPACE_PATH}/models/canary/versions/1"
    known = {"modelUri": "azureml://x/y", "modelType": "custom_model", "tags": {}, "properties": {}, "flavors": {}}
    azure.resources.put(path, {**known, "isArchived": False, **properties})
    return path


def test_changing_a_version_drops_what_the_sdk_does_not_know(azure: Cloud, session: Session) -> None:
    """So :mod:`training.azure.registered` puts back what it read."""
    path = put_version(azure, jobName="line_HD_0", datasets=[{"id": "d"}])
    model = session.client.models.get("canary", "1")
    model.tags = {"line": "prod"}
    session.client.models.create_or_update(model)
    (asked,) = azure.wire.bodies("PUT", path)
    assert not {"jobName", "datasets"} & asked["properties"].keys()


def test_changing_an_archived_version_brings_it_back(azure: Cloud, session: Session) -> None:
    """So :mod:`training.azure.registered` puts back what it read."""
    path = put_version(azure, isArchived=True)
    session.client.models.create_or_update(session.client.models.get("canary", "1"))
    (asked,) = azure.wire.bodies("PUT", path)
    assert asked["properties"]["isArchived"] is False


def test_a_managed_identity_is_read_with_its_client_id_as_object_id(azure: Cloud, session: Session) -> None:
    """So :mod:`training.azure.batch_export` makes it anew before it is sent back."""
    automl_job(azure, "canary", trials=[], artifacts={})
    path = job_path("canary")
    azure.resources.get(path)["properties"]["identity"] = {"identityType": "Managed", "clientId": "client"}
    assert session.client.jobs.get("canary").identity.object_id == "client"


def test_nothing_says_whether_a_version_is_archived(azure: Cloud, session: Session) -> None:
    """The SDK's entity does not, so the raw answer is read."""
    put_version(azure, isArchived=True)
    assert not any("archived" in name for name in vars(session.client.models.get("canary", "1")))
    with pytest.raises(ResourceNotFoundError):
        session.client.models.get("canary", "2")
