"""A session in the tests' workspace, or in a shared registry."""

from pathlib import Path
from typing import Any

from edge.azureml.cloud import read_cloud
from edge.azureml.identity import Identity
from edge.azureml.place import Place, Workspace
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.standin import Cloud
from training.azure.session import Session


def session_of(azure: Cloud, folder: Path, place: Place | None = None, **how: Any) -> Session:
    """Return a session that signs in as this machine; the cloud file is written to ``folder``."""
    where = place or Workspace(SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE)
    return Session(where, Identity("managed-identity"), read_cloud(str(azure.cloud_file(folder))), **how)
