"""What run history knows of a run and the SDK does not tell: metrics, times, why it failed.

Metrics come from the workspace's MLflow address (``mlflow_tracking_uri``) over MLflow's REST protocol, which is the way
that Azure documents for programs without the package mlflow. Only the reason of a failure has no documented address:
it is asked for where the SDK's own ``jobs.stream`` asks. Everything that depends on either is in this module.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from edge.azureml.place import Workspace
from training.azure.session import Session
from training.errors import AzureError

if TYPE_CHECKING:
    from azure.core import PipelineClient

Told = TypeVar("Told")

ADDRESS = re.compile(
    r"azureml://(?P<host>[^/]+)(?P<mlflow>/mlflow/v[\d.]+)/(?P<workspace>subscriptions/[^?]+?)/?(\?.*)?"
)
"""How a workspace's tracking address looks; ``v1.0`` and ``v2.0`` are both met, and a question mark at the end."""
PAGE = 200


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """A run as MLflow tells it; ``status`` is one of MLflow's words (``FINISHED``).

    ``metrics`` has the last value of each; one that has diverged (not a number, infinite) is left out: it ranks
    nothing, equals not even itself, and JSON has no word for it.
    """

    name: str
    experiment: str
    status: str
    started: datetime | None
    ended: datetime | None
    metrics: Mapping[str, float]
    parameters: Mapping[str, str]
    tags: Mapping[str, str]


class Tracking:
    """The run history of one workspace. Errors of Azure are AzureError."""

    def __init__(self, client: "PipelineClient[Any, Any]", session: Session, *, mlflow: str, history: str) -> None:
        """``mlflow`` and ``history`` are the paths of the workspace below the address of ``client``."""
        self._client = client
        self._session = session
        self._mlflow = mlflow
        self._history = history

    def run(self, name: str) -> TrackedRun:
        """Return a run. Raises AzureError where there is none."""
        with self._session.asking(f"asking for the metrics of {name}"):
            told = self._ask("GET", "runs/get", params={"run_id": name})
        return _understood(lambda: _tracked(told["run"]), name)

    def children(self, parent: str, experiment: str) -> list[TrackedRun]:
        """Return the runs directly below a run, in no particular order; metrics may be left out by the search."""
        asked: dict[str, Any] = {
            "experiment_ids": [experiment],
            "filter": f"tags.mlflow.parentRunId = '{parent}'",
            "max_results": PAGE,
        }
        with self._session.asking(f"asking for the runs of {parent}"):
            told = [run for page in self._pages(asked) for run in page]
        return _understood(lambda: [_tracked(run) for run in told], parent)

    def failure(self, name: str) -> str | None:
        """Return why a run failed in Azure's words, None where it says nothing."""
        with self._session.asking(f"asking why {name} failed"):
            told = self._send("GET", f"{self._history}/runs/{name}/details")
        error = told.get("error") or {}
        message = (error.get("error") or {}).get("message") if isinstance(error, Mapping) else None
        return str(message).strip() if message else None

    def _pages(self, asked: Mapping[str, Any]) -> Iterator[list[Any]]:
        token = None
        while True:
            told = self._ask("POST", "runs/search", json={**asked, **({"page_token": token} if token else {})})
            yield told.get("runs") or []
            token = told.get("next_page_token")
            if not token:
                return

    def _ask(self, method: str, what: str, **parts: Any) -> Mapping[str, Any]:
        return self._send(method, f"{self._mlflow}/api/2.0/mlflow/{what}", **parts)

    def _send(self, method: str, path: str, **parts: Any) -> Mapping[str, Any]:
        from azure.core.exceptions import HttpResponseError  # noqa: PLC0415 - only who talks to Azure has it
        from azure.core.rest import HttpRequest  # noqa: PLC0415 - see above

        response = self._client.send_request(HttpRequest(method, self._client.format_url(path), **parts))
        if response.status_code >= 400:
            raise HttpResponseError(response=response)
        told = response.json()
        return told if isinstance(told, Mapping) else {}


@contextmanager
def open_tracking(session: Session) -> Iterator[Tracking]:
    """Give the run history of a session's workspace.

    Raises:
        AzureError: the place is a shared registry, which has none, or the workspace does not say where it is.
    """
    if not isinstance(session.place, Workspace):
        raise AzureError(f"{session.place}: jobs run in workspaces; name one")
    with session.asking(f"asking for {session.place}"):
        address = session.client.workspaces.get(session.place.name).mlflow_tracking_uri or ""
    found = ADDRESS.fullmatch(address)
    if found is None:
        raise AzureError(f"{session.place}: does not say where its run history is (tracking address {address!r})")
    workspace = found["workspace"]
    with _client(session, f"https://{found['host']}") as client:
        yield Tracking(client, session, mlflow=f"{found['mlflow']}/{workspace}", history=f"/history/v1.0/{workspace}")


def _client(session: Session, url: str) -> "PipelineClient[Any, Any]":
    from azure.core import PipelineClient  # noqa: PLC0415 - only who talks to Azure has it
    from azure.core.pipeline import policies  # noqa: PLC0415 - see above

    from edge.azureml.waiting import Transport  # noqa: PLC0415 - see above

    sign = policies.BearerTokenCredentialPolicy(session.connection.credential, session.cloud.management_scope)
    return PipelineClient(
        url,
        policies=[policies.RetryPolicy(retry_total=session.retries), sign],
        transport=Transport(connection_timeout=min(session.timeout_s, 10.0), read_timeout=session.timeout_s),
    )


def _understood(read: Callable[[], Told], what: str) -> Told:
    try:
        return read()
    except (KeyError, TypeError, ValueError) as error:
        raise AzureError(f"run history of {what}: answers what is not understood ({error!r})") from error


def _tracked(told: Mapping[str, Any]) -> TrackedRun:
    info, data = told["info"], told.get("data") or {}
    return TrackedRun(
        name=str(info["run_id"]),
        experiment=str(info["experiment_id"]),
        status=str(info.get("status", "RUNNING")),
        started=_time(info.get("start_time")),
        ended=_time(info.get("end_time")),
        metrics=dict(_figures(data.get("metrics"))),
        parameters={name: str(value) for name, value in _pairs(data.get("params"))},
        tags={name: str(value) for name, value in _pairs(data.get("tags"))},
    )


def _pairs(entries: Iterable[Mapping[str, Any]] | None) -> Iterator[tuple[str, Any]]:
    for entry in entries or ():
        yield str(entry["key"]), entry.get("value", "")


def _figures(entries: Iterable[Mapping[str, Any]] | None) -> Iterator[tuple[str, float]]:
    for name, value in _pairs(entries):
        figure = float(value)
        if math.isfinite(figure):
            yield name, figure


def _time(milliseconds: Any) -> datetime | None:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC) if milliseconds else None
