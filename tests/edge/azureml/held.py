"""What a workspace and a shared registry hold in these tests, put there without the SDK, and who asks."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from edge.azureml.asking import answer
from edge.azureml.tags import tags_of
from edge.bundle import open_bundle
from edge.ports import Survey
from edge.registry.inquiry import Azure, Failure, Inquiry, Message, Progress, message_line, parse_message
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE, WORKSPACE_PATH
from tests.azure.artifacts import named_after, trial_artifacts
from tests.azure.blobs import ARTIFACTS
from tests.azure.routes import models, registries
from tests.azure.standin import Cloud
from tests.fakes import make_bundle

NAME = "colours"
FIRST = datetime(2026, 3, 1, 12, tzinfo=UTC)
DATASTORE = (
    f"azureml://subscriptions/{SUBSCRIPTION}/resourcegroups/{RESOURCE_GROUP}/workspaces/{WORKSPACE}/datastores/"
    "workspaceblobstore/paths"
)


def put_version(azure: Cloud, version: str, *, name: str = NAME, hour: int = 0, **properties: Any) -> None:
    """Register a version, made so many hours after the first one."""
    path = f"{WORKSPACE_PATH}/models/{name}/versions/{version}"
    given = {"modelType": "custom_model", "modelUri": f"{DATASTORE}/{folder_of(version, name)}", **properties}
    azure.resources.clock = lambda: FIRST + timedelta(hours=hour)
    azure.resources.put(path, models.registered(path, given))


def folder_of(version: str, name: str = NAME) -> str:
    return f"held/{name}/{version}"


def files_of(folder: Path) -> dict[str, bytes]:
    """Return a folder's files by path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def write(azure: Cloud, folder: str, files: Mapping[str, bytes], container: str = "azureml") -> None:
    """Make ``folder`` hold exactly these files."""
    for name in azure.blobs.names(f"{folder}/", container):
        azure.blobs.delete(name, container)
    azure.blobs.write({f"{folder}/{path}": data for path, data in files.items()}, container)


def put_bundle(
    azure: Cloud,
    tmp_path: Path,
    version: str = "1",
    *,
    hour: int = 0,
    tagged: bool = True,
    tags: Mapping[str, str] | None = None,
    **more: Any,
) -> Path:
    """Register a bundle, with our tags and ``tags`` where it is ``tagged``; return its folder on this disk."""
    folder = tmp_path / "bundles" / version
    if not folder.exists():
        make_bundle(folder, name=NAME, version=version)
    write(azure, folder_of(version), files_of(folder))
    ours = tags_of(open_bundle(folder)) if tagged else {}
    put_version(azure, version, hour=hour, tags={**ours, **(tags or {})}, **more)
    return folder


def put_in_registry(azure: Cloud, tmp_path: Path, version: str = "1", *, hour: int = 0) -> Path:
    """Put a tagged bundle into the shared registry."""
    folder = make_bundle(tmp_path / "shared" / version, name=NAME, version=version)
    write(azure, f"shared/{NAME}/{version}", files_of(folder))
    azure.resources.clock = lambda: FIRST + timedelta(hours=hour)
    properties = {
        "modelType": "custom_model",
        "modelUri": registries.blob_url(azure, f"shared/{NAME}/{version}"),
        "tags": tags_of(open_bundle(folder)),
    }
    path = f"{registries.registry_path()}/models/{NAME}/versions/{version}"
    registries.put_model(azure, path, properties)
    return folder


def put_automl(
    azure: Cloud, run: str, version: str = "1", *, hour: int = 0, task: str = "image-classification", **more: Any
) -> dict[str, bytes]:
    """Register what AutoML registers of a trial; return the trial's artifacts, which lie where runs keep theirs."""
    files = named_after(run, trial_artifacts(task, {"model_name": "resnet18"}))
    write(azure, f"ExperimentRun/dcid.{run}", files, ARTIFACTS)
    uri = f"azureml://jobs/{run}/outputs/artifacts/outputs/mlflow-model"
    put_version(azure, version, hour=hour, modelType="mlflow_model", modelUri=uri, **more)
    return files


class Asker:
    """Asks as the daemon does, in this process; ``progress`` is what was told on the way."""

    def __init__(self, azure: Cloud, tmp_path: Path) -> None:
        self._folder = tmp_path
        self._azure = azure
        self._fetched = 0
        self.progress: list[Progress] = []

    def inquiry(self, do: Any, **more: Any) -> Inquiry:
        shared = more.pop("shared", False)
        who: dict[str, Any] = {"shared_registry": registries.REGISTRY} if shared else dict(WORKSPACE_OF_TESTS)
        who |= {"credential": "managed-identity", "cloud": str(self._azure.cloud_file(self._folder)), "timeout_s": 5.0}
        azure = Azure(**{**who, **more.pop("who", {})})
        return Inquiry(do, azure, **{"name": NAME, "cache": str(self._folder / "cache"), **more})

    def ask(self, inquiry: Inquiry) -> Message:
        """Return the answer as it comes out of the pipe."""
        return parse_message(message_line(answer(inquiry, self.progress.append)))

    def survey(self, **more: Any) -> Survey:
        told = self.ask(self.inquiry("survey", **more))
        assert isinstance(told, Survey), told
        return told

    def failure(self, do: Any = "survey", **more: Any) -> Failure:
        told = self.ask(self.inquiry(do, **more))
        assert isinstance(told, Failure), told
        return told

    def into(self) -> Path:
        """Return a new empty folder."""
        self._fetched += 1
        folder = self._folder / f"fetched-{self._fetched}"
        folder.mkdir()
        return folder

    def fetch(self, version: str, digest: str, **more: Any) -> Path:
        into = self.into()
        told = self.ask(self.inquiry("fetch", version=version, digest=digest, into=str(into), **more))
        assert told == "fetched", told
        return into

    def fetch_failure(self, version: str, digest: str, **more: Any) -> Failure:
        return self.failure("fetch", version=version, digest=digest, into=str(self.into()), **more)


WORKSPACE_OF_TESTS = {"subscription_id": SUBSCRIPTION, "resource_group": RESOURCE_GROUP, "workspace": WORKSPACE}


def tagged_digest(azure: Cloud, version: str) -> str:
    """Return the digest that a version's tags tell."""
    body = azure.resources.get(f"{WORKSPACE_PATH}/models/{NAME}/versions/{version}")
    return str(body["properties"]["tags"]["manifest_sha256"])


def edited(data: bytes, **changes: Any) -> bytes:
    """Return a manifest's bytes with some of its keys changed."""
    return json.dumps({**json.loads(data), **changes}).encode()
