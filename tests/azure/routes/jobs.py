"""Jobs of the workspace: put once by a name, listed, canceled. What they do lies in :mod:`tests.azure.simulation`."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.azure.arm import ArmError, Body
from tests.azure.routes.paths import WS
from tests.azure.standin import Cloud, answering, arm_error, json_of

ENDED = ("Completed", "Failed", "Canceled")
TAKEN = (
    "A job with this name already exists. If you are trying to submit a new job, use a different name. If you are "
    "trying to update an existing job, the existing job's properties cannot be changed."
)


def listed(found: Sequence[Body], query: Mapping[str, str]) -> list[Body]:
    """Return the jobs that a query wants, newest first."""
    wanted = [body for body in found if query.get("jobType") in (None, body["properties"]["jobType"])]
    if tag := query.get("tag"):
        wanted = [body for body in wanted if tag in (body["properties"].get("tags") or {})]
    archived = query.get("listViewType") == "ArchivedOnly"
    if query.get("listViewType") != "All":
        wanted = [body for body in wanted if bool(body["properties"].get("isArchived")) == archived]
    return sorted(wanted, key=lambda body: str(body["systemData"]["createdAt"]), reverse=True)


def asked(body: Body) -> Body:
    """Return a job as it was put, without what the service added; the SDK adds the state of git to each request."""
    properties = {key: value for key, value in body.items() if key not in ("status", "services")}
    noise = ("mlflow.source.git.", "azureml.git.")
    own = {k: v for k, v in (properties.get("properties") or {}).items() if not k.startswith(noise)}
    return {**properties, "properties": own}


class Jobs:
    """What is asked about jobs. ``cloud.notes["lost_answers"]`` PUTs are done, and then answered by 500.

    ``cloud.notes["on_submit"]`` is told the name of each new job; with ``cloud.notes["names_are_final"]`` the same job
    is refused too when it is put again. Of the names in ``cloud.notes["steps"]``, jobs inside a pipeline, the control
    plane tells nothing: run history does.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def list(self, request: Request) -> Mapping[str, Any]:
        return {"value": listed(self._cloud.resources.below(request.url.path), request.query_params)}

    def get(self, request: Request) -> Mapping[str, Any]:
        found = self._cloud.resources.get(request.url.path)
        inside = found["name"] in self._cloud.notes.get("steps", ())
        return {**found, "properties": None} if inside else found

    def put(self, request: Request) -> Response:
        path, wanted = request.url.path, json_of(request)["properties"]
        known = self._cloud.resources.get(path) if self._cloud.resources.has(path) else None
        if known and (self._cloud.notes.get("names_are_final") or asked(known["properties"]) != asked(wanted)):
            raise ArmError(409, "UserError", TAKEN)
        body = known or self._cloud.resources.put(path, made(path, wanted))
        if not known and "on_submit" in self._cloud.notes:
            self._cloud.notes["on_submit"](body["name"])
        if self._cloud.notes.get("lost_answers", 0):
            self._cloud.notes["lost_answers"] -= 1
            return arm_error(500, "InternalServerError", "the answer got lost")
        return JSONResponse(body, status_code=200 if known else 201)

    def cancel(self, request: Request) -> Response:
        """``cloud.notes["on_cancel"]`` is told of the job; without it the job is canceled at once."""
        path = request.url.path.removesuffix("/cancel")
        body = self._cloud.resources.get(path)
        if body["properties"]["status"] in ENDED:
            raise ArmError(400, "UserError", f"The job is in the terminal state {body['properties']['status']}.")
        stop = self._cloud.notes.get("on_cancel")
        if stop is None:
            body["properties"]["status"] = "Canceled"
        else:
            stop(body)
        location = f"{self._cloud.url}{path}/canceled"
        return JSONResponse(None, status_code=202, headers={"Location": location, "Retry-After": "1"})

    def canceled(self, request: Request) -> Response:
        self._cloud.resources.get(request.url.path.removesuffix("/canceled"))
        return Response(status_code=200)


def made(path: str, wanted: Body) -> Body:
    """Return what the service keeps of a new job: all of it, a status, and where the studio shows it."""
    endpoint = f"https://ml.azure.com/runs/{path.rsplit('/', 1)[-1]}?wsid={path.rsplit('/jobs/', 1)[0]}"
    services = {"Studio": {"jobServiceType": "Studio", "endpoint": endpoint}}
    return {**wanted, "status": "NotStarted", "services": services}


def routes(cloud: Cloud) -> list[Route]:
    """Return them."""
    jobs, one = Jobs(cloud), f"{WS}/jobs/{{name}}"
    return [
        Route(f"{WS}/jobs", answering(jobs.list)),
        Route(one, answering(jobs.get)),
        Route(one, answering(jobs.put), methods=["PUT"]),
        Route(f"{one}/cancel", answering(jobs.cancel), methods=["POST"]),
        Route(f"{one}/canceled", answering(jobs.canceled)),
    ]
