"""Data assets of a workspace: versions that are known again by what they hold."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from edge.azureml.place import Workspace
from training.azure.session import Session
from training.errors import UsageError

if TYPE_CHECKING:
    from azure.ai.ml.entities import Data

Kind = Literal["uri_folder", "mltable"]
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
CONTENT = "content_sha256"
"""The tag by which the same content is known again."""
NO_SCHEMA = "https://["
"""No URL, as the SDK notices at once; else it asks a CDN for the schema of MLTables, five seconds without internet."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A version of a data asset at a folder; ``known`` tells that it was there before, with the same content."""

    name: str
    version: str
    kind: Kind
    path: str
    pictures: int
    known: bool

    @property
    def reference(self) -> str:
        """How jobs name it."""
        return f"azureml:{self.name}:{self.version}"

    def as_json(self) -> dict[str, Any]:
        """Return what programs are told."""
        told = {"name": self.name, "version": self.version, "type": self.kind, "path": self.path}
        return {**told, "reference": self.reference, "pictures": self.pictures, "reused": self.known}


@dataclass(frozen=True, slots=True)
class Wanted:
    """An asset that shall be: ``digest`` is the SHA-256 of what it holds, ``version`` None the next one."""

    name: str
    kind: Kind
    digest: str
    pictures: int
    version: str | None = None


class Assets:
    """The data assets of one workspace."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def url(self, datastore: str, path: str) -> str:
        """Return a datastore's path as a whole URL, as the service keeps it. Raises UsageError outside workspaces."""
        place = self._session.place
        if not isinstance(place, Workspace):
            raise UsageError(f"{place}: pictures are uploaded to a workspace")
        return (
            f"azureml://subscriptions/{place.subscription_id}/resourcegroups/{place.resource_group}"
            f"/workspaces/{place.name}/datastores/{datastore}/paths/{path}"
        )

    def known(self, wanted: Wanted) -> Asset | None:
        """Return the version that holds the same: the one asked for, or the newest of any.

        Raises:
            UsageError: the version that was asked for holds something else, or the name is of another kind of asset.
            AzureError: Azure cannot say.
        """
        versions = self._versions(wanted)
        other = next((version for version in versions if version.type != wanted.kind), None)
        if other is not None:
            raise UsageError(f"{wanted.name} is a data asset of the type {other.type}; choose another --name")
        same = [version for version in versions if (version.tags or {}).get(CONTENT) == wanted.digest]
        if versions and not same and wanted.version:
            raise UsageError(f"{wanted.name}:{wanted.version} holds something else; leave --version out for a new one")
        return None if not same else _asset(same[0], wanted, known=True)

    def register(self, wanted: Wanted, path: str, tags: Mapping[str, str]) -> Asset:
        """Make a version of what lies at a path. Raises AzureError."""
        from azure.ai.ml.entities import Data  # noqa: PLC0415 - over a second to import

        asset = Data(
            name=wanted.name,
            version=wanted.version,
            type=wanted.kind,
            path=path,
            tags={CONTENT: wanted.digest, "pictures": str(wanted.pictures), **tags},
            skip_validation=True,
            mltable_schema_url=NO_SCHEMA,
        )
        with self._session.asking(f"registering the data asset {wanted.name}"):
            return _asset(self._session.client.data.create_or_update(asset), wanted, known=False)

    def _versions(self, wanted: Wanted) -> "list[Data]":
        """Return the version that was asked for, or all, newest first."""
        from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415 - only who talks to Azure has it

        data = self._session.client.data
        with self._session.asking(f"looking for the data asset {wanted.name}"), suppress(ResourceNotFoundError):
            if wanted.version:
                return [data.get(wanted.name, wanted.version)]
            return list(data.list(wanted.name))
        return []


def _asset(found: "Data", wanted: Wanted, *, known: bool) -> Asset:
    return Asset(wanted.name, str(found.version), wanted.kind, str(found.path), wanted.pictures, known)
