"""Which versions of a model a workspace or a shared registry holds, and which of them are asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edge.azureml.connection import Connection
from edge.azureml.place import Workspace
from edge.azureml.trouble import AzureFaultError, asking
from edge.bundle import version_key
from edge.errors import ModelNotFoundError
from edge.registry.inquiry import Inquiry

if TYPE_CHECKING:
    from azure.ai.ml.entities import Model

CUSTOM, MLFLOW = "custom_model", "mlflow_model"
EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version: ``uri`` is where Azure keeps its files, ``job`` the run that made it, empty if unknown."""

    name: str
    version: str
    created_at: datetime
    kind: str = CUSTOM
    uri: str = ""
    job: str = ""
    stage: str = ""
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"


def registered(connection: Connection, name: str, *, stage: str = "") -> tuple[Version, ...]:
    """Return the versions of a model that are not archived (those of ``stage``), newest first, with one request.

    The service filters by stage in workspaces only, so it is looked at here too. Raises AzureFaultError.
    """
    with asking(f"listing the versions of model {name} in {connection.place}"):
        of_stage = stage if stage and isinstance(connection.place, Workspace) else None
        found = [_version(model) for model in connection.client.models.list(name, of_stage)]
    return tuple(sorted(found, key=_age, reverse=True))


def one_registered(connection: Connection, name: str, version: str) -> Version:
    """Return one version. Raises ModelNotFoundError where it is gone, AzureFaultError."""
    try:
        with asking(f"looking up model {name}:{version} in {connection.place}"):
            return _version(connection.client.models.get(name, version))
    except AzureFaultError as error:
        if error.fault.kind != "absent":
            raise
        raise ModelNotFoundError(f"{name}:{version} is no longer in {connection.place}") from error


def _version(model: "Model") -> Version:
    made = model.creation_context.created_at if model.creation_context else None
    return Version(
        name=str(model.name),
        version=str(model.version),
        created_at=_instant(made),
        kind=str(model.type or CUSTOM),
        uri=str(model.path or ""),
        job=str(model.job_name or ""),
        stage=str(model.stage or ""),
        tags={str(key): str(value) for key, value in (model.tags or {}).items()},
    )


def _instant(made: object) -> datetime:
    """Return when a version was made; the SDK gives a text where the service adds what it does not know."""
    try:
        instant = made if isinstance(made, datetime) else datetime.fromisoformat(str(made))
    except ValueError:
        return EPOCH
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _age(version: Version) -> tuple[object, ...]:
    """Sort key: most recently created, as Azure's ``latest`` means it, then the higher version."""
    return (version.created_at, version_key(version.version), version.version)


def asked_for(versions: Sequence[Version], inquiry: Inquiry) -> tuple[tuple[Version, ...], Mapping[str, str]]:
    """Return the versions that an inquiry is about, and where there are none, by place, why. Pure."""
    found = tuple(version for version in versions if _fits(version, inquiry))
    if found:
        return found, {}
    place = f"{inquiry.name}/{inquiry.version}" if inquiry.version else inquiry.name
    return (), {place: _why_none(versions, inquiry)}


def _fits(version: Version, inquiry: Inquiry) -> bool:
    if inquiry.version and version.version != inquiry.version:
        return False
    if inquiry.stage and version.stage != inquiry.stage:
        return False
    key, equals, value = inquiry.tag.partition("=")
    return not key or (key in version.tags and (not equals or version.tags[key] == value))


def _why_none(versions: Sequence[Version], inquiry: Inquiry) -> str:
    if not versions and not inquiry.stage:
        return f"there is no model {inquiry.name}, or all its versions are archived: look at its name"
    wished = [
        f"version {inquiry.version}" if inquiry.version else "",
        f"stage {inquiry.stage}" if inquiry.stage else "",
        f"tag {inquiry.tag}" if inquiry.tag else "",
    ]
    sought = " and ".join(part for part in wished if part)
    if inquiry.azure.shared_registry and inquiry.stage:
        return f"no version of {inquiry.name} has stage {inquiry.stage}: a registry keeps no stages, follow a tag"
    there = f": there are {', '.join(v.version for v in versions[:5])}" if versions and inquiry.version else ""
    return f"no version of {inquiry.name} that is not archived has {sought}{there}"
