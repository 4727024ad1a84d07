"""The versions of a model as Azure keeps them: found, added, changed.

The SDK's public way to change a version rebuilds it from what the SDK knows: ``jobName``, ``datasets`` and whatever the
service adds are dropped, and an archived version comes back. So a version is changed as the SDK itself archives one: it
is read as it is, one thing in it is altered, and all of it is put back.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from edge.azureml.place import Workspace
from training.azure.session import Session

CUSTOM = "custom_model"
READ_ONLY = ("provisioningState",)


@dataclass(frozen=True, slots=True)
class Registered:
    """A version. ``stage`` is empty where it has none, as in shared registries; ``changed_by`` is who wrote it last."""

    name: str
    version: str
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    stage: str = ""
    kind: str = CUSTOM
    uri: str = ""
    archived: bool = False
    created_at: datetime | None = None
    changed_by: str = ""

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"


class ModelVersions:
    """The models of a session's place. Errors of Azure are AzureError."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, name: str, version: str) -> Registered | None:
        """Return a version, archived ones too; None where there is none."""
        body = self._read(name, version)
        return None if body is None else _registered(name, body)

    def all(self, name: str) -> list[Registered]:
        """Return all versions of a model, archived ones too, in Azure's order; none where there is no such model."""
        from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415 - only who talks to Azure has it

        with self._session.asking(f"listing the versions of model {name}"):
            try:
                return [_registered(name, body) for body in self._listed(name)]
            except ResourceNotFoundError:
                return []

    def add(
        self, name: str, version: str, uri: str, *, tags: Mapping[str, str], stage: str, properties: Mapping[str, str]
    ) -> Registered:
        """Register the folder at ``uri``, in which the files lie already, and return the version as Azure has it."""
        from azure.ai.ml.entities import Model  # noqa: PLC0415 - only who talks to Azure has it

        model = Model(
            name=name,
            version=version,
            type=CUSTOM,
            path=uri,
            tags=dict(tags),
            properties=dict(properties),
            stage=stage or None,
        )
        with self._session.asking(f"registering {name}:{version}"):
            self._session.client.models.create_or_update(model)
        return self._there(name, version)

    def change(self, name: str, version: str, alter: Callable[[dict[str, Any]], None]) -> Registered:
        """Let ``alter`` change a version's properties (ARM's JSON), and return the version as Azure has it then."""
        body = self._read(name, version)
        if body is None:
            return self._there(name, version)  # which says that it is gone
        properties = {key: value for key, value in body["properties"].items() if key not in READ_ONLY}
        alter(properties)
        with self._session.asking(f"changing {name}:{version}"):
            self._put(name, version, {"properties": properties})
        return self._there(name, version)

    def _there(self, name: str, version: str) -> Registered:
        with self._session.asking(f"looking up model {name}:{version}"):
            return _registered(name, self._client._get(name, version))  # noqa: SLF001 - see this module's docstring

    def _read(self, name: str, version: str) -> Any:
        from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415 - see all

        with self._session.asking(f"looking up model {name}:{version}"):
            try:
                return self._client._get(name, version)  # noqa: SLF001 - see this module's docstring
            except ResourceNotFoundError:
                return None

    @property
    def _client(self) -> Any:
        return self._session.client.models

    def _listed(self, name: str) -> list[Any]:
        if not isinstance(self._session.place, Workspace):
            return list(self._client.list(name))  # a registry's archived versions are not told
        versions, where = self._client._model_versions_operation, self._client._scope_kwargs  # noqa: SLF001 - see above
        return list(versions.list(name=name, workspace_name=self._session.place.name, list_view_type="All", **where))

    def _put(self, name: str, version: str, body: Mapping[str, Any]) -> None:
        if not isinstance(self._session.place, Workspace):
            self._client._begin_create_or_update_registry_model(name, version, _Plain(body), None)  # noqa: SLF001 - see above
            return
        versions, where = self._client._model_versions_operation, self._client._scope_kwargs  # noqa: SLF001 - see above
        place = self._session.place.name
        versions.create_or_update(name=name, version=version, workspace_name=place, body=body, **where)


class _Plain(dict[str, Any]):
    """JSON that the SDK's registry call takes for one of its objects, which it asks for its properties."""

    @property
    def properties(self) -> Any:
        return self["properties"]


def _registered(name: str, told: Any) -> Registered:
    """Return a version of the SDK's raw object, or, in a list of a registry, of its entity."""
    if not isinstance(told, Mapping):
        return _of_entity(name, told)
    kept, made = told["properties"], told.get("systemData") or {}
    return Registered(
        name=name,
        version=str(told["name"]),
        tags={str(key): str(value) for key, value in (kept.get("tags") or {}).items()},
        stage=str(kept.get("stage") or ""),
        kind=str(kept.get("modelType") or CUSTOM),
        uri=str(kept.get("modelUri") or ""),
        archived=bool(kept.get("isArchived")),
        created_at=_instant(made.get("createdAt")),
        changed_by=str(made.get("lastModifiedBy") or ""),
    )


def _of_entity(name: str, model: Any) -> Registered:
    made = model.creation_context
    return Registered(
        name=name,
        version=str(model.version),
        tags={str(key): str(value) for key, value in (model.tags or {}).items()},
        stage=str(model.stage or ""),
        kind=str(model.type or CUSTOM),
        uri=str(model.path or ""),
        created_at=_instant(getattr(made, "created_at", None)),
        changed_by=str(getattr(made, "last_modified_by", None) or ""),
    )


def _instant(told: Any) -> datetime | None:
    if isinstance(told, datetime):
        return told
    try:
        return datetime.fromisoformat(str(told).replace("Z", "+00:00"))
    except ValueError:
        return None
