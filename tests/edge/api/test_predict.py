"""POST /v1/predict: every way in, one answer a picture, in order."""

import base64
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from edge.api.limits import Limits
from edge.errors import OverloadedError
from edge.results import ModelRef
from tests.edge.api.conftest import Ask, Serve
from tests.edge.api.fakes import Echo, Held, failing


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def labels(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["label"] if "label" in row else row["error"]["kind"] for row in answer.json()["predictions"]]


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "image/jpeg",
        "image/png",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "IMAGE/JPEG; q=1",
    ],
)
def test_a_raw_body_is_one_picture(ask: Ask, kind: str | None) -> None:
    """Whatever image type is given, or none that says anything, as curl sends it."""
    headers = {} if kind is None else {"content-type": kind}
    answer = ask("POST", "/v1/predict", content=b"part", headers=headers)
    assert answer.json() == {
        "model": {"name": "metal", "version": "1", "proven": True},
        "provider": "CPUExecutionProvider",
        "predictions": [{"label": "part", "score": 0.75, "labels": ["part", "other"], "probs": [0.75, 0.25]}],
        "timing_ms": {"queue": 0.1, "preprocess": 2.0, "inference": 5.0, "postprocess": 0.2, "total": 7.3},
    }


def test_a_form_carries_several_pictures(ask: Ask, echo: Echo) -> None:
    """The field repeats; file names become the frames' names; other fields are left alone."""
    files = [("image", ("a.jpg", b"one", "image/jpeg")), ("image", ("b.png", b"two")), ("other", ("c", b"three"))]
    assert labels(ask("POST", "/v1/predict", files=files, data={"note": "x"})) == ["one", "two"]
    assert [frame.name for frame in echo.frames] == ["a.jpg", "b.png"]


def test_a_form_carries_large_pictures(ask: Ask, echo: Echo) -> None:
    """Three megabytes with every byte value, line breaks and dashes among them."""
    data = bytes(range(256)) * 12_000
    ask("POST", "/v1/predict", files=[("image", ("a", data))])
    assert echo.frames[0].image == data


def test_a_form_may_leave_out_file_names(ask: Ask, echo: Echo) -> None:
    """``curl -F 'image=<part.jpg'`` sends none; names beyond ASCII are UTF-8 (RFC 7578, 5.1)."""
    files = [("image", (None, b"one")), ("image", ("Prüfling 1.jpg", b"two"))]
    assert labels(ask("POST", "/v1/predict", files=files)) == ["one", "two"]
    assert [frame.name for frame in echo.frames] == [None, "Prüfling 1.jpg"]


def test_json_carries_several_pictures(ask: Ask) -> None:
    """Base64 with or without line breaks."""
    answer = ask("POST", "/v1/predict", json={"images": [b64(b"one"), base64.encodebytes(b"two" * 40).decode()]})
    assert labels(answer) == ["one", ("two" * 40)[:40]]


def test_json_is_known_by_its_brace_where_no_type_tells(ask: Ask) -> None:
    """``curl -d '{…}'`` without a header is understood."""
    body = b' {"images": ["' + b64(b"one").encode() + b'"]}'
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert labels(ask("POST", "/v1/predict", content=body, headers=headers)) == ["one"]


def test_a_bad_picture_among_several_has_its_error_in_its_own_place(ask: Ask) -> None:
    """The others are answered; position i belongs to picture i."""
    answer = ask("POST", "/v1/predict", json={"images": [b64(b"one"), b64(b"bad"), "!", b64(b"two"), 7]})
    assert labels(answer) == ["one", "ImageDecodeError", "RequestError", "two", "RequestError"]
    assert "images[2] is no base64" in answer.json()["predictions"][2]["error"]["detail"]


def test_a_lone_bad_picture_is_a_problem(ask: Ask) -> None:
    """A request of one bad picture has status 400."""
    answer = ask("POST", "/v1/predict", content=b"bad")
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:automl-edge:error:ImageDecodeError"


