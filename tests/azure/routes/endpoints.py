"""Online endpoints and their deployments, their keys and logs, and what answers behind their scoring URL."""

import base64
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge.errors import InputError
from edge.proof import load_model
from edge.results import Classification
from tests.azure.arm import ArmError, Body
from tests.azure.routes.paths import WS
from tests.azure.standin import Cloud, answering, json_of

ENDPOINT = f"{WS}/onlineEndpoints/{{endpoint}}"
DEPLOYMENT = f"{ENDPOINT}/deployments/{{deployment}}"
KEY = "the-key-of-the-endpoint"
TOKEN = "the-token-of-the-endpoint"
NOTE = "endpoints"
STATE = "provisioningState"

Probabilities = Mapping[str, float]
Box = Mapping[str, Any]
Answer = Callable[[bytes], Probabilities | Sequence[Box] | None]
"""What a model says of a picture's bytes: each class's probability, or boxes; None where it cannot decode them."""


@dataclass(slots=True)
class Endpoints:
    """How this test's endpoints behave.

    ``looks`` is how often an operation is looked at before it is done; 0 is done at once. ``failing`` are deployments
    that do not come up, with Azure's code and message. ``answers`` are what deployments say, by name, the rest takes
    ``answer``. ``style`` is how: ``mlflow`` leaves out what it cannot decode, ``edge`` has an error in its place.
    """

    looks: int = 0
    failing: dict[str, tuple[str, str]] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    answer: Answer = lambda _: {"good": 0.9, "bad": 0.1}
    answers: dict[str, Answer] = field(default_factory=dict)
    style: str = "mlflow"
    operations: dict[str, tuple[int, Body]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, then: Body) -> str:
        """Note an operation that ends so, and return its number."""
        with self.lock:
            number = str(len(self.operations) + 1)
            self.operations[number] = (self.looks, then)
            return number

    def look(self, number: str) -> Body:
        """Return where an operation stands."""
        with self.lock:
            left, then = self.operations[number]
            self.operations[number] = (left - 1, then)
        return {"status": "InProgress"} if left > 1 else then


def endpoints_of(cloud: Cloud) -> Endpoints:
    """Return how the test's endpoints behave, to be changed by it."""
    found = cloud.notes.setdefault(NOTE, Endpoints())
    assert isinstance(found, Endpoints)
    return found


def answer_of(folder: Path) -> Answer:
    """Return what a bundle says, as a deployment of that model would."""
    model = load_model(folder, device="cpu")

    def say(picture: bytes) -> Probabilities | None:
        try:
            found = model.predictor.predict(picture, model.session.run)
        except InputError:
            return None
        assert isinstance(found, Classification)
        return dict(zip(found.labels, found.probs, strict=True))

    return say


def shifted(answer: Answer, by: float) -> Answer:
    """Return an answer whose first label is more probable by ``by``, and whose second is less."""

    def shift(picture: bytes) -> Probabilities | None:
        probs = answer(picture)
        if not isinstance(probs, Mapping):
            return None
        first, second, *_ = probs
        return {**probs, first: probs[first] + by, second: probs[second] - by}

    return shift


def _endpoint_properties(cloud: Cloud, name: str, asked: Body) -> Body:
    made = {"scoringUri": f"{cloud.url}/endpoints/{name}/score", "swaggerUri": f"{cloud.url}/endpoints/{name}/swagger"}
    return {"traffic": {}, "mirrorTraffic": {}, "properties": {}, **asked, **made, STATE: "Succeeded"}


def _deployment_properties(asked: Body) -> Body:
    """Return what is kept: the SDK cannot read a deployment without scale, nor one on Kubernetes without resources."""
    filled: Body = {"scaleSettings": {"scaleType": "Default"}, "properties": {}}
    if asked["endpointComputeType"] == "Kubernetes":
        usual = {"cpu": "100m", "memory": "2Gi"}
        filled["containerResourceRequirements"] = {"containerResourceRequests": usual, "containerResourceLimits": usual}
    return {**filled, **asked, STATE: "Succeeded"}


def _succeeded() -> Body:
    return {"status": "Succeeded"}


