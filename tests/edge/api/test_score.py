"""/score: what Azure's online endpoint for AutoML image classification takes and answers."""

import base64
import json
from typing import Any

import pytest

from tests.edge.api.conftest import Ask
from tests.edge.api.fakes import Echo

LONG = b"a picture whose base64 runs over more than one line, as encodebytes breaks it"
ROW = {"probs": [0.75, 0.25], "labels": ["one", "other"]}


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def explained(data: bytes, *, wanted: Any = False) -> str:
    return json.dumps({"image_base64": b64(data), "model_explainability": wanted})


@pytest.mark.parametrize(
    "input_data",
    [
        {"columns": ["image"], "data": [b64(b"one")]},
        {"columns": ["image"], "index": [0], "data": [[b64(b"one")]]},
        {"data": [b64(b"one")]},
        [b64(b"one")],
        {"columns": ["image"], "data": [explained(b"one")]},
        {"columns": ["image"], "data": [explained(b"one", wanted="false")]},
    ],
    ids=["MLflow", "pandas split", "no columns", "plain list", "with XAI off", "with XAI off as text"],
)
def test_input_data_is_answered_by_a_list(ask: Ask, input_data: Any) -> None:
    """One object a picture: probabilities and all labels, in the same order."""
    answer = ask("POST", "/score", json={"input_data": input_data})
    assert answer.status_code == 200
    assert answer.json() == [ROW]


def test_base64_may_break_lines(ask: Ask, echo: Echo) -> None:
    """The samples of Azure use encodebytes."""
    ask("POST", "/score", json={"input_data": {"columns": ["image"], "data": [base64.encodebytes(LONG).decode()]}})
    assert echo.frames[0].image == LONG


@pytest.mark.parametrize(
    "request_",
    [
        {"content": b"one"},
        {"content": b"one", "headers": {"content-type": "application/octet-stream"}},
        {"json": {"image": b64(b"one")}},
        {"content": json.dumps({"image": b64(b"one")}).encode()},
    ],
    ids=["raw", "raw typed", "JSON", "JSON untyped"],
)
def test_the_v1_style_is_answered_by_one_object(ask: Ask, request_: dict[str, Any]) -> None:
    """With a file name, and no explanations."""
    answer = ask("POST", "/score", **request_)
    assert answer.json() == {
        "filename": "01K00000000000000000000001", **ROW, "visualizations": None, "attributions": None,
    }  # fmt: skip


def test_a_picture_that_cannot_be_decoded_keeps_its_place(ask: Ask) -> None:
    """Azure skips it, so that later positions shift; here it has an error."""
    answer = ask("POST", "/score", json={"input_data": [b64(b"one"), b64(b"bad"), "!", b64(b"one")]})
    assert answer.status_code == 200
    first, second, third, fourth = answer.json()
    assert first == fourth == ROW
    assert second["error"]["kind"] == "ImageDecodeError"
    assert third["error"]["kind"] == "RequestError"


def test_get_answers_with_the_path(ask: Ask) -> None:
    """As the v1 scorer does, so that probes that ask it keep working."""
    answer = ask("GET", "/score?verbose=true")
    assert (answer.status_code, answer.text) == (200, "/score?verbose=true")


def test_azures_headers_do_no_harm(ask: Ask) -> None:
    """A client sends the key as a bearer token and may name a deployment."""
    headers = {"Authorization": "Bearer key", "azureml-model-deployment": "blue", "Content-Type": "application/json"}
    answer = ask("POST", "/score", json={"input_data": [b64(b"one")]}, headers=headers, parts={"token": "key"})
    assert answer.json() == [ROW]