def test_predictions_of_two_models_in_one_request_are_told_apart(ask: Ask) -> None:
    """When a swap comes between, the answer names the last model and marks what another one made."""
    echo = Echo(models=(ModelRef("metal", "1"), ModelRef("metal", "2")))
    answer = ask("POST", "/v1/predict", json={"images": [b64(b"one"), b64(b"two")]}, parts={"submit": echo}).json()
    echo.close()
    assert answer["model"]["version"] == "2"
    assert [row.get("model", {}).get("version") for row in answer["predictions"]] == ["1", None]


def test_the_deadline_and_the_source_travel_with_the_frame(ask: Ask, echo: Echo) -> None:
    """Frames carry the source's name and an aware time."""
    ask("POST", "/v1/predict", content=b"x", parts={"limits": Limits(deadline_s=1.5)})
    assert echo.deadlines == [1.5]
    assert echo.frames[0].source == "http"
    assert echo.frames[0].captured_at.tzinfo is not None


def test_a_refusal_halfway_cancels_what_was_handed_in(ask: Ask) -> None:
    """When the queue is full at the third picture, the first two are taken back and the client is told to wait."""
    held = Held(refuse_from=2, error=OverloadedError("the queue is full", retry_after_s=3))
    answer = ask("POST", "/v1/predict", json={"images": [b64(b"x")] * 4}, parts={"submit": held})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "3"
    assert [future.cancelled() for _, future in held.pending] == [True, True]


def test_several_pictures_that_are_all_bad_have_their_errors_in_place(ask: Ask) -> None:
    """The answer's form does not depend on how many were bad; the model is the one that serves."""
    answer = ask("POST", "/v1/predict", json={"images": ["***", "?"]})
    assert labels(answer) == ["RequestError", "RequestError"]
    assert answer.json()["model"] == {"name": "metal", "version": "1", "proven": True}
    assert answer.json()["provider"] == "CPUExecutionProvider"


def test_a_fault_of_the_service_fails_a_request_of_several(ask: Ask) -> None:
    """Not the pictures are bad, so that nothing is marked in place."""
    answer = ask(
        "POST", "/v1/predict", json={"images": [b64(b"x")] * 2}, parts={"submit": failing(OverloadedError("full"))}
    )
    assert answer.status_code == 503


def test_work_that_hangs_is_answered_for(ask: Ask) -> None:
    """A device that never comes back costs the client twice the deadline, not for ever; its picture is taken back."""
    held = Held()
    answer = ask("POST", "/v1/predict", content=b"x", parts={"submit": held, "limits": Limits(deadline_s=0.2)})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json()["type"] == "urn:automl-edge:error:DeadlineError"
    assert held.cancelled.acquire(timeout=10)


def test_a_client_that_leaves_cancels_its_pictures(serve: Serve) -> None:
    """Over a real socket: closing the connection takes the waiting picture back."""
    held = Held()
    client = serve(submit=held)
    with pytest.raises(httpx.ReadTimeout):
        client.post("/v1/predict", content=b"x", timeout=httpx.Timeout(5, read=0.2))
    assert held.cancelled.acquire(timeout=5)


def test_sixty_four_clients_each_get_their_own_answer(serve: Serve) -> None:
    """Good and bad pictures, raw, JSON and forms at once over real sockets: nobody gets another's answer."""
    client = serve()
    start = threading.Barrier(64)

    def one(number: int) -> tuple[int, httpx.Response]:
        start.wait(timeout=20)
        text = f"picture {number}".encode()
        if number % 4 == 1:
            return number, client.post("/v1/predict", content=b"bad" + text)
        if number % 4 == 2:
            return number, client.post("/v1/predict", json={"images": [b64(text), b64(b"bad")]})
        if number % 4 == 3:
            return number, client.post("/v1/predict", files=[("image", ("a", text))])
        return number, client.post("/v1/predict", content=text)

    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(one, range(64)))
    for number, answer in answers:
        if number % 4 == 1:
            assert answer.status_code == 400
        else:
            assert labels(answer)[0] == f"picture {number}"