def _failed(code: str, message: str) -> Body:
    return {"status": "Failed", "error": {"code": code, "message": message}}


def routes(cloud: Cloud) -> list[Route]:
    """Return them."""
    return [*_endpoint_routes(cloud), *_side_routes(cloud), *_deployment_routes(cloud), *_scoring_routes(cloud)]


def _under_way(cloud: Cloud, body: Body, then: Body, *, known: bool) -> Response:
    """Answer that an operation has begun, or is done already."""
    behaviour = endpoints_of(cloud)
    if not behaviour.looks and then["status"] == "Succeeded":
        return JSONResponse(body, status_code=200 if known else 201)
    url = f"{cloud.url}/operations/{behaviour.begin(then)}"
    begun = {**body, "properties": {**body["properties"], STATE: "Updating" if known else "Creating"}}
    return JSONResponse(begun, status_code=201, headers={"Azure-AsyncOperation": url, "Retry-After": "1"})


def _gone(cloud: Cloud) -> Response:
    behaviour = endpoints_of(cloud)
    if not behaviour.looks:
        return Response(status_code=204)
    url = f"{cloud.url}/operations/{behaviour.begin(_succeeded())}"
    return Response(status_code=202, headers={"Azure-AsyncOperation": url, "Location": url, "Retry-After": "1"})


def _endpoint_routes(cloud: Cloud) -> list[Route]:
    def listed(request: Request) -> Mapping[str, Any]:
        return {"value": cloud.resources.below(request.url.path)}

    def get(request: Request) -> Mapping[str, Any]:
        return cloud.resources.get(request.url.path)

    def put(request: Request) -> Response:
        asked, path = json_of(request), request.url.path
        known = cloud.resources.has(path)
        deployments = {body["name"].lower() for body in cloud.resources.below(f"{path}/deployments")}
        traffic = asked["properties"].get("traffic") or {}
        if strangers := sorted(set(traffic) - deployments):
            raise ArmError(400, "BadRequest", f"Traffic for deployments that are not there: {', '.join(strangers)}")
        if sum(traffic.values()) not in (0, 100):
            raise ArmError(400, "BadRequest", "Traffic must sum to 0 or 100")
        properties = _endpoint_properties(cloud, request.path_params["endpoint"], asked["properties"])
        top = {key: asked[key] for key in ("identity", "location", "tags") if key in asked}
        return _under_way(cloud, cloud.resources.put(path, properties, **top), _succeeded(), known=known)

    def delete(request: Request) -> Response:
        cloud.resources.get(request.url.path)
        cloud.resources.delete(request.url.path)
        return _gone(cloud)

    return [
        Route(f"{WS}/onlineEndpoints", answering(listed)),
        Route(ENDPOINT, answering(get)),
        Route(ENDPOINT, answering(put), methods=["PUT"]),
        Route(ENDPOINT, answering(delete), methods=["DELETE"]),
    ]


def _side_routes(cloud: Cloud) -> list[Route]:
    """Return keys, tokens and operations."""

    def keys(request: Request) -> Mapping[str, Any]:
        cloud.resources.get(request.url.path.removesuffix("/listKeys"))
        return {"primaryKey": KEY, "secondaryKey": f"{KEY}-2"}

    def token(request: Request) -> Mapping[str, Any]:
        cloud.resources.get(request.url.path.removesuffix("/token"))
        return {"accessToken": TOKEN, "expiryTimeUtc": 2**31, "refreshAfterTimeUtc": 2**31, "tokenType": "Bearer"}

    def operation(request: Request) -> Response:
        body = endpoints_of(cloud).look(request.path_params["number"])
        return JSONResponse(body, headers={"Retry-After": "1"})

    return [
        Route(f"{ENDPOINT}/listKeys", answering(keys), methods=["POST"]),
        Route(f"{ENDPOINT}/token", answering(token), methods=["POST"]),
        Route("/operations/{number}", answering(operation)),
    ]


