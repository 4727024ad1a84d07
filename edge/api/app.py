"""Puts the HTTP face together: routes over ports, errors, limits, the token. Knows no configuration."""

from collections.abc import Callable

from fastapi_offline import FastAPIOffline
from starlette.types import ASGIApp

from edge.api import errors, openapi
from edge.api.access import Access, Guard
from edge.api.azure import score_routes
from edge.api.body import Intake
from edge.api.direct import Direct
from edge.api.drain import Drain
from edge.api.feed import Feed
from edge.api.inference import Submit
from edge.api.limits import Limits
from edge.api.observed import Observed, ObserveRequest
from edge.api.operations import operation_routes, probe_routes
from edge.api.page import page_routes
from edge.api.predict import PREDICT, predict_endpoint, predict_routes
from edge.api.reasons import Explainer
from edge.api.results import result_routes
from edge.ports import Control

API_VERSION = "1"
DESCRIPTION = """Pictures in, predictions out. Errors are `application/problem+json` (RFC 9457)."""


def create_app(  # noqa: PLR0913 - each is a part of the application
    *,
    submit: Submit,
    control: Control,
    feed: Feed,
    metrics: Callable[[], bytes],
    limits: Limits = Limits(),
    access: Access = Access(),
    device: str = "",
    observe: ObserveRequest | None = None,
    explainer: Explainer | None = None,
) -> ASGIApp:
    """Return the application.

    ``submit`` takes pictures, ``control`` answers for the daemon, ``feed`` holds the results to show, ``metrics``
    renders Prometheus' text. ``access`` tells who may ask for what. ``device`` names this device on the page and in the
    document. ``observe`` sees each request. Without an ``explainer`` no answer is explained.
    """
    app = FastAPIOffline(
        docs_url="/docs",
        redoc_url=None,
        static_url="/docs-assets",
        swagger_ui_parameters={"tryItOutEnabled": True},
        title=f"automl-edge on {device}" if device else "automl-edge",
        version=API_VERSION,
        description=DESCRIPTION,
    )
    intake = Intake(limits)
    predict = predict_endpoint(submit=submit, control=control, intake=intake, limits=limits)
    app.include_router(predict_routes(predict))
    app.include_router(score_routes(submit=submit, intake=intake, limits=limits, explainer=explainer))
    app.include_router(probe_routes(control=control))
    app.include_router(operation_routes(control=control, metrics=metrics, intake=intake))
    app.include_router(result_routes(feed=feed))
    app.include_router(page_routes(device=device))
    errors.install(app)
    openapi.describe(app, token=access.tokens is not None)
    return _layered(Direct(app, path=PREDICT, endpoint=predict), access=access, observe=observe)


def _layered(app: ASGIApp, *, access: Access, observe: ObserveRequest | None) -> ASGIApp:
    """Put the layers around the framework, not into it, so that they see its answers to unexpected errors too."""
    drained = Drain(Guard(app, access))
    return drained if observe is None else Observed(drained, observe=observe)
