"""Files in Azure's blob storage, a piece at a time: the SDK's own download holds a whole file in memory."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.azureml.connection import Connection
from edge.errors import ModelInvalidError

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

CHUNK_BYTES = 1 << 20
BLOCK_BYTES = 4 << 20
"""How much of a file is held in memory while it is uploaded."""
SHA256 = "sha256"
"""Metadata of a file that :meth:`Container.upload` wrote."""
RETRIES = 3
FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A blob: its path below the container, and its size in bytes; hashes in hex where whoever wrote it left them."""

    path: str
    size: int
    md5: str | None = field(default=None, compare=False)
    sha256: str | None = field(default=None, compare=False)


class Container:
    """A blob container."""

    def __init__(self, client: "ContainerClient") -> None:
        self._client = client

    @property
    def url(self) -> str:
        """Where it is, without what opens it."""
        return str(self._client.url).partition("?")[0]

    def files(self, folder: str, *, most: int | None = None) -> list[StoredFile]:
        """Return the files below a folder, by path; not those of a folder whose name only begins alike.

        Raises ModelInvalidError where there are more than ``most``.
        """
        found = self._client.list_blobs(name_starts_with=f"{folder.rstrip('/')}/", include=["metadata"])
        files = [_stored(blob) for blob in islice((b for b in found if not _is_folder(b)), most and most + 1)]
        if most is not None and len(files) > most:
            raise ModelInvalidError(f"{folder} holds more than {most} files: it is no model's own folder")
        return files

    def piece(self, path: str, offset: int, length: int) -> bytes:
        """Return at most ``length`` bytes of a file, with one request where that is at most :data:`CHUNK_BYTES`."""
        return self._client.download_blob(path, offset, length, max_concurrency=1).readall()

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

    def put(self, path: str, data: bytes, *, sha256: str) -> None:
        """Write a small file of that SHA-256 in one request, replacing what stands there."""
        self._client.upload_blob(path, data, overwrite=True, validate_content=True, metadata={SHA256: sha256})

    def upload(self, path: str, source: Path, *, sha256: str, took: Callable[[int], object] = lambda _: None) -> None:
        """Write a file of that SHA-256 in blocks, each checked by the service; it is there whole or not at all.

        Raises ModelInvalidError where the file's bytes are others, OSError.
        """
        from azure.storage.blob import BlobBlock  # noqa: PLC0415 - see open_datastore

        digest = hashlib.sha256()
        blocks: list[BlobBlock] = []
        with self._client.get_blob_client(path) as blob, source.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
                number = base64.b64encode(f"{len(blocks):08}".encode()).decode()
                blob.stage_block(number, block, length=len(block), validate_content=True)
                blocks.append(BlobBlock(number))
                took(len(block))
            if digest.hexdigest() != sha256:
                raise ModelInvalidError(f"{source} was changed while it was uploaded; nothing was registered")
            blob.commit_block_list(blocks, metadata={SHA256: sha256})


def _stored(blob: Any) -> StoredFile:
    md5 = blob.content_settings.content_md5
    sha256 = (blob.metadata or {}).get(SHA256)
    return StoredFile(blob.name, blob.size, md5=bytes(md5).hex() if md5 else None, sha256=sha256)


def _is_folder(blob: Any) -> bool:
    """Tell a folder of hierarchical storage from an empty file."""
    return str((blob.metadata or {}).get("hdi_isfolder", "")).lower() == "true"


@contextmanager
def open_datastore(
    connection: Connection, name: str, *, timeout_s: float = 30.0, retries: int = RETRIES, or_as_who_asks: bool = False
) -> Iterator[Container]:
    """Give the container behind a workspace's datastore, opened by its secret, or by who asks where it has none.

    Data Lake storage answers as blob storage does; its container is called a file system. With ``or_as_who_asks`` a
    secret that may not be read is done without. Raises ModelInvalidError for a datastore of another kind.
    """
    from azure.storage.blob import ContainerClient  # noqa: PLC0415 - the daemon must not load it

    store = _datastore(connection, name, or_as_who_asks=or_as_who_asks)
    container = getattr(store, "container_name", None) or getattr(store, "filesystem", None)
    if container is None:
        raise ModelInvalidError(f"datastore {name} is of the type {store.type}: blobs are kept in other ones")
    secrets = store.credentials
    key = getattr(secrets, "account_key", None) or getattr(secrets, "sas_token", None)
    with ContainerClient(
        f"{store.protocol}://{store.account_name}.blob.{store.endpoint}",
        container,
        credential=key or connection.credential,
        **_patience(timeout_s, retries),
    ) as client:
        yield Container(client)


def _datastore(connection: Connection, name: str, *, or_as_who_asks: bool) -> Any:
    from azure.core.exceptions import HttpResponseError  # noqa: PLC0415 - the daemon must not load it

    try:
        return connection.client.datastores.get(name, include_secrets=True)
    except HttpResponseError as error:
        if not or_as_who_asks or error.status_code != FORBIDDEN:
            raise
        return connection.client.datastores.get(name)


@contextmanager
def open_url(
    url: str, credential: Any = None, *, timeout_s: float = 30.0, retries: int = RETRIES
) -> Iterator[Container]:
    """Give the container of a URL, which holds its own signature or is opened by ``credential``."""
    from azure.storage.blob import ContainerClient  # noqa: PLC0415 - see open_datastore

    with ContainerClient.from_container_url(url, credential, **_patience(timeout_s, retries)) as client:
        yield Container(client)


def _patience(timeout_s: float, retries: int) -> dict[str, Any]:
    return {
        "max_single_get_size": CHUNK_BYTES,
        "max_chunk_get_size": CHUNK_BYTES,
        "connection_timeout": min(timeout_s, 10.0),
        "read_timeout": timeout_s,
        "retry_total": retries,
        "initial_backoff": 1,  # seconds; the SDK's own 15 would be silence that looks like a hang
    }
