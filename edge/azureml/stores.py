"""Where a version's files lie: a workspace's datastores, or what a shared registry refers to; each is opened once."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from types import TracebackType
from typing import Any, Self

from edge.azureml.connection import Connection
from edge.azureml.containers import Container, StoredFile, open_datastore, open_url
from edge.azureml.place import SharedRegistry
from edge.azureml.trouble import asking
from edge.azureml.versions import Version
from edge.errors import ModelInvalidError

ARTIFACTS = "workspaceartifactstore"
"""The datastore that holds what runs leave behind."""
DATASTORE_URI = re.compile(r"azureml://(?:.*/)?datastores/(?P<store>[^/]+)/paths/(?P<path>.+)")
MOST_FILES = 10_000
"""A version may be registered from a datastore's root: its list must not take the memory of a device."""
DATA_REFERENCES = "2021-10-01-dataplanepreview"
"""The version of the registries' own API, as the SDK asks it."""


class Store:
    """A container, opened when it is first used, and anew by :meth:`renew` where what opens it has run out."""

    def __init__(self, opening: Callable[[], AbstractContextManager[Container]], what: str) -> None:
        self._opening = opening
        self._what = what
        self._held = ExitStack()
        self._container: Container | None = None
        self._served = False

    @property
    def container(self) -> Container:
        """The container. Raises AzureFaultError where it cannot be opened."""
        if self._container is None:
            with asking(f"opening {self._what}"):
                self._container = self._held.enter_context(self._opening())
        return self._container

    def files(self, folder: str) -> list[StoredFile]:
        """Return the files below a folder. Raises AzureFaultError, ModelInvalidError where there are far too many."""
        with asking(f"listing the files in {self}: {folder}"):
            found = self.container.files(folder, most=MOST_FILES)
        self._served = True
        return found

    def piece(self, path: str, offset: int, length: int) -> bytes:
        """Return a piece of a file. Raises AzureFaultError."""
        with asking(f"downloading {path} from {self}"):
            piece = self.container.piece(path, offset, length)
        self._served = True
        return piece

    def renew(self) -> bool:
        """Open it anew when it is used next; False where that is of no use, since it never served so far."""
        served = self._served
        self.close()
        return served

    def close(self) -> None:
        """Let the connections go."""
        self._container, self._served = None, False
        self._held.close()

    def __str__(self) -> str:
        return self._what


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder in a store."""

    store: Store
    path: str

    def files(self) -> dict[str, StoredFile]:
        """Return what lies there, by path below the folder. Raises as :meth:`Store.files`."""
        found = self.store.files(self.path)
        return {str(PurePosixPath(file.path).relative_to(self.path)): file for file in found}

    def __str__(self) -> str:
        return f"{self.store}: {self.path}"


class Stores:
    """Opens the stores of one place; all are closed at the end."""

    def __init__(self, connection: Connection, *, timeout_s: float = 30.0) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._known: dict[str, Store] = {}

    def datastore(self, name: str) -> Store:
        """Return a datastore of the workspace."""
        # no tries of the SDK's own: here they are counted and told of, see edge.azureml.download. Nor must a device
        # have the right to the storage's key, with which whoever steals it could change models
        opening = partial(
            open_datastore, self._connection, name, timeout_s=self._timeout_s, retries=0, or_as_who_asks=True
        )
        return self._known.setdefault(name, Store(opening, f"datastore {name}"))

    def folder(self, version: Version) -> Folder:
        """Return where a version's files lie. Raises ModelInvalidError, AzureFaultError."""
        if isinstance(self._connection.place, SharedRegistry):
            return self._referred(version, self._connection.place)
        found = DATASTORE_URI.fullmatch(version.uri)
        if found is None:
            raise ModelInvalidError(f"its files lie at {version.uri or 'no known place'}, which is in no datastore")
        return Folder(self.datastore(found["store"]), found["path"].strip("/"))

    def _referred(self, version: Version, place: SharedRegistry) -> Folder:
        opening = partial(self._open_reference, version, place)
        store = self._known.setdefault(str(version), Store(opening, f"{place}, {version}"))
        root = f"{store.container.url}/"
        if not version.uri.startswith(root):
            raise ModelInvalidError(f"its files lie at {version.uri}, and the registry refers to {root}")
        return Folder(store, version.uri.removeprefix(root).strip("/"))

    def _open_reference(self, version: Version, place: SharedRegistry) -> AbstractContextManager[Container]:
        """Ask the registry to let us in, as the SDK does; where it signs no URL, who asks needs rights of its own.

        The SDK itself looks for ``no_credentials`` where the service says ``NoCredentials``.
        """
        reference = _reference(self._connection, version, place)
        credential = reference["credential"]
        if credential["credentialType"] == "SAS":
            return open_url(credential["sasUri"], timeout_s=self._timeout_s, retries=0)
        url = _container_url(str(reference["blobUri"]))
        return open_url(url, self._connection.credential, timeout_s=self._timeout_s, retries=0)

    def close(self) -> None:
        """Close all stores."""
        for store in self._known.values():
            store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _reference(connection: Connection, version: Version, place: SharedRegistry) -> Any:
    from azure.core.rest import HttpRequest  # noqa: PLC0415 - the daemon must not load it

    # the client that the SDK found for this registry: there is no public way to it, nor to a data reference
    client: Any = connection.client._service_client_registry_arm  # noqa: SLF001 - see above
    scope: Any = connection.client._operation_scope  # noqa: SLF001 - see above
    answer = client.send_request(
        HttpRequest(
            "POST",
            f"/subscriptions/{scope.subscription_id}/resourceGroups/{scope.resource_group_name}"
            f"/providers/Microsoft.MachineLearningServices/registries/{place.name}"
            f"/datarefs/{version.name}/versions/{version.version}",
            params={"api-version": DATA_REFERENCES},
            json={
                "assetId": f"azureml://registries/{place.name}/models/{version.name}/versions/{version.version}",
                "blobUri": version.uri,
            },
        )
    )
    answer.raise_for_status()
    return answer.json()["blobReferenceForConsumption"]


def _container_url(url: str) -> str:
    """Return the container's URL of a blob's."""
    from azure.storage.blob import BlobClient  # noqa: PLC0415 - the daemon must not load it

    name = f"/{BlobClient.from_blob_url(url).container_name}"
    return url.partition(f"{name}/")[0] + name
