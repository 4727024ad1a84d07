"""What each error means in HTTP, and its one spelling: ``application/problem+json`` (RFC 9457).

The only place that knows HTTP statuses of our errors. An answer never carries a traceback or a folder of this machine.
"""

import logging
import math
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from http import HTTPStatus

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from edge import errors
from edge.errors import EdgeError, InferenceError, InputError, ModelNotReadyError, OverloadedError
from edge.results import Failure

PROBLEM_MEDIA_TYPE = "application/problem+json"
PROBLEM_URN = "urn:automl-edge:error:"
CLIENT_CLOSED_REQUEST = 499  # nobody reads it; the metrics count it, as nginx does

STATUS: Mapping[type[EdgeError], int] = {
    EdgeError: 500,
    errors.ConfigError: 500,
    InputError: 400,
    errors.ImageDecodeError: 400,
    errors.ImageTooLargeError: 413,
    errors.RequestError: 400,
    errors.ModelError: 500,
    errors.ModelNotFoundError: 404,
    errors.ModelInvalidError: 422,
    errors.ModelUntrustedError: 422,
    errors.ModelUnsupportedError: 422,
    ModelNotReadyError: 503,
    InferenceError: 500,
    OverloadedError: 503,
    errors.DeadlineError: 503,
    errors.StoppingError: 503,
    errors.UnavailableError: 503,
    errors.DeviceError: 503,
    errors.SourceError: 503,
    errors.RegistryError: 503,
    errors.StoreError: 503,
    errors.PublishError: 503,
}

TITLE: Mapping[type[EdgeError], str] = {
    EdgeError: "Internal error",
    errors.ConfigError: "Wrong configuration",
    InputError: "Bad input",
    errors.ImageDecodeError: "Not a picture, or only part of one",
    errors.ImageTooLargeError: "Too large",
    errors.RequestError: "The request does not follow its contract",
    errors.ModelError: "Model error",
    errors.ModelNotFoundError: "No such model or version",
    errors.ModelInvalidError: "The model does not hold together",
    errors.ModelUntrustedError: "The model is signed by nobody who is trusted",
    errors.ModelUnsupportedError: "The model's task or family is not supported",
    ModelNotReadyError: "No model is ready",
    InferenceError: "Inference failed",
    OverloadedError: "Overloaded",
    errors.DeadlineError: "Too late",
    errors.StoppingError: "Stopping",
    errors.UnavailableError: "Unavailable",
    errors.DeviceError: "The device does not run the model",
    errors.SourceError: "A source is unavailable",
    errors.RegistryError: "The registry is unavailable",
    errors.StoreError: "The store is unavailable",
    errors.PublishError: "The receiver of results is unavailable",
}

RETRY_AFTER_S: Mapping[type[EdgeError], float] = {
    errors.DeadlineError: 1.0,
    ModelNotReadyError: 5.0,
    errors.StoppingError: 5.0,
}

logger = logging.getLogger(__name__)

_FOLDERS = re.compile(r"(?<![\w.:/])/(?:[^\s/:'\"]+/)+")


def status_of(error: EdgeError) -> int:
    """Return the HTTP status of an error."""
    return STATUS.get(type(error), 500)


def error_of(failure: Failure) -> EdgeError:
    """Return the error that a failed picture's ``kind`` names, so that it can be raised for a whole request."""
    kinds = {kind.__name__: kind for kind in STATUS}
    return kinds.get(failure.kind, InferenceError)(failure.detail)


def without_folders(text: str) -> str:
    """Return ``text`` with absolute paths cut to their last part: an answer tells which file, not where it lies."""
    return _FOLDERS.sub("", text)


def problem(
    status: int,
    detail: str,
    *,
    title: str | None = None,
    kind: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an ``application/problem+json`` answer; without ``kind`` its type is ``about:blank`` (RFC 9457, 4.2.1)."""
    body = {
        "type": f"{PROBLEM_URN}{kind}" if kind else "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return Response(orjson.dumps(body), status_code=status, media_type=PROBLEM_MEDIA_TYPE, headers=dict(headers or {}))


def problem_of(error: EdgeError) -> Response:
    """Return the answer that tells of ``error``."""
    detail = str(error) if isinstance(error, InputError) else without_folders(str(error))
    kind = type(error)
    return problem(
        status_of(error), detail, title=TITLE.get(kind), kind=kind.__name__, headers=dict(_retry_header(error))
    )


def _retry_header(error: EdgeError) -> Iterator[tuple[str, str]]:
    seconds = error.retry_after_s if isinstance(error, OverloadedError) else RETRY_AFTER_S.get(type(error))
    if seconds is not None:
        yield "Retry-After", str(max(1, math.ceil(seconds)))
    if isinstance(error, errors.StoppingError):
        yield "Connection", "close"  # so that no client sends its next request into a connection that is being closed


async def _edge_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, EdgeError):
        raise error
    if status_of(error) == HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("request failed", exc_info=error, extra={"method": request.method, "path": request.url.path})
    return problem_of(error)


async def _http_exception(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    headers = _allow(request) if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else None
    return problem(error.status_code, _http_detail(request, error), headers=headers or error.headers)


def _allow(request: Request) -> dict[str, str] | None:
    """Return all methods of the path, which several routes may share; the router names only those of the first."""
    template = getattr(request.scope.get("route"), "path", "")
    methods = request.app.openapi()["paths"].get(template)
    return {"Allow": ", ".join(sorted(method.upper() for method in methods))} if methods else None


def _http_detail(request: Request, error: HTTPException) -> str:
    path = request.url.path
    if error.status_code == HTTPStatus.NOT_FOUND:
        return f"there is no route {path}; /docs lists them all"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{path} does not take {request.method}; /docs tells what it takes"
    return error.detail


async def _validation_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    places = (f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
    return problem(422, "; ".join(places))


async def _client_gone(_: Request, __: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED_REQUEST)


async def _unexpected(_: Request, __: Exception) -> Response:
    """Answer a fault of ours. The server logs it with its traceback, since Starlette raises it again."""
    return problem(500, "the request met a fault of the server; its log tells more")


HANDLERS: Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    EdgeError: _edge_error,
    HTTPException: _http_exception,
    RequestValidationError: _validation_error,
    ClientDisconnect: _client_gone,
    Exception: _unexpected,
}
"""Who answers for which error; the first that fits."""


def install(app: FastAPI) -> None:
    """Make every error of ``app`` a problem+json answer."""
    for kind, handler in HANDLERS.items():
        app.add_exception_handler(kind, handler)


async def answer_of(request: Request, error: Exception) -> Response:
    """Return the answer to an error outside of the framework; one that nobody foresaw is logged with its traceback."""
    handler = next(handler for kind, handler in HANDLERS.items() if isinstance(error, kind))
    if handler is _unexpected:
        logger.error("request failed", exc_info=error, extra={"method": request.method, "path": request.url.path})
    return await handler(request, error)
