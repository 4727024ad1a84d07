"""Brings a labelled collection to Azure: its pictures as a folder, and a table for each part of the split."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from edge.azureml.containers import Container, open_datastore
from training.azure.data_assets import NAME, Asset, Assets, Wanted
from training.azure.session import Session
from training.azure.storing import Sent, SignatureOverError, Told, ToSend, send, storing
from training.dataset.annotations import Example, Picture
from training.dataset.collection import Collection
from training.dataset.entries import place_of
from training.dataset.inspection import Looked, same_bytes
from training.dataset.mltable import digest_of, digest_of_table, lines_of, stored_name, table_of
from training.dataset.parts import Part
from training.errors import DataError, UsageError

DATASTORE = "workspaceblobstore"
"""The workspace's own."""
ROOT = "automl-edge"
"""The folder of a datastore below which everything is put."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The assets of a collection: ``pictures`` is None where all of them are used where they lay."""

    pictures: Asset | None
    tables: Mapping[Part, Asset]
    sent: Sent

    @property
    def assets(self) -> list[Asset]:
        """All of them, the pictures first."""
        return [*([self.pictures] if self.pictures else []), *self.tables.values()]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a collection shall be: the name of its assets, their version (None: the next, or the same content's)."""

    name: str
    version: str | None = None
    datastore: str = DATASTORE


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload under way."""

    session: Session
    assets: Assets
    container: Container
    to: Destination
    told: Told

    def pictures(self, collection: Collection) -> tuple[Asset | None, Sent]:
        """Send the pictures and register them. The asset is made last: one that is there is whole."""
        rows = collection.files()
        if not rows:
            return None, Sent()
        files = {stored_name(example.picture.name): (example.picture, seen) for example, seen in rows}
        digest = digest_of((name, seen.sha256) for name, (_, seen) in files.items())
        wanted = Wanted(self.to.name, "uri_folder", digest, len(files), self.to.version)
        known, folder = self._found(wanted)
        todo = [
            ToSend(f"{folder}/{name}", seen.sha256, partial(_bytes_of, picture, seen))
            for name, (picture, seen) in files.items()
        ]
        sent = self._send(folder, todo, self.told)
        return known or self.assets.register(wanted, self._url(f"{folder}/"), {}), sent

    def table(self, collection: Collection, part: Part, pictures: Asset | None) -> Asset:
        """Write the table of a part and register it."""
        dataset, rows = collection.checked.dataset, collection.rows(part)
        files = table_of(lines_of(rows, dataset.task, partial(self._picture_url, collection, pictures)), part)
        wanted = Wanted(f"{self.to.name}-{part}", "mltable", digest_of_table(files), len(rows), self.to.version)
        known, folder = self._found(wanted)
        todo = [
            ToSend(f"{folder}/{name}", hashlib.sha256(data).hexdigest(), partial(bytes, data))
            for name, data in files.items()
        ]
        self._send(folder, todo, _silent)
        tags = {
            "task": dataset.task,
            "part": part,
            "classes": str(len(dataset.classes)),
            "seed": str(collection.shares.seed),
            **({"picture_folder": pictures.reference} if pictures else {}),
        }
        return known or self.assets.register(wanted, self._url(f"{folder}/"), tags)

    def _found(self, wanted: Wanted) -> tuple[Asset | None, str]:
        """Return the asset that holds the same in this datastore, if there is one, and the folder below it."""
        known = self.assets.known(wanted)
        place = place_of(known.path) if known else None
        if known and place and place[0] == self.to.datastore:
            folder = place[1].rstrip("/")
            return replace(known, path=self._url(f"{folder}/")), folder  # the service may write it in another way
        return None, f"{ROOT}/{wanted.name}/{wanted.digest[:16]}"

    def _send(self, folder: str, files: Sequence[ToSend], told: Told) -> Sent:
        with storing(self.session, f"uploading to the datastore {self.to.datastore}"):
            return send(self.container, folder, files, told)

    def _url(self, path: str) -> str:
        return self.assets.url(self.to.datastore, path)

    def _picture_url(self, collection: Collection, pictures: Asset | None, example: Example) -> str:
        """Return where a picture is in Azure: where it always was, or in the folder that was sent."""
        if not collection.stays(example):
            return f"{pictures.path.rstrip('/') if pictures else ''}/{stored_name(example.picture.name)}"
        told = example.picture.url or ""
        datastore, path = place_of(told) or ("", "")
        whole = told.lower().startswith("azureml://subscriptions/")  # it may be that of another workspace
        return told if whole else self.assets.url(datastore, path)


def _silent(_done: int, _all: int) -> None:
    """Tell nobody."""


def upload(collection: Collection, session: Session, to: Destination, told: Told = _silent) -> Uploaded:
    """Bring a collection to Azure. What is there already is neither sent nor registered again.

    Raises:
        UsageError: the name cannot be one, or the version that was asked for holds something else.
        DataError: the collection has problems, or a file changed or went away meanwhile.
        AzureError: Azure refuses; what was sent by then stays, and is not sent again.
    """
    for what, text in (("name", to.name), ("version", to.version or "1"), ("datastore", to.datastore)):
        if not NAME.fullmatch(text):
            raise UsageError(f"{what} {text!r}: letters, digits, . _ - only, beginning with a letter or digit")
    if collection.problems:
        raise DataError("the collection has problems; nothing was sent")
    before = Sent()
    while True:
        try:
            done = _uploaded(collection, session, to, told)
        except SignatureOverError as over:
            before += replace(over.sent, kept=0)
        else:
            sent = replace(done.sent, kept=done.sent.kept - before.files)
            return replace(done, sent=sent + before)


def _uploaded(collection: Collection, session: Session, to: Destination, told: Told) -> Uploaded:
    opened = open_datastore(session.connection, to.datastore, timeout_s=session.timeout_s, retries=session.retries)
    with session.asking(f"opening the datastore {to.datastore}"), opened as container:
        under_way = Upload(session, Assets(session), container, to, told)
        pictures, sent = under_way.pictures(collection)
        tables = {part: under_way.table(collection, part, pictures) for part in collection.parts}
    return Uploaded(pictures, tables, sent)


def _bytes_of(picture: Picture, looked: Looked) -> bytes:
    if picture.source is None:
        raise DataError(f"{picture.name}: is not here")
    return same_bytes(picture.source, looked)
