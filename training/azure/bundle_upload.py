"""A bundle's files into Azure's storage: a block at a time, checked on the way and afterwards.

The SDK's own upload is not used: it reads the outcome of its threads only while it draws a bar, so that a failed upload
is registered all the same; it takes along what lies in the folder and belongs to nobody; it holds up to 64 MB of each
of several files in memory.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge.azureml.containers import Container, open_datastore, open_url
from edge.azureml.place import SharedRegistry, Workspace
from edge.bundle import MANIFEST, SIGNATURE, Bundle, sha256_of
from training.azure.session import Session
from training.errors import AzureError, AzureUnavailableError

STORE = "workspaceblobstore"
REFERENCES = "2021-10-01-dataplanepreview"
"""The version of the registries' own API, as the SDK asks it."""
CONFLICT = 409

Took = Callable[[int, int], object]
"""Hears how many bytes are there, of how many."""


def folder_of(bundle: Bundle) -> str:
    """Return where a bundle's files lie in a container: what is the same bundle has the same place."""
    return f"automl-edge/{bundle.digest}/{bundle.manifest.name}-{bundle.manifest.version}"


def upload(session: Session, bundle: Bundle, took: Took) -> str:
    """Bring a bundle's files, its signature and, last, its manifest into storage, and return the folder's URI.

    A file that is there already is not sent again.

    Raises:
        AzureError: storage may not be written, or what is there afterwards is not the bundle.
        ModelInvalidError: a file was changed meanwhile.
    """
    with session.asking(f"uploading {bundle}"), _container(session, bundle) as (container, root):
        _send(container, bundle, took)
        _check(container, bundle)
        return f"{root}/{folder_of(bundle)}"


@contextmanager
def _container(session: Session, bundle: Bundle) -> Iterator[tuple[Container, str]]:
    """Give the container for a bundle's files, and how a model's path begins that lies in it."""
    place = session.place
    if isinstance(place, SharedRegistry):
        with open_url(_place_to_upload(session, bundle, place), timeout_s=session.timeout_s) as container:
            yield container, container.url
    elif isinstance(place, Workspace):
        with open_datastore(session.connection, STORE, timeout_s=session.timeout_s) as container:
            yield (
                container,
                f"azureml://subscriptions/{place.subscription_id}/resourcegroups/{place.resource_group}"
                f"/workspaces/{place.name}/datastores/{STORE}/paths",
            )


def _place_to_upload(session: Session, bundle: Bundle, place: SharedRegistry) -> str:
    """Ask a registry for the signed URL of a container for a new version, as the SDK does."""
    from azure.core.rest import HttpRequest  # noqa: PLC0415 - only who talks to Azure has it

    # the client that the SDK found for this registry: there is no public way to it, nor to a place for an upload
    client: Any = session.client._service_client_registry_arm  # noqa: SLF001 - see above
    scope: Any = session.client._operation_scope  # noqa: SLF001 - see above
    name, version = bundle.manifest.name, bundle.manifest.version
    answer = client.send_request(
        HttpRequest(
            "PUT",
            f"/subscriptions/{scope.subscription_id}/resourceGroups/{scope.resource_group_name}/providers"
            f"/Microsoft.MachineLearningServices/registries/{place.name}/tempdatarefs/{name}/versions/{version}",
            params={"api-version": REFERENCES},
            json={
                "assetId": f"azureml://registries/{place.name}/models/{name}/versions/{version}",
                "temporaryDataReferenceType": "TemporaryBlobReference",
            },
        )
    )
    if answer.status_code == CONFLICT:
        raise AzureError(f"{bundle} is being registered in {place}, or was just now: look again")
    answer.raise_for_status()
    return str(answer.json()["blobReferenceForConsumption"]["credential"]["sasUri"])


def _send(container: Container, bundle: Bundle, took: Took) -> None:
    folder, files = folder_of(bundle), files_of(bundle)
    there = {file.path: file for file in container.files(folder)}
    of, done = sum((bundle.folder / path).stat().st_size for path in files), 0

    def taken(count: int) -> None:
        nonlocal done
        done += count
        took(done, of)

    for path, sha256 in files.items():
        found, source = there.get(f"{folder}/{path}"), bundle.folder / path
        if found is not None and (found.sha256, found.size) == (sha256, source.stat().st_size):
            taken(found.size)
        else:
            container.upload(f"{folder}/{path}", source, sha256=sha256, took=taken)


def files_of(bundle: Bundle) -> dict[str, str]:
    """Return the SHA-256 of what is uploaded, by path below the bundle; the manifest is the last."""
    listed = {path: file.sha256 for path, file in bundle.manifest.files.items()}
    signature = bundle.folder / SIGNATURE
    signed = {SIGNATURE: sha256_of(signature)} if signature.is_file() else {}
    return {**listed, **signed, MANIFEST: bundle.digest}


def _check(container: Container, bundle: Bundle) -> None:
    """Raise AzureUnavailableError unless every file is there in full, and the manifest comes back as it is."""
    folder = folder_of(bundle)
    found = {file.path.removeprefix(f"{folder}/"): file for file in container.files(folder)}
    wrong = [path for path in files_of(bundle) if path not in found or found[path].size != _size(bundle, path)]
    if wrong:
        raise AzureUnavailableError(f"{bundle}: {', '.join(wrong)} did not arrive in full; register it again")
    digest = hashlib.sha256(b"".join(container.chunks(f"{folder}/{MANIFEST}"))).hexdigest()
    if digest != bundle.digest:
        raise AzureUnavailableError(f"{bundle}: the manifest that Azure stored is another one; register it again")


def _size(bundle: Bundle, path: str) -> int:
    return (bundle.folder / path).stat().st_size


def upload_signature(container: Container, folder: str, signature: Path) -> bool:
    """Bring a signature beside a bundle that is there; True where another one, or none, stood there."""
    sha256 = sha256_of(signature)
    stored = next((file for file in container.files(folder) if file.path == f"{folder}/{SIGNATURE}"), None)
    if stored is not None and stored.sha256 == sha256:
        return False
    container.upload(f"{folder}/{SIGNATURE}", signature, sha256=sha256)
    return True