def _deployment_routes(cloud: Cloud) -> list[Route]:
    def listed(request: Request) -> Mapping[str, Any]:
        cloud.resources.get(request.url.path.removesuffix("/deployments"))
        return {"value": cloud.resources.below(request.url.path)}

    def get(request: Request) -> Mapping[str, Any]:
        return cloud.resources.get(request.url.path)

    def put(request: Request) -> Response:
        asked, path = json_of(request), request.url.path
        cloud.resources.get(re.sub(r"/deployments/[^/]+$", "", path))
        known = cloud.resources.has(path)
        failing = endpoints_of(cloud).failing.get(request.path_params["deployment"])
        properties = _deployment_properties(asked["properties"])
        if failing:
            properties[STATE] = "Failed"
        top = {key: asked[key] for key in ("sku", "location", "tags") if key in asked}
        body = cloud.resources.put(path, properties, **top)
        return _under_way(cloud, body, _failed(*failing) if failing else _succeeded(), known=known)

    def delete(request: Request) -> Response:
        path = request.url.path
        cloud.resources.get(path)
        traffic = cloud.resources.get(path.rsplit("/", 2)[0])["properties"].get("traffic") or {}
        if traffic.get(request.path_params["deployment"].lower()):
            raise ArmError(400, "BadRequest", "Cannot delete a deployment that has traffic")
        cloud.resources.delete(path)
        return _gone(cloud)

    def logs(request: Request) -> Mapping[str, Any]:
        cloud.resources.get(request.url.path.removesuffix("/getLogs"))
        text = endpoints_of(cloud).logs.get(json_of(request).get("containerType") or "InferenceServer", "")
        return {"content": "\n".join(text.splitlines()[-json_of(request)["tail"] :])}

    return [
        Route(f"{ENDPOINT}/deployments", answering(listed)),
        Route(DEPLOYMENT, answering(get)),
        Route(DEPLOYMENT, answering(put), methods=["PUT"]),
        Route(DEPLOYMENT, answering(delete), methods=["DELETE"]),
        Route(f"{DEPLOYMENT}/getLogs", answering(logs), methods=["POST"]),
    ]


def _scoring_routes(cloud: Cloud) -> list[Route]:
    def endpoint(name: str) -> Body:
        found = [b for b in cloud.resources if b["id"].lower().endswith(f"/onlineendpoints/{name.lower()}")]
        if not found:
            raise ArmError(404, "NotFound", "no such endpoint")
        return found[0]

    def allowed(request: Request, properties: Body) -> bool:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        mode = str(properties["authMode"]).lower()
        return given == {"key": KEY, "amltoken": TOKEN}.get(mode, given) and bool(given)

    def chosen(request: Request, properties: Body) -> str:
        named = request.headers.get("azureml-model-deployment")
        traffic: dict[str, int] = properties["traffic"]
        if named is None and not any(traffic.values()):
            raise ArmError(404, "NotFound", "no deployment has traffic")
        return named or max(traffic, key=lambda name: traffic[name])

    def score(request: Request) -> Response:
        body = endpoint(request.path_params["endpoint"])
        if not allowed(request, body["properties"]):
            return Response("key_auth_bad_header_forbidden", status_code=401)
        name = chosen(request, body["properties"])
        cloud.resources.get(f"{body['id']}/deployments/{name}")
        behaviour = endpoints_of(cloud)
        rows = _rows(json_of(request), behaviour.answers.get(name, behaviour.answer), behaviour.style)
        return JSONResponse(rows, headers={"azureml-model-deployment": name})

    return [Route("/endpoints/{endpoint}/score", answering(score), methods=["POST"])]


def _rows(asked: Body, answer: Answer, style: str) -> Sequence[Body]:
    """Return the answer's list: one object a picture, as AutoML's own model or our runtime words it."""
    found: list[Body] = []
    for text in asked["input_data"]["data"]:
        said = answer(base64.b64decode(text))
        if isinstance(said, Mapping):
            found.append({"probs": list(said.values()), "labels": list(said)})
        elif said is not None:
            found.append({"boxes": list(said)})
        elif style == "edge":
            found.append({"error": {"kind": "ImageDecodeError", "detail": "the picture is damaged"}})
    return found
