"""What the OpenAPI document says beyond the routes' models: request bodies, problems, who may ask."""

import base64
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from edge.api import schemas
from edge.api.errors import PROBLEM_MEDIA_TYPE
from edge.api.scopes import SAFE_METHODS, is_open, scope_of
from edge.tokens import SCOPES

Json = dict[str, Any]

_PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00\x90wS\xde\x00\x00\x00\x0cIDATx\x9cc"
    b"hhh\x00\x00\x03\x04\x01\x81K\xd3\xd2\x10\x00\x00\x00\x00IEND\xaeB`\x82"
)
EXAMPLE = base64.b64encode(_PNG).decode()
"""A grey picture of one pixel, so that the examples of /docs can be tried as they stand."""

_BINARY: Json = {"schema": {"type": "string", "format": "binary"}}
_RAW: Json = {"application/octet-stream": _BINARY, "image/*": _BINARY}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


PICTURE_BODY: Json = {
    "required": True,
    "description": "The bytes of one picture, or a form or JSON with several.",
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["image"],
                "properties": {
                    "image": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}
                },
            }
        },
        **_RAW,
        "application/json": {"schema": _ref("PredictRequest"), "example": {"images": [EXAMPLE]}},
    },
}

SCORE_BODY: Json = {
    "required": True,
    "description": "What an Azure online endpoint for AutoML image classification takes.",
    "content": {
        "application/json": {
            "schema": {"anyOf": [_ref("ScoreRows"), _ref("ScoreOne")]},
            "examples": {
                "mlflow": {
                    "summary": "MLflow deployment",
                    "value": {"input_data": {"columns": ["image"], "data": [EXAMPLE]}},
                },
                "list": {"summary": "Plain list", "value": {"input_data": [EXAMPLE]}},
                "v1": {"summary": "v1 style, one picture", "value": {"image": EXAMPLE}},
                "explained": {
                    "summary": "With the reasons",
                    "value": {"image": EXAMPLE, "model_explainability": True, "xai_parameters": {"n_steps": 50}},
                },
            },
        },
        **_RAW,
    },
}

ACTIVATION_BODY: Json = {
    "description": "Which version; without one, or with null, the newest is followed again.",
    "content": {"application/json": {"schema": _ref("Activation")}},
}

STREAM_CONTENT: Json = {
    "text/event-stream": {
        "schema": {"type": "string"},
        "example": 'id: 01K…\nevent: result\ndata: {"schema": …}\n\nevent: dropped\ndata: {"count":3}\n\n',
    }
}

METRICS_CONTENT: Json = {"description": "Metrics", "content": {"text/plain": {"schema": {"type": "string"}}}}


def problems(*statuses: int) -> dict[int | str, Json]:
    """Return the ``responses`` of a route that may answer with these statuses."""
    return {status: _problem(status) for status in statuses}


def _problem(status: int) -> Json:
    return {"description": HTTPStatus(status).phrase, "content": {PROBLEM_MEDIA_TYPE: {"schema": _ref("Problem")}}}


def describe(app: FastAPI, *, token: bool) -> None:
    """Make ``app`` describe itself wholly; ``token`` tells whether its routes want one."""

    def document() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, token=token)
        return app.openapi_schema

    setattr(app, "openapi", document)  # noqa: B010 - mypy forbids assigning a method, which is what FastAPI asks for


def _document(app: FastAPI, *, token: bool) -> Json:
    document: Json = get_openapi(
        title=app.title, version=app.version, summary=app.summary, description=app.description, routes=app.routes
    )
    components: Json = document.setdefault("components", {})
    known: Json = components.setdefault("schemas", {})
    for model in (schemas.Problem, schemas.PredictRequest, schemas.ScoreRows, schemas.ScoreOne, schemas.Activation):
        schema = schemas.schema_of(model)
        known.update(schema.pop("$defs", {}))
        known[model.__name__] = schema
    if token:
        scopes = "; ".join(f"`{scope}`: {means}" for scope, means in SCOPES.items())
        components["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer", "description": f"A token has scopes. {scopes}."}
        }
    for path, item in document["paths"].items():
        for method, operation in item.items():
            _tell_who_may(operation, method.upper(), path, token=token)
    return document


def _tell_who_may(operation: Json, method: str, path: str, *, token: bool) -> None:
    """Describe what the guard before all routes may answer, and the scope that a token needs (OpenAPI 3.1, 4.8.30)."""
    refusals = {421} | (set() if method in SAFE_METHODS else {403})
    if not is_open(path):
        refusals |= {429} | ({401, 403} if token else set())
        if token:
            operation["security"] = [{"token": [scope_of(method, path)]}]
    operation["responses"] |= {str(status): _problem(status) for status in sorted(refusals)}
