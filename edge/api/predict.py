"""``POST /v1/predict``: our own contract for pictures in, predictions out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from edge.api import schemas
from edge.api.body import Intake
from edge.api.contents import pictures_of
from edge.api.errors import error_of
from edge.api.inference import Answer, Submit, failure_in, infer
from edge.api.limits import Limits
from edge.api.openapi import PICTURE_BODY, problems
from edge.api.routing import RawEndpoint, RawRoute, json_response
from edge.errors import ModelNotReadyError
from edge.ports import Control
from edge.results import Failure, ModelRef, Result, Timing, model_json, prediction_json, timing_json

PREDICT = "/v1/predict"


def predict_routes(endpoint: RawEndpoint) -> APIRouter:
    """Return the route that answers pictures, as the OpenAPI document shows it."""
    router = APIRouter(route_class=RawRoute, tags=["pictures"])
    router.post(
        PREDICT,
        response_model=schemas.PredictAnswer,
        responses=problems(400, 408, 413, 415, 500, 503),
        openapi_extra={"requestBody": PICTURE_BODY},
        summary="Predict one or several pictures",
    )(endpoint)
    return router


def predict_endpoint(*, submit: Submit, control: Control, intake: Intake, limits: Limits) -> RawEndpoint:
    """Return what answers pictures; ``control`` names the model where no picture reached it."""

    async def predict(request: Request) -> Response:
        """Take a picture's bytes, a multipart form with the repeatable field `image`, or JSON with base64.

        One bad picture in a request of one is a problem with status 400 (413 where it is too large); in a request of
        several it has an `error` in its own place and the status is 200.
        """
        async with intake.body(request) as body:
            pictures = pictures_of(request, body, max_images=limits.max_images)
            answers = await infer(request, pictures, submit=submit, deadline_s=limits.deadline_s)
        return json_response(answer_json(answers, serving=control.status))

    return predict


def answer_json(answers: Sequence[Answer], *, serving: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """Return the answer to one request.

    ``model`` and ``provider`` are those of the last picture; a prediction that another model made (a swap came between)
    carries its own ``model``. ``timing_ms`` is that of the slowest picture. Where none of several was a picture, model
    and provider are those that ``serving`` tells. Raises what made a lone picture fail.
    """
    if len(answers) == 1 and (failure := failure_in(answers[0])) is not None:
        raise error_of(failure)
    results = [answer for answer in answers if isinstance(answer, Result)]
    if not results:
        return _all_bad([answer for answer in answers if isinstance(answer, Failure)], serving())
    last = results[-1].outcome
    slowest = max((result.outcome.timing for result in results), key=lambda timing: timing.total_ms)
    return {
        "model": model_json(last.model),
        "provider": last.provider,
        "predictions": [_prediction(answer, last.model) for answer in answers],
        "timing_ms": timing_json(slowest),
    }


def _all_bad(failures: Sequence[Failure], status: Mapping[str, Any]) -> dict[str, Any]:
    model = status["model"]
    if model is None:
        raise ModelNotReadyError("no model is running yet; see /readyz for the reason")
    return {
        "model": {key: model[key] for key in ("name", "version", "proven")},
        "provider": status["provider"],
        "predictions": [prediction_json(failure) for failure in failures],
        "timing_ms": timing_json(Timing()),
    }


def _prediction(answer: Answer, model: ModelRef) -> Mapping[str, Any]:
    if isinstance(answer, Failure):
        return prediction_json(answer)
    body = prediction_json(answer.outcome.prediction)
    if answer.outcome.model != model:
        body["model"] = model_json(answer.outcome.model)
    return body
