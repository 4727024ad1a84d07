"""Which versions can be taken: those that are bundles, and what a bundle can be made of."""

import re
from collections.abc import Mapping
from pathlib import Path

from edge.azureml import tags
from edge.azureml.connection import Connection
from edge.azureml.containers import StoredFile
from edge.azureml.download import Tell, fetch_bundle, find_bundle
from edge.azureml.made import Made
from edge.azureml.stores import Folder, Stores
from edge.azureml.trace import Tracer
from edge.azureml.trouble import AzureFaultError
from edge.azureml.versions import CUSTOM, MLFLOW, Version, asked_for, one_registered, registered
from edge.bundle import BUNDLE_SCHEMA, CLASSIFICATION_TASKS, MANIFEST, is_name
from edge.errors import ModelError, ModelInvalidError, ModelUnsupportedError, RegistryError, StoreError
from edge.ports import Candidate, Survey
from edge.registry.inquiry import Inquiry

LOOKED_INTO = 10
"""So many versions without our tags are looked into, the newest: each costs two requests."""
SHA256 = re.compile(r"[0-9a-f]{64}")


def survey(connection: Connection, inquiry: Inquiry, tell: Tell) -> Survey:
    """Look once. Raises RegistryError where what is there cannot be told.

    A version that cannot be taken is refused. What passes, or is denied, is no version's fault and fails the whole
    look: were a version refused for it, an older one might be taken for the newest. Once a newer one is found there is
    no such danger, and one old version in a storage account that is shut must not hide all others.
    """
    there = registered(connection, inquiry.name, stage=inquiry.stage)
    wanted, refused = asked_for(there, inquiry)
    reasons = dict(refused)
    candidates = []
    with Stores(connection, timeout_s=inquiry.azure.timeout_s) as stores:
        made = Made(Path(inquiry.cache), connection.place)
        made.tidy(there)
        look = Look(connection, stores, made, tell)
        for version in wanted:
            try:
                digest = look.digest(version, newest=version is wanted[0])
                signature = version.tags.get(tags.SIGNATURE_SHA256, "")
                candidates.append(Candidate(version.name, version.version, version.created_at, digest, signature))
            except ModelError as error:
                reasons[str(version)] = str(error)
            except AzureFaultError as error:
                if not candidates and error.fault.kind != "absent":
                    raise
                reasons[str(version)] = str(error)
            except StoreError as error:
                raise RegistryError(f"{version}: no bundle can be made of it: {error}") from error
    return Survey(tuple(candidates), reasons)


def fetch(connection: Connection, inquiry: Inquiry, tell: Tell) -> None:
    """Bring the inquiry's bundle into its folder.

    Raises RegistryError where that may work later, ModelNotFoundError where the version is gone, ModelInvalidError
    where it is no bundle of that name and version, StoreError.
    """
    made = Made(Path(inquiry.cache), connection.place)
    if made.fetch(inquiry, tell):
        return
    version = one_registered(connection, inquiry.name, inquiry.version)
    with Stores(connection, timeout_s=inquiry.azure.timeout_s) as stores:
        folder = stores.folder(version)
        files = folder.files()
        if files and MANIFEST not in files and tags.MANIFEST_SHA256 not in version.tags:
            raise RegistryError(f"the bundle that was made of {version} is gone; it is made anew")
        fetch_bundle(folder, files, inquiry, tell)


class Look:
    """One look at the versions of one model."""

    def __init__(self, connection: Connection, stores: Stores, made: Made, tell: Tell) -> None:
        self._stores = stores
        self._made = made
        self._tell = tell
        self._tracer = Tracer(connection, stores, tell)
        self._left = LOOKED_INTO

    def digest(self, version: Version, *, newest: bool) -> str:
        """Return the digest of a version's bundle. Raises ModelError where it has none, AzureFaultError, StoreError."""
        if not is_name(version.name) or not is_name(version.version):
            raise ModelInvalidError(
                "its name or version cannot be a bundle's: letters, digits, '.', '_' and '-' only, at most 128"
            )
        if version.kind not in (CUSTOM, MLFLOW):
            raise ModelInvalidError(f"it is a {version.kind}: register a bundle as {CUSTOM}")
        if version.kind == CUSTOM and tags.MANIFEST_SHA256 in version.tags:
            return _tagged(version.tags)
        made = self._made.digest(version)
        if made is not None:
            return made
        return self._looked_into(version, newest=newest)

    def _looked_into(self, version: Version, *, newest: bool) -> str:
        if version.kind == MLFLOW and not newest:
            raise ModelInvalidError(_ONLY_NEWEST)
        if self._left == 0:
            raise ModelInvalidError(
                f"it has no tag {tags.MANIFEST_SHA256}, and only the newest {LOOKED_INTO} without one are looked into"
            )
        self._left -= 1
        self._made.check_not_refused(version)
        folder = self._stores.folder(version)
        files = folder.files()
        if MANIFEST in files:
            return find_bundle(folder, files, name=version.name, version=version.version, tell=self._tell).digest
        if not files:
            raise ModelInvalidError(f"{folder} holds no files: it is registered as a single file, or they were removed")
        return self._make(version, folder, files, newest=newest)

    def _make(self, version: Version, folder: Folder, files: Mapping[str, StoredFile], *, newest: bool) -> str:
        if version.kind == CUSTOM and not any(path.endswith(".onnx") for path in files):
            raise ModelInvalidError(f"{folder} holds neither {MANIFEST} nor an ONNX file: it is no bundle")
        if not newest:
            raise ModelInvalidError(_ONLY_NEWEST)
        return self._made.make(version, self._tracer.trace(version, folder, files), self._tell)


_ONLY_NEWEST = "it is no bundle, and one is made of the newest version only; pin this one, and it is made"


def _tagged(found: Mapping[str, str]) -> str:
    """Return the digest that a version's tags tell.

    Raises ModelInvalidError for tags of another making, ModelUnsupportedError for a task that the edge does not run.
    """
    schema = found.get(tags.SCHEMA, BUNDLE_SCHEMA)
    if schema != BUNDLE_SCHEMA:
        raise ModelInvalidError(f"it is of the schema {schema}, which this version does not know: update automl-edge")
    task = found.get(tags.TASK, "")
    if task and task not in CLASSIFICATION_TASKS:  # each start of a device would download it to find that out
        raise ModelUnsupportedError(f"it is for {task}; this version runs {' and '.join(CLASSIFICATION_TASKS)}")
    digest = found[tags.MANIFEST_SHA256]
    if not SHA256.fullmatch(digest):
        raise ModelInvalidError(f"its tag {tags.MANIFEST_SHA256} is no SHA-256 in hex: register the bundle again")
    return digest
