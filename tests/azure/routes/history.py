"""Run history: what the SDK asks about runs beside ARM, and Azure's MLflow endpoint, where their metrics are."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from tests.azure.arm import WORKSPACE_PATH, ArmError, Body
from tests.azure.routes.paths import WS
from tests.azure.standin import Cloud, answering, json_of

HISTORY = f"/history/v1.0{WS}"
MLFLOW = f"/mlflow/v2.0{WS}/api/2.0/mlflow"
PAGE = 50
"""How many runs an answer holds where nothing else is asked for; the next page is asked for by a token."""
STATUSES: Mapping[str, str] = {
    "Completed": "FINISHED",
    "Failed": "FAILED",
    "Canceled": "KILLED",
    "NotStarted": "SCHEDULED",
    "Queued": "SCHEDULED",
}
PARENT = re.compile(r"tags\.mlflow\.parentRunId\s*=\s*'(?P<name>[^']+)'")


def routes(cloud: Cloud) -> list[Route]:
    """Return them."""
    return [*_history(cloud), *_mlflow(cloud)]


def _history(cloud: Cloud) -> list[Route]:
    def get(request: Request) -> Mapping[str, Any]:
        return _run(cloud, _job(cloud, request.path_params["run"]))

    def children(request: Request) -> Mapping[str, Any]:
        parent = _job(cloud, request.path_params["run"])["name"]
        wanted = int(request.query_params.get("$top", PAGE))
        names, following = _page(_children(cloud, parent), request.query_params.get("$continuationToken"), wanted)
        answer: Body = {"value": [_run(cloud, _job(cloud, name)) for name in names]}
        if following:
            answer["nextLink"] = f"{cloud.url}{request.url.path}?$continuationToken={following}"
        return answer

    def run_data(request: Request) -> Mapping[str, Any]:
        return {"runMetadata": _run(cloud, _job(cloud, json_of(request)["runId"]))}

    return [
        Route(f"{HISTORY}/runs/{{run}}", answering(get)),
        Route(f"{HISTORY}/runs/{{run}}/details", answering(get)),
        Route(f"{HISTORY}/runs/{{run}}/children", answering(children)),
        Route(f"{HISTORY}/rundata", answering(run_data), methods=["POST"]),
    ]


def _mlflow(cloud: Cloud) -> list[Route]:
    """Return MLflow's routes; with ``notes["search_hides_metrics"]`` a search leaves metrics out."""

    def get(request: Request) -> Mapping[str, Any]:
        return {"run": _mlflow_run(cloud, _job(cloud, request.query_params["run_id"]))}

    def search(request: Request) -> Mapping[str, Any]:
        asked = json_of(request)
        found = PARENT.fullmatch(asked["filter"])
        if found is None or not asked.get("experiment_ids"):
            raise ArmError(400, "INVALID_PARAMETER_VALUE", f"the stand-in has no search for {asked}")
        wanted = min(PAGE, int(asked.get("max_results") or PAGE))
        names, following = _page(_children(cloud, found["name"]), asked.get("page_token"), wanted)
        answer: Body = {"runs": [_mlflow_run(cloud, _job(cloud, name)) for name in names]}
        if cloud.notes.get("search_hides_metrics"):
            for run in answer["runs"]:
                run["data"]["metrics"] = []
        return {**answer, "next_page_token": following} if following else answer

    return [
        Route(f"{MLFLOW}/runs/get", answering(get)),
        Route(f"{MLFLOW}/runs/search", answering(search), methods=["POST"]),
    ]


def _job(cloud: Cloud, name: str) -> Body:
    return cloud.resources.get(f"{WORKSPACE_PATH}/jobs/{name}")


def _children(cloud: Cloud, parent: str) -> list[str]:
    return [name for name, run in list(_runs(cloud).items()) if run.parent == parent]


def _page(names: list[str], token: str | None, size: int) -> tuple[list[str], str | None]:
    """Return a page, and the token of the next one where there is one."""
    start = int(token or 0)
    end = start + size
    return names[start:end], str(end) if end < len(names) else None


def _runs(cloud: Cloud) -> Mapping[str, Any]:
    from tests.azure.simulation import runs  # noqa: PLC0415 - it imports the stand-in, which imports the routes

    return runs(cloud)


def _known(cloud: Cloud, name: str) -> Any:
    from tests.azure.simulation import Run  # noqa: PLC0415 - see above

    return _runs(cloud).get(name, Run())


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _milliseconds(at: datetime | None) -> int | None:
    return int(at.timestamp() * 1000) if at else None


def _run(cloud: Cloud, job: Body) -> Body:
    """Return a run as run history tells it; the fields of both a run and its details."""
    told, properties = _known(cloud, job["name"]), job["properties"]
    created = job["systemData"]["createdAt"]
    body = {
        "runId": job["name"],
        "parentRunId": told.parent,
        "experimentId": _experiment(job),
        "status": properties.get("status", "Running"),
        "createdUtc": created,
        "createdTimeUtc": created,
        "startTimeUtc": _time(told.started),
        "endTimeUtc": _time(told.ended),
        "tags": properties.get("tags") or {},
        "properties": properties.get("properties") or {},
        "logFiles": {},
        "warnings": [],
        "error": {"error": {"code": "UserError", "message": told.error}} if told.error else None,
    }
    return {key: value for key, value in body.items() if value is not None}


def _experiment(job: Body) -> str:
    return f"experiment-{job['properties'].get('experimentName', 'Default')}"


def _figure(value: Any) -> Any:
    """Return a metric as MLflow's JSON has it: ``NaN`` and ``Infinity`` as texts."""
    words = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
    return words.get(str(value), value)


def _mlflow_run(cloud: Cloud, job: Body) -> Body:
    """Return a run as MLflow tells it: the last value of each metric."""
    told, properties = _known(cloud, job["name"]), job["properties"]
    tags = {**(properties.get("tags") or {}), **({"mlflow.parentRunId": told.parent} if told.parent else {})}
    info = {
        "run_id": job["name"],
        "run_name": job["name"],
        "experiment_id": _experiment(job),
        "status": STATUSES.get(properties.get("status", "Running"), "RUNNING"),
        "start_time": _milliseconds(told.started),
        "end_time": _milliseconds(told.ended),
        "lifecycle_stage": "active",
    }
    metrics = [
        {
            "key": name,
            "value": _figure(values[-1]),
            "timestamp": _milliseconds(told.started) or 0,
            "step": len(values) - 1,
        }
        for name, values in told.metrics.items()
    ]
    data = {"metrics": metrics, "params": [], "tags": [{"key": key, "value": value} for key, value in tags.items()]}
    return {"info": {key: value for key, value in info.items() if value is not None}, "data": data}
