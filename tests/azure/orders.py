"""What a submitted job needs in the tests' workspace, and job files that name it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.azureml.cloud import read_cloud
from edge.azureml.identity import Identity
from edge.azureml.place import Workspace
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE, WORKSPACE_PATH
from tests.azure.routes.computes import cluster, make_compute
from tests.azure.standin import Cloud
from training.azure.session import Session

CLUSTER = "gpucluster"
TRAINING, VALIDATION = "pictures-train", "pictures-valid"


def session_of(azure: Cloud, folder: Path, **how: Any) -> Session:
    place = Workspace(SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE)
    return Session(place, Identity("managed-identity"), read_cloud(str(azure.cloud_file(folder))), **how)


def put_data(azure: Cloud, name: str, version: str = "1", kind: str = "mltable", **tags: str) -> str:
    """Put a data asset there and return its path."""
    path = f"{WORKSPACE_PATH}/data/{name}/versions/{version}"
    uri = f"azureml://datastores/workspaceblobstore/paths/{name}/{version}/"
    known = {"isAnonymous": False, "isArchived": False, "tags": tags, "properties": {}}
    azure.resources.put(path, {**known, "dataType": kind, "dataUri": uri})
    return path


def furnish_jobs(azure: Cloud) -> None:
    """Put the cluster and both tables there."""
    make_compute(azure, CLUSTER, **cluster())
    put_data(azure, TRAINING, "3")
    put_data(azure, VALIDATION)


BASE: Mapping[str, Any] = {
    "task": "image-classification",
    "training_data": f"azureml:{TRAINING}:3",
    "compute": CLUSTER,
    "experiment": "housings",
    "model": {"model_name": "resnet18"},
}


def job(**changes: Any) -> dict[str, Any]:
    """Return a job file's content; a change to None leaves a key out."""
    return {key: value for key, value in {**BASE, **changes}.items() if value is not None}


def write_job(folder: Path, content: Mapping[str, Any]) -> Path:
    """Write a job file."""
    file = folder / "job.toml"
    file.write_text(toml(content))
    return file


def toml(content: Mapping[str, Any]) -> str:
    """Return a mapping as TOML; tables below the first level are written in one line."""
    plain = [f"{key} = {value_of(value)}\n" for key, value in content.items() if not isinstance(value, dict)]
    tables = [
        f"[{key}]\n" + "".join(f"{name} = {value_of(inner)}\n" for name, inner in value.items())
        for key, value in content.items()
        if isinstance(value, dict)
    ]
    return "".join([*plain, *tables])


def value_of(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {value_of(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(value_of, value)) + "]"
    if isinstance(value, str):
        return f"'{value}'" if '"' in value else f'"{value}"'
    return str(value)
