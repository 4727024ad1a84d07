"""Which pictures a request carries, whatever way they came: raw bytes, multipart or JSON with base64."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import Scope

from edge.api.body import header
from edge.api.forms import form_images
from edge.errors import RequestError
from edge.results import Failure

URL = re.compile(r"\s*(?:https?|ftp|file|s3|gs|azureml|abfss?|wasbs?)://", re.IGNORECASE)
JSON_TYPE = "application/json"
MULTIPART_TYPE = "multipart/form-data"
SHAPELESS_TYPES = frozenset(
    {"", "application/octet-stream", "application/x-www-form-urlencoded", "binary/octet-stream"}
)
"""Types that tell nothing: what clients send when they were told none (curl: ``application/x-www-form-urlencoded``)."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a request: an encoded file's bytes, or why there are none. ``name`` is the sender's name of it."""

    data: bytes | Failure
    name: str | None = None


def media_type(scope: Scope) -> str:
    """Return the request's media type in lower case without parameters; empty where none was given."""
    return (header(scope, b"content-type") or b"").partition(b";")[0].strip().lower().decode("latin-1")


def shape_of(scope: Scope, body: bytes) -> str:
    """Return ``raw``, ``json`` or ``multipart``. Raises HTTPException 415 for a type that carries no picture.

    A body of a type that tells nothing counts as JSON when it opens with a brace: no picture format does.
    """
    kind = media_type(scope)
    if kind in SHAPELESS_TYPES:
        return "json" if body[:64].lstrip().startswith(b"{") else "raw"
    if kind.startswith("image/"):
        return "raw"
    if kind == JSON_TYPE or kind.endswith("+json"):
        return "json"
    if kind == MULTIPART_TYPE:
        return "multipart"
    raise HTTPException(
        415,
        f"the content type {kind} carries no picture; send image/*, application/octet-stream, {MULTIPART_TYPE} "
        f"or {JSON_TYPE}",
    )


def raw_picture(body: bytes) -> Picture:
    """Return the picture that a whole body is. Raises RequestError for an empty one."""
    if not body:
        raise RequestError("the body is empty; send the picture's bytes, as 'curl --data-binary @part.jpg' does")
    return Picture(body)


def parse_json(body: bytes) -> dict[str, Any]:
    """Return a body's JSON object. Raises RequestError."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(f"the body is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise RequestError("the body must be a JSON object")
    return value


def images_of(value: dict[str, Any]) -> list[Picture]:
    """Return the pictures of ``{"images": ["<base64>", …]}``. Raises RequestError for another form."""
    images = value.get("images")
    if not isinstance(images, list):
        raise RequestError('the JSON must be {"images": ["<base64>", …]}')
    return [Picture(decoded(item, place=f"images[{i}]")) for i, item in enumerate(images)]


def decoded(text: object, *, place: str) -> bytes | Failure:
    """Return the bytes of a base64 text (RFC 4648, 4), line breaks allowed; else a Failure that names ``place``."""
    if not isinstance(text, str):
        return Failure("RequestError", f"{place} must be a text of base64, not {type(text).__name__}")
    if URL.match(text):
        return Failure(
            "RequestError", f"{place} is a URL; pictures are sent, never fetched: send the base64 of its bytes"
        )
    if text.startswith("data:"):
        return Failure("RequestError", f"{place} is a data: URL; send only the base64 that follows its comma")
    try:
        return base64.b64decode("".join(text.split()) if "\n" in text or " " in text else text, validate=True)
    except (binascii.Error, ValueError) as error:
        return Failure("RequestError", f"{place} is no base64: {error}")


def check_count(pictures: Sequence[Picture], *, max_images: int) -> None:
    """Raise RequestError for no picture, or more than allowed."""
    if not pictures:
        raise RequestError("the request has no picture")
    if len(pictures) > max_images:
        raise RequestError(
            f"the request has {len(pictures)} pictures, {max_images} are allowed; send them in several requests"
        )


def pictures_of(request: Request, body: bytes, *, max_images: int) -> list[Picture]:
    """Return the pictures of a ``/v1/predict`` request. Raises RequestError, HTTPException 415."""
    shape = shape_of(request.scope, body)
    if shape == "raw":
        return [raw_picture(body)]
    if shape == "json":
        pictures = images_of(parse_json(body))
    else:
        parts = form_images(request.headers["content-type"], body, max_images=max_images)
        pictures = [Picture(part.data, part.file_name) for part in parts]
    check_count(pictures, max_images=max_images)
    return pictures
