"""AutoML's contract of online endpoints: what is sent, what the answers mean, how long to wait."""

import base64
import json
from typing import Any

import pytest

from training.azure.scoring import AnswerError, Reply, parse_reply, pause_s, refusal, request_body


def reply(value: Any, status: int = 200, **headers: str) -> Reply:
    names = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, names, value if isinstance(value, str) else json.dumps(value))


def test_a_request_has_one_picture() -> None:
    """AutoML's MLflow form: the column `image`, a row of base64."""
    body = json.loads(request_body(b"picture"))
    assert body == {"input_data": {"columns": ["image"], "data": [base64.b64encode(b"picture").decode()]}}


ROW = {"probs": [0.2, 0.8], "labels": ["a", "b"]}


@pytest.mark.parametrize("value", [[ROW], ROW, json.dumps([ROW]), {**ROW, "filename": "x", "visualizations": None}])
def test_every_style_of_answer_is_read(value: Any) -> None:
    """A list, one object as v1 scripts answer, and JSON within a JSON text."""
    text = json.dumps(value) if isinstance(value, str) else value
    assert parse_reply(reply(text)) == {"label": "b", "score": 0.8, **ROW}


def test_boxes_are_read() -> None:
    """Detection answers boxes in 0..1; none is an answer too."""
    box = {"box": {"topX": 0.1, "topY": 0.2, "bottomX": 0.3, "bottomY": 0.4}, "label": "part", "score": 0.9}
    assert parse_reply(reply([{"boxes": [box]}])) == {"boxes": [box]}
    assert parse_reply(reply([{"boxes": []}])) == {"boxes": []}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "leaves the picture out"),
        ([{"error": {"kind": "ImageDecodeError", "detail": "is damaged"}}], "cannot use the picture: is damaged"),
        ("no JSON", "is not AutoML's: no JSON"),
        ([{"probs": [0.5], "labels": ["a", "b"]}], "is not AutoML's"),
        ([{"probs": [], "labels": []}], "is not AutoML's"),
        ([{"something": 1}], "is not AutoML's"),
        ([7], "is not AutoML's"),
        ({"probs": ["x"], "labels": ["a"]}, "is not AutoML's"),
        ('[{"probs": [NaN, 0.5], "labels": ["a", "b"]}]', "is not AutoML's"),
        ('[{"probs": [Infinity, 0.5], "labels": ["a", "b"]}]', "is not AutoML's"),
        ([{"boxes": [{"label": "part", "score": 0.5}]}], "is not AutoML's"),
        ([{"boxes": [{"box": {"topX": 0, "topY": 0, "bottomX": 1}, "label": "part", "score": 0.5}]}], "not AutoML's"),
        ([{"boxes": ["part"]}], "is not AutoML's"),
        ([{"boxes": 7}], "is not AutoML's"),
        ("x" * 1000, "x…"),
    ],
)
def test_what_is_no_answer_is_told(value: Any, words: str) -> None:
    """One line that a person can read, not a traceback."""
    with pytest.raises(AnswerError, match=words):
        parse_reply(reply(value))


@pytest.mark.parametrize(
    ("told", "tries", "pause"),
    [
        (reply("", 429, retry_after="3"), 1, 3.0),
        (reply("", 503, retry_after="0.5"), 2, 0.5),
        (reply("", 503), 1, 1.0),
        (reply("", 503), 3, 4.0),
        (reply("", 429, retry_after="3600"), 1, 30.0),
        (reply("", 429, retry_after="Sat, 21 Nov 2026 14:00:00 GMT"), 2, 2.0),
        (reply("", 424, ms_azureml_model_error_statuscode="503"), 1, 1.0),
        (reply("", 424, ms_azureml_model_error_statuscode="500"), 1, None),
        (reply("", 424), 1, None),
        (reply("", 500), 1, None),
        (reply([ROW]), 1, None),
    ],
)
def test_only_who_is_busy_is_asked_again(told: Reply, tries: int, pause: float | None) -> None:
    """As long as it says, at most half a minute; also where only the front end speaks, for a busy container."""
    assert pause_s(told, tries) == pause


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (reply({"error": {"code": "x", "message": "no such"}}, 404), "(status 404: no such)"),
        (reply({"detail": "too long"}, 413), "(status 413: too long)"),
        (reply("key_auth_bad_header_forbidden", 401), "(status 401: key_auth_bad_header_forbidden)"),
        (reply("", 418), "does not answer as it should (status 418)"),
        (reply("", 424), "see the log of its container"),
        (reply("", 424, ms_azureml_model_error_statuscode="503"), "its container may be starting"),
    ],
)
def test_a_refusal_shows_what_was_said(told: Reply, words: str) -> None:
    """A problem's detail, ARM's message or plain text stand behind the meaning."""
    assert words in refusal(told)
