"""The data of a job: assets that are there, and local tables that become assets."""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edge.azureml.containers import open_datastore
from training.azure.data import DATASTORE, ROOT
from training.azure.data_assets import Assets, Wanted
from training.azure.job_schema import ASSET
from training.azure.paths import resource
from training.azure.session import Session
from training.azure.storing import ToSend, send, storing
from training.dataset.mltable import MLTABLE, digest_of_table
from training.errors import UsageError

VERSION_LENGTH = 16
"""How much of the SHA-256 of a local table becomes its version."""
PLACES = re.compile(r"(?!file:)[a-z][a-z0-9+.-]*://|azureml:", re.IGNORECASE)
"""How a picture's place begins that Azure can reach."""


@dataclass(frozen=True, slots=True)
class DataAsset:
    """A data asset that a job names: a version, or (None) the newest. ``table`` is the local one that it is made of."""

    name: str
    version: str | None
    table: "LocalTable | None" = None

    def __str__(self) -> str:
        return f"{self.name}:{self.version}" if self.version else f"{self.name}@latest"

    def path(self, session: Session) -> str:
        """Return its path in the control plane."""
        return resource(session, "data", self.name, f"versions/{self.version}" if self.version else "labels/latest")


@dataclass(frozen=True, slots=True)
class LocalTable:
    """An MLTable folder on this machine: its files by name, its SHA-256 and how many pictures it tells of."""

    folder: Path
    digest: str
    pictures: int

    def files(self) -> dict[str, bytes]:
        """Return the contents. Raises UsageError."""
        try:
            found = [path for path in self.folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
            return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in sorted(found)}
        except OSError as error:
            raise UsageError(f"{error.filename}: cannot be read ({error.strerror})") from error


def data_asset(entry: str, beside: Path) -> DataAsset:
    """Return what an entry of a job file, which lies in ``beside``, names.

    A local table's asset is named like its folder, and its version is made of its content: the same table is one asset.

    Raises:
        UsageError: a local table tells of pictures that are not in Azure, or cannot be read.
    """
    named = ASSET.fullmatch(entry)
    if named:
        return DataAsset(named["name"], named["version"])
    table = _read_table(beside / entry)
    name = re.sub(r"[^A-Za-z0-9._-]", "-", table.folder.resolve().name).lstrip("._-") or "table"
    return DataAsset(name, table.digest[:VERSION_LENGTH], table)


def _read_table(folder: Path) -> LocalTable:
    files = LocalTable(folder, "", 0).files()
    lines = [(name, line) for name, data in files.items() if name.endswith(".jsonl") for line in data.splitlines()]
    for name, line in lines:
        _check_place(folder / name, line)
    if MLTABLE not in files or not lines:
        raise UsageError(f"{folder}: needs a file {MLTABLE} and a .jsonl file with at least one picture")
    return LocalTable(folder, digest_of_table(files), len(lines))


def _check_place(file: Path, line: bytes) -> None:
    try:
        place = str(json.loads(line)["image_url"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{file}: each line is a JSON object with an image_url") from error
    if not PLACES.match(place):
        raise UsageError(
            f"{file}: the picture {place} is not in Azure; upload it with: automl-train data upload FOLDER --name NAME"
        )


@dataclass(frozen=True, slots=True)
class Found:
    """What Azure says of a data asset: its version, type, and (if we made it) the task that its table is for."""

    asset: DataAsset
    kind: str
    task: str | None


def look_up(session: Session, asset: DataAsset) -> Found | None:
    """Return what Azure has of an asset, None where it is not there. Raises AzureError."""
    from azure.ai.ml.exceptions import MlException  # noqa: PLC0415 - over a second to import
    from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415 - the same

    data = session.client.data
    with session.asking(f"looking for the data asset {asset}"):
        try:
            found = data.get(asset.name, asset.version) if asset.version else data.get(asset.name, label="latest")
        except ResourceNotFoundError:
            return None
        except MlException:
            if asset.version:
                raise
            return None  # so says the SDK where a name has no version
    return Found(DataAsset(asset.name, str(found.version)), str(found.type), (found.tags or {}).get("task"))


def bring(session: Session, asset: DataAsset) -> None:
    """Make sure that a local table is an asset of the workspace: what is there already is not sent again.

    Raises:
        UsageError: its version is taken by something else.
        AzureError: Azure refuses.
    """
    if asset.table is None:
        return
    assets, table = Assets(session), asset.table
    wanted = Wanted(asset.name, "mltable", table.digest, table.pictures, asset.version)
    if assets.known(wanted):
        return
    files = table.files()
    if digest_of_table(files) != table.digest:
        raise UsageError(f"{table.folder}: has changed meanwhile; submit again")
    folder = f"{ROOT}/{asset.name}/{asset.version}"
    todo = [
        ToSend(f"{folder}/{name}", hashlib.sha256(data).hexdigest(), partial(bytes, data))
        for name, data in files.items()
    ]
    what = f"uploading {table.folder}"
    with storing(session, what), open_datastore(session.connection, DATASTORE) as container:
        send(container, folder, todo)
    assets.register(wanted, assets.url(DATASTORE, f"{folder}/"), {})
