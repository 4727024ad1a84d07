"""Online endpoints and their deployments, as they are in the workspace: looked at, made, shared out, taken away."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from training.azure.deployments import ENVIRONMENT, Wish, deployment_of, endpoint_of
from training.azure.operations import Told, finish
from training.azure.session import Session, lacks_workspace
from training.errors import AzureError, UsageError

if TYPE_CHECKING:
    from azure.ai.ml.entities import OnlineDeployment, OnlineEndpoint

MLFLOW = "mlflow"
"""Who answers where Azure makes the server of AutoML's own model."""
NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]{1,63}")
"""What an endpoint that is there may be called; others have made some in capitals, which we do not."""
SETTLED = ("Succeeded", "Failed", "Canceled")
ADDED = ("createdBy", "createdAt", "lastModifiedAt")
"""What the SDK adds to an endpoint's properties when it reads them, and would write back as if they were its own."""
LOG_LINES = 40
CONTAINERS = ("inference-server", "storage-initializer")
"""Whose log is asked for, in this order: what serves, then what brings the model."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment that is there. ``share`` is its part of the requests in percent."""

    name: str
    model: str
    server: str
    state: str
    size: str
    instances: int
    share: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint that is there. ``auth`` is ``key``, ``aml_token`` or ``aad_token``."""

    name: str
    kind: str
    auth: str
    state: str
    url: str
    deployments: tuple[Deployed, ...]

    @property
    def traffic(self) -> Mapping[str, int]:
        """The share of each deployment that has one, by its name in small letters, as the SDK writes them."""
        return {deployed.name.lower(): deployed.share for deployed in self.deployments if deployed.share}

    def as_json(self) -> dict[str, Any]:
        """Return what programs read."""
        return asdict(self)


def look_up(session: Session, name: str) -> Endpoint:
    """Return the endpoint. Raises UsageError for what is no name, AzureError, also where there is none."""
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no endpoint's name, which is of letters, digits and dashes")
    found = find(session, name)
    if found is None:
        raise AzureError(f"there is no endpoint {name}: make it with 'automl-train azure deploy' [{session.place}]")
    return found


def find(session: Session, name: str) -> Endpoint | None:
    """Return the endpoint with its deployments, None where there is none. Raises AzureError."""
    endpoint = _get(session, name)
    if endpoint is None:
        return None
    with session.asking(f"listing the deployments of {name}"):
        deployments = list(session.client.online_deployments.list(endpoint_name=name))
    traffic = {key.lower(): int(value) for key, value in (endpoint.traffic or {}).items()}
    return Endpoint(
        name=str(endpoint.name),
        kind="kubernetes" if getattr(endpoint, "compute", None) else "managed",
        auth=str(endpoint.auth_mode).lower(),
        state=_word(endpoint.provisioning_state),
        url=str(endpoint.scoring_uri or ""),
        deployments=tuple(_deployed(one, traffic) for one in sorted(deployments, key=lambda one: str(one.name))),
    )


def make(session: Session, wish: Wish, told: Told) -> None:
    """Make the endpoint. Raises AzureError."""
    with session.asking(f"creating the endpoint {wish.endpoint}"):
        operations = session.client.online_endpoints
        finish(lambda: operations.begin_create_or_update(endpoint_of(wish)), f"creating endpoint {wish.endpoint}", told)


def put(session: Session, wish: Wish, told: Told) -> None:
    """Make or update the deployment and wait until Azure finds it healthy. Raises AzureError."""
    with session.asking(f"deploying {wish.model} as {wish.deployment}"):
        operations = session.client.online_deployments
        made: OnlineDeployment = finish(
            lambda: operations.begin_create_or_update(deployment_of(wish)), f"deploying {wish.model}", told
        )
    state = _word(made.provisioning_state)
    if state != "Succeeded":
        raise AzureError(f"deploying {wish.model} as {wish.deployment}: it ends as {state} [{session.place}]")


def share_out(session: Session, name: str, traffic: Mapping[str, int], told: Told) -> None:
    """Set each deployment's share of the requests. Raises AzureError."""
    endpoint = _get(session, name)
    if endpoint is None:
        raise AzureError(f"the endpoint {name} is gone [{session.place}]")
    endpoint.traffic = dict(traffic)
    endpoint.properties = {key: value for key, value in (endpoint.properties or {}).items() if key not in ADDED}
    with session.asking(f"setting the traffic of {name}"):
        operations = session.client.online_endpoints
        finish(lambda: operations.begin_create_or_update(endpoint), f"setting traffic of {name}", told)


def remove(session: Session, name: str, deployment: str, told: Told) -> None:
    """Delete a deployment. Raises AzureError."""
    with session.asking(f"deleting the deployment {deployment} of {name}"):
        operations = session.client.online_deployments
        finish(lambda: operations.begin_delete(deployment, name), f"deleting {deployment}", told)


def read_log(session: Session, name: str, deployment: str) -> str:
    """Return the end of a deployment's log, empty where there is none. Raises AzureError."""
    with session.asking(f"reading the log of {deployment}"):
        for container in CONTAINERS:
            text = str(
                session.client.online_deployments.get_logs(deployment, name, LOG_LINES, container_type=container)
            )
            if text.strip():
                return text.strip()
    return ""


def _get(session: Session, name: str) -> "OnlineEndpoint | None":
    from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415 - `deploy -h` starts without it

    with session.asking(f"looking up the endpoint {name}"):
        try:
            found: OnlineEndpoint = session.client.online_endpoints.get(name)
        except ResourceNotFoundError as error:
            if lacks_workspace(error):
                raise
            return None
    return found


def _deployed(one: "OnlineDeployment", traffic: Mapping[str, int]) -> Deployed:
    name, environment = str(one.name), str(one.environment or "")
    return Deployed(
        name=name,
        model=_short(str(one.model or "")),
        server=_server(environment),
        state=_word(one.provisioning_state),
        size=str(one.instance_type or ""),
        instances=int(one.instance_count or 1),
        share=traffic.get(name.lower(), 0),
    )


def _server(environment: str) -> str:
    """Return who answers: an endpoint without an environment runs what Azure makes of an MLflow model."""
    if not environment:
        return MLFLOW
    return ENVIRONMENT if f"/environments/{ENVIRONMENT}/" in environment else "other"


def _short(resource: str) -> str:
    """Return ``name:version`` of a resource's path."""
    parts = resource.split("/")
    return f"{parts[-3]}:{parts[-1]}" if len(parts) > 3 and parts[-2] == "versions" else resource


def _word(state: object) -> str:
    """Return a state as Azure writes it, whether the SDK made an enum of it or not."""
    return str(getattr(state, "value", state) or "unknown")
