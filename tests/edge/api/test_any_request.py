"""Whatever is sent, it is a picture or a problem, never a fault of ours."""

import json
from collections.abc import Callable
from typing import Any

from fastapi import Request
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from edge.api.azure import parse_score
from edge.api.contents import pictures_of
from edge.errors import InputError
from edge.results import Failure

KEYS = (
    st.sampled_from(["images", "image", "input_data", "columns", "data", "image_base64", "model_explainability"])
    | st.sampled_from(["xai_parameters", "xai_algorithm", "n_steps", "visualizations", "attributions"])
    | st.text()
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.just("eA==")
    | st.just('{"image_base64": 1}')
    | st.just('{"image_base64": "eA==", "model_explainability": true, "xai_parameters": {"n_steps": "2"}}'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
)
TYPES = st.sampled_from(
    [
        "image/png",
        "application/json",
        "text/plain",
        "multipart/form-data",
        "multipart/form-data; boundary=b",
        "",
        ";;",
        "a/b/c",
    ]
)
FORM = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\nx\r\n--b--\r\n'


def request(kind: str) -> Request:
    return Request({"type": "http", "method": "POST", "path": "/", "headers": [(b"content-type", kind.encode())]})


def understood(parse: Callable[[], Any]) -> None:
    """Parse; what is refused must be refused as the caller's fault."""
    try:
        pictures = parse()
    except (InputError, HTTPException):
        return
    assert all(isinstance(picture.data, bytes | Failure) for picture in pictures)


def ask_predict(kind: str, body: bytes) -> None:
    understood(lambda: pictures_of(request(kind), body, max_images=3))


def ask_score(kind: str, body: bytes) -> None:
    understood(lambda: parse_score(request(kind), body).pictures)


@given(VALUES)
@settings(deadline=None, max_examples=100)
def test_any_json_is_understood_or_refused(value: Any) -> None:
    """On both routes, with every key that they know in every wrong place."""
    body = json.dumps(value).encode()
    ask_predict("application/json", body)
    ask_score("application/json", body)


@given(TYPES, st.binary(max_size=200) | st.integers(0, len(FORM)).map(lambda end: FORM[:end]))
@settings(deadline=None, max_examples=100)
def test_any_bytes_of_any_type_are_understood_or_refused(kind: str, body: bytes) -> None:
    """Forms cut off anywhere among them."""
    ask_predict(kind, body)
    ask_score(kind, body)
