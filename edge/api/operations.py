"""What people and programs ask of the running daemon: probes, status, models, metrics."""

import asyncio
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from edge.api import schemas
from edge.api.body import Intake
from edge.api.contents import parse_json
from edge.api.errors import without_folders
from edge.api.openapi import ACTIVATION_BODY, METRICS_CONTENT, problems
from edge.api.routing import json_response
from edge.errors import RequestError
from edge.ports import Control
from edge.results import model_json

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ModelName = Annotated[str, Path(description="the model's name", examples=["metal-surface-defects"])]


def probe_routes(*, control: Control) -> APIRouter:
    """Return the routes that an orchestrator asks. They need no token."""
    router = APIRouter(tags=["operation"])

    @router.get("/livez", response_model=schemas.Live, summary="Is the process alive?")
    async def livez() -> Response:
        """Answer 200 as long as the process answers at all."""
        return json_response({"status": "live"})

    @router.get(
        "/readyz",
        response_model=schemas.Ready,
        responses={503: {"model": schemas.Ready, "description": "Not ready; `problems` tells why"}},
        summary="Is a proven model ready to answer?",
    )
    def readyz() -> Response:
        """Answer 200 when pictures can be answered, else 503 with the reasons."""
        problems = [without_folders(text) for text in control.problems()]
        status = "not ready" if problems else "ready"
        return json_response({"status": status, "problems": problems}, status=503 if problems else 200)

    return router


def operation_routes(*, control: Control, metrics: Callable[[], bytes], intake: Intake) -> APIRouter:
    """Return the routes that show and change what runs.

    Control may block, so that it is asked in threads; changes wait for each other without one, or many of them would
    leave none for the probes.
    """
    router = APIRouter(tags=["operation"])
    changing = asyncio.Lock()

    @router.get("/v1/status", response_model=schemas.Status, summary="Device, provider, model, queue, sources, broker")
    def status() -> Response:
        """Return what runs, and how it fares."""
        return json_response(dict(control.status()))

    @router.get("/v1/models", response_model=schemas.Models, responses=problems(503), summary="Every known version")
    def models() -> Response:
        """Return each version with its state; a refused one tells why."""
        return json_response({"models": [dict(model) for model in control.models()]})

    @router.post(
        "/v1/models/{name}/activate",
        response_model=schemas.Activated,
        responses=problems(400, 404, 408, 413, 422, 503),
        openapi_extra={"requestBody": ACTIVATION_BODY},
        summary="Prove, warm and swap in a version",
    )
    async def activate(name: ModelName, request: Request) -> Response:
        """Go over to a version and stay with it; without one, follow the newest again.

        The present model answers until the new one is proven and warm.
        """
        async with intake.body(request) as body:
            version = wanted_version(body)
        async with changing:
            model = await run_in_threadpool(control.activate, name, version)
        return json_response({"model": model_json(model)})

    @router.post(
        "/v1/models/{name}/rollback",
        response_model=schemas.Activated,
        responses=problems(404, 422, 503),
        summary="Go back to the previous version",
    )
    async def rollback(name: ModelName) -> Response:
        """Go back; the version that is left is not taken again by itself."""
        async with changing:
            model = await run_in_threadpool(control.rollback, name)
        return json_response({"model": model_json(model)})

    @router.get("/metrics", response_class=Response, responses={200: METRICS_CONTENT}, summary="Metrics for Prometheus")
    def show_metrics() -> Response:
        """Return all metrics in Prometheus' text format."""
        return Response(metrics(), headers={"Content-Type": METRICS_TYPE})

    return router


def wanted_version(body: bytes) -> str | None:
    """Return the version that a body asks for, whatever content type it came with; None follows the newest.

    Raises RequestError for another form.
    """
    if not body:
        return None
    value = parse_json(body)
    unknown = sorted(set(value) - {"version"})
    version = value.get("version")
    if unknown or not isinstance(version, str | None):
        wrong = f"{unknown[0][:100]!r} is no key" if unknown else "version must be a text"
        raise RequestError(f'{wrong}: the JSON must be {{"version": "2"}}, or left out to follow the newest')
    return version
