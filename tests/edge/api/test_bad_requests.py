"""A table of bad requests: each answered with a problem that names the thing, none with a traceback."""

import base64
from typing import Any

import pytest

from edge.api.limits import Limits
from tests.edge.api.conftest import Ask

JSON = {"content-type": "application/json"}
LIMITS = Limits(max_body_bytes=20_000, max_images=3)
GOOD = base64.b64encode(b"good").decode()
PREDICT = ("POST", "/v1/predict")
SCORE = ("POST", "/score")

TABLE: list[tuple[str, tuple[str, str], dict[str, Any], int, str]] = [
    ("not a picture", PREDICT, {"content": b"bad"}, 400, "not a picture"),
    ("zero bytes", PREDICT, {"content": b""}, 400, "the body is empty"),
    ("zero bytes in a form", PREDICT, {"files": [("image", ("a.jpg", b""))]}, 400, "not a picture"),
    ("wrong content type", PREDICT, {"content": b"x", "headers": {"content-type": "text/html"}}, 415, "text/html"),
    ("video", PREDICT, {"content": b"x", "headers": {"content-type": "video/mp4"}}, 415, "video/mp4"),
    ("bad JSON", PREDICT, {"content": b"{", "headers": JSON}, 400, "no JSON"),
    ("JSON that is a list", PREDICT, {"json": [GOOD]}, 400, "JSON object"),
    ("JSON without images", PREDICT, {"json": {"image": GOOD}}, 400, '{"images"'),
    ("images that is no list", PREDICT, {"json": {"images": GOOD}}, 400, '{"images"'),
    ("bad base64", PREDICT, {"json": {"images": ["!!"]}}, 400, "images[0] is no base64"),
    ("base64 beyond ASCII", PREDICT, {"json": {"images": ["ä"]}}, 400, "images[0] is no base64"),
    ("data URL", PREDICT, {"json": {"images": ["data:image/png;base64," + GOOD]}}, 400, "data: URL"),
    ("empty batch", PREDICT, {"json": {"images": []}}, 400, "no picture"),
    ("too many pictures", PREDICT, {"json": {"images": [GOOD] * 4}}, 400, "3 are allowed"),
    ("too many files", PREDICT, {"files": [("image", ("a", b"x"))] * 4}, 400, "3 are allowed"),
    ("form without the field", PREDICT, {"files": [("file", ("a.jpg", b"x"))]}, 400, "'image'; its fields: 'file'"),
    ("form with too many parts", PREDICT, {"files": [("note", ("a", b"x"))] * 104}, 400, "more than 103 parts"),
    (
        "form without boundary",
        PREDICT,
        {"content": b"x", "headers": {"content-type": "multipart/form-data"}},
        400,
        "boundary",
    ),
    (
        "form that breaks off",
        PREDICT,
        {"content": b"--b\r\nContent-Dis", "headers": {"content-type": "multipart/form-data; boundary=b"}},
        400,
        "closing boundary is missing",
    ),
    (
        "form that is none",
        PREDICT,
        {"content": b"no form", "headers": {"content-type": "multipart/form-data; boundary=b"}},
        400,
        "cannot be read",
    ),
    ("body too large", PREDICT, {"content": b"x" * 20_001}, 413, "20000 bytes, this one has 20001"),
    ("score: not a picture", SCORE, {"content": b"bad"}, 400, "not a picture"),
    ("score: zero bytes", SCORE, {"content": b""}, 400, "the body is empty"),
    ("score: no known key", SCORE, {"json": {"images": [GOOD]}}, 400, '"input_data"'),
    ("score: input_data of another form", SCORE, {"json": {"input_data": "x"}}, 400, '"input_data" must be'),
    (
        "score: another column",
        SCORE,
        {"json": {"input_data": {"columns": ["image", "prompt"], "data": [[GOOD, "x"]]}}},
        400,
        '["image","prompt"]',
    ),
    ("score: empty batch", SCORE, {"json": {"input_data": {"columns": ["image"], "data": []}}}, 400, "no picture"),
    ("score: too many", SCORE, {"json": {"input_data": [GOOD] * 4}}, 400, "3 are allowed"),
    ("score: bad base64 in the v1 style", SCORE, {"json": {"image": "!"}}, 400, "image is no base64"),
    (
        "score: broken inner JSON",
        SCORE,
        {"json": {"input_data": ['{"image_base64"']}},
        400,
        "input_data[0] opens like JSON",
    ),
    ("score: a form", SCORE, {"files": [("image", ("a", b"x"))]}, 400, "/v1/predict"),
    ("score: wrong content type", SCORE, {"content": b"x", "headers": {"content-type": "text/csv"}}, 415, "text/csv"),
    ("unknown model", ("POST", "/v1/models/wood/activate"), {"json": {"version": "1"}}, 404, "wood:1"),
    ("unknown version", ("POST", "/v1/models/metal/activate"), {"json": {"version": "9"}}, 404, "metal:9"),
    ("unknown model to roll back", ("POST", "/v1/models/wood/rollback"), {}, 404, "wood"),
    ("misspelt key", ("POST", "/v1/models/metal/activate"), {"json": {"versoin": "1"}}, 400, "'versoin' is no key"),
    ("version that is a number", ("POST", "/v1/models/metal/activate"), {"json": {"version": 1}}, 400, "a text"),
    (
        "huge activation",
        ("POST", "/v1/models/metal/activate"),
        {"content": b" " * 20_001},
        413,
        "raise http.max_body_mb",
    ),
    (
        "activation that is no JSON",
        ("POST", "/v1/models/metal/activate"),
        {"content": b"{", "headers": JSON},
        400,
        "JSON",
    ),
    ("unknown route", ("GET", "/v1/nothing"), {}, 404, "/v1/nothing"),
    ("wrong method", ("GET", "/v1/predict"), {}, 405, "does not take GET"),
    ("limit that is no number", ("GET", "/v1/results?limit=all"), {}, 422, "limit"),
    ("limit too high", ("GET", "/v1/results?limit=1000"), {}, 422, "less than or equal to 10"),
]


@pytest.mark.parametrize(
    ("where", "request_", "status", "says"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_a_bad_request_is_answered_with_a_problem(
    ask: Ask, where: tuple[str, str], request_: dict[str, Any], status: int, says: str
) -> None:
    """Status, media type, the thing's name; nothing of the machine."""
    answer = ask(*where, parts={"limits": LIMITS}, **request_)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail"}
    assert problem["status"] == status
    assert says in problem["detail"]
    assert "/var/lib" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/predict", "POST"),
        ("/score", "GET, POST"),
        ("/v1/models/metal/activate", "POST"),
        ("/livez", "GET"),
        ("/", "GET"),
    ],
)
def test_a_wrong_method_tells_which_are_right(ask: Ask, path: str, methods: str) -> None:
    """Allow comes with 405, as RFC 9110 (15.5.6) asks, with the methods of all routes of the path."""
    assert ask("DELETE", path).headers["allow"] == methods
