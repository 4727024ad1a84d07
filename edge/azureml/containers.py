"""Files in Azure's blob storage, a chunk at a time: the SDK's own download holds a whole file in memory."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.azureml.connection import Connection

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A blob: its path below the container, and its size in bytes."""

    path: str
    size: int


class Container:
    """A blob container."""

    def __init__(self, client: "ContainerClient") -> None:
        self._client = client

    def files(self, folder: str) -> list[StoredFile]:
        """Return the files below a folder, by path; not those of a folder whose name only begins alike."""
        found = self._client.list_blobs(name_starts_with=f"{folder.rstrip('/')}/", include=["metadata"])
        return [StoredFile(blob.name, blob.size) for blob in found if not _is_folder(blob)]

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield a file's bytes."""
        yield from self._client.download_blob(path, max_concurrency=1).chunks()

    def download(self, path: str, into: Path, *, took: Callable[[int], object] = lambda _: None) -> str:
        """Write a file to ``into`` and return its SHA-256; ``took`` hears of each chunk's bytes."""
        digest = hashlib.sha256()
        with into.open("wb") as file:
            for chunk in self.chunks(path):
                digest.update(chunk)
                file.write(chunk)
                took(len(chunk))
        return digest.hexdigest()


def _is_folder(blob: Any) -> bool:
    """Tell a folder of hierarchical storage from an empty file."""
    return str((blob.metadata or {}).get("hdi_isfolder", "")).lower() == "true"


@contextmanager
def open_datastore(connection: Connection, name: str, *, timeout_s: float = 30.0) -> Iterator[Container]:
    """Give the container behind a workspace's datastore, opened by its secret, or by who asks where it has none."""
    from azure.storage.blob import ContainerClient  # noqa: PLC0415 - the daemon must not load it

    store: Any = connection.client.datastores.get(name, include_secrets=True)
    secrets = store.credentials
    key = getattr(secrets, "account_key", None) or getattr(secrets, "sas_token", None)
    with ContainerClient(
        f"{store.protocol}://{store.account_name}.blob.{store.endpoint}",
        store.container_name,
        credential=key or connection.credential,
        max_single_get_size=CHUNK_BYTES,
        max_chunk_get_size=CHUNK_BYTES,
        connection_timeout=min(timeout_s, 10.0),
        read_timeout=timeout_s,
    ) as client:
        yield Container(client)
