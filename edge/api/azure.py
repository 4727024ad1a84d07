"""``/score``: the request and answer of an Azure ML online endpoint for an AutoML image classification model.

Azure answers ``input_data`` requests with one object a picture and skips undecodable pictures, so that positions shift;
here such a picture has an ``error`` in its own place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from edge.api import schemas
from edge.api.body import Intake
from edge.api.contents import Picture, check_count, decoded, parse_json, raw_picture, shape_of
from edge.api.errors import error_of
from edge.api.inference import Answer, Submit, failure_in, infer
from edge.api.limits import Limits
from edge.api.openapi import SCORE_BODY, problems
from edge.api.reasons import Explainer, Reasons, infer_with_reasons
from edge.api.routing import RawRoute, json_response
from edge.api.xai import XaiRequest, xai_request
from edge.errors import RequestError
from edge.results import Classification, Failure, Result, prediction_json

IMAGE_COLUMN = "image"


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """What was asked: pictures, and whether one object answers (the v1 style) or a list does (the MLflow style).

    ``xai`` tells which explanations are wanted of all of them; None wants none.
    """

    pictures: Sequence[Picture]
    single: bool
    xai: XaiRequest | None = None


def score_routes(*, submit: Submit, intake: Intake, limits: Limits, explainer: Explainer | None) -> APIRouter:
    """Return the routes that stand in for an Azure online endpoint."""
    router = APIRouter(route_class=RawRoute, tags=["pictures"])

    @router.post(
        "/score",
        response_model=list[schemas.ScoreRow] | schemas.ScoreSingle,
        responses=problems(400, 408, 413, 415, 500, 503),
        openapi_extra={"requestBody": SCORE_BODY},
        summary="Score pictures as an Azure online endpoint does",
    )
    async def score(request: Request) -> Response:
        """Take `input_data` with base64 pictures (answer: a list), one raw or as `{"image": …}` (answer: one object).

        A picture that cannot be decoded has an `error` in its own place of the list. With `model_explainability` the
        answers have `visualizations` and `attributions` as `xai_parameters` ask for them, by occlusion or RISE; those
        of the first picture count for all.
        """
        async with intake.body(request) as body:
            asked = parse_score(request, body)
            check_count(asked.pictures, max_images=limits.max_images)
            answers, reasons = await answered(request, asked)
        if asked.single:
            return json_response(_single(answers[0], reasons[0]))
        return json_response([{**_row(answer), **why} for answer, why in zip(answers, reasons, strict=True)])

    async def answered(request: Request, asked: ScoreRequest) -> tuple[list[Answer], list[Reasons]]:
        if asked.xai is None or asked.xai.wants_nothing:
            answers = await infer(request, asked.pictures, submit=submit, deadline_s=limits.deadline_s)
            return answers, [{} for _ in answers]
        if explainer is None:
            raise RequestError("model_explainability is not available here; ask again without it")
        return await infer_with_reasons(
            request, asked.pictures, asked.xai, submit=submit, explainer=explainer, deadline_s=limits.deadline_s
        )

    @router.get(
        "/score", response_class=PlainTextResponse, summary="Tell that the route is there, as Azure's v1 scorer does"
    )
    async def score_is_there(request: Request) -> Response:
        """Answer 200 with the path."""
        query = request.url.query
        return PlainTextResponse(f"{request.url.path}?{query}" if query else request.url.path)

    return router


def parse_score(request: Request, body: bytes) -> ScoreRequest:
    """Return what a ``/score`` body asks. Raises RequestError, HTTPException 415."""
    shape = shape_of(request.scope, body)
    if shape == "raw":
        return ScoreRequest([raw_picture(body)], single=True)
    if shape == "multipart":
        raise RequestError("/score takes a picture's bytes or JSON; multipart forms go to /v1/predict")
    value = parse_json(body)
    if "input_data" in value:
        rows = [(place, _parsed(item, place=place)) for place, item in _items(value["input_data"])]
        pictures = [_picture(row, place=place) for place, row in rows]
        return ScoreRequest(pictures, single=False, xai=_xai_of(rows))
    if IMAGE_COLUMN in value:
        picture = Picture(decoded(value[IMAGE_COLUMN], place=IMAGE_COLUMN))
        return ScoreRequest([picture], single=True, xai=xai_request(value))
    raise RequestError('the JSON must have "input_data" (or "image" with one base64 picture)')


def _items(input_data: object) -> list[tuple[str, object]]:
    """Return the pictures of ``input_data`` with the place that each stands at: a plain list, or pandas' split form."""
    if isinstance(input_data, list):
        return [(f"input_data[{i}]", item) for i, item in enumerate(input_data)]
    if not isinstance(input_data, dict) or not isinstance(input_data.get("data"), list):
        raise RequestError('"input_data" must be {"columns": ["image"], "data": ["<base64>", …]} or ["<base64>", …]')
    columns = input_data.get("columns", [IMAGE_COLUMN])
    if columns != [IMAGE_COLUMN]:
        raise RequestError(f'"input_data.columns" must be ["image"], not {orjson.dumps(columns).decode()[:200]}')
    return [(f"input_data.data[{i}]", _only(row)) for i, row in enumerate(input_data["data"])]


def _only(row: object) -> object:
    """Return the one cell of a row that was written as a list."""
    return row[0] if isinstance(row, list) and len(row) == 1 else row


def _parsed(item: object, *, place: str) -> object:
    """Return one row: base64, or the object that a JSON text stands for. Raises RequestError."""
    if not isinstance(item, str) or not item.lstrip().startswith("{"):
        return item
    try:
        return orjson.loads(item)
    except orjson.JSONDecodeError as error:
        raise RequestError(f"{place} opens like JSON but is none: {error}") from error


def _picture(row: object, *, place: str) -> Picture:
    if isinstance(row, dict):
        return Picture(decoded(row.get("image_base64"), place=f"{place}.image_base64"))
    return Picture(decoded(row, place=place))


def _xai_of(rows: Sequence[tuple[str, object]]) -> XaiRequest | None:
    """Return what the first row asks of explanations: it counts for all of them. Raises RequestError."""
    place, first = rows[0] if rows else ("", None)
    return xai_request(first, place=f"{place}.") if isinstance(first, dict) else None


def _row(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, Failure):
        return prediction_json(answer)
    prediction = answer.outcome.prediction
    if isinstance(prediction, Classification):
        return {"probs": list(prediction.probs), "labels": list(prediction.labels)}
    return prediction_json(prediction)


def _single(answer: Answer, reasons: Reasons) -> dict[str, Any]:
    """Return the v1 style's one object. Raises what made the picture fail."""
    failure = failure_in(answer)
    if failure is not None or not isinstance(answer, Result):
        raise error_of(failure or Failure("InferenceError", "no answer"))
    return {"filename": answer.id, **_row(answer), "visualizations": None, "attributions": None, **reasons}
