"""/score with model_explainability: what Azure's endpoint takes and answers, by methods that need no gradients."""

import base64
import json
import re
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import httpx
import pytest

from edge.errors import OverloadedError
from edge.execution.explaining import Explained, Inquiry
from edge.ports import Frame
from edge.results import Classification, Result
from tests.edge.api.conftest import Ask, Serve
from tests.edge.api.fakes import Echo, Reasoner, result
from tests.mosquitto import until

PNG = base64.b64encode(b"PNG of one").decode()
MAP = [[[0.5, 0.5], [0.5, 0.5]]] * 3


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def row(data: bytes = b"one", *, wanted: Any = True, **parameters: Any) -> str:
    return json.dumps({"image_base64": b64(data), "model_explainability": wanted, "xai_parameters": parameters})


def rows(*data: str) -> dict[str, Any]:
    return {"input_data": {"columns": ["image"], "data": list(data)}}


def several(_: Frame, *, deadline_s: float | None = None) -> Future[Result]:  # noqa: ARG001 - the port's signature
    """Answer as a multi-label model does that selects two of three."""
    said = Classification("scratch", 0.9, ("scratch", "dent", "rust"), (0.9, 0.6, 0.3), ("scratch", "dent"))
    future: Future[Result] = Future()
    future.set_result(result("", prediction=said))
    return future


@pytest.mark.parametrize(
    ("parameters", "keys"),
    [
        ({}, {"visualizations": PNG}),
        ({"visualizations": True, "attributions": True}, {"visualizations": PNG, "attributions": MAP}),
        ({"visualizations": False, "attributions": True}, {"attributions": MAP}),
        ({"visualizations": False}, {}),
    ],
    ids=["by default", "both", "attributions only", "none"],
)
def test_answers_have_what_was_asked_for(ask: Ask, parameters: dict[str, Any], keys: dict[str, Any]) -> None:
    """One of each for the top class of a multi-class model; what was not asked for is absent."""
    answer = ask("POST", "/score", json=rows(row(**parameters)))
    assert answer.status_code == 200
    assert answer.json() == [{"probs": [0.75, 0.25], "labels": ["one", "other"], **keys}]


def test_a_model_of_several_labels_gives_lists(ask: Ask) -> None:
    """One a selected class, in the order of the labels."""
    (found,) = ask("POST", "/score", json=rows(row(attributions=True)), parts={"submit": several}).json()
    assert [base64.b64decode(text) for text in found["visualizations"]] == [b"PNG of scratch", b"PNG of dent"]
    assert found["attributions"] == [MAP, MAP]


@pytest.mark.parametrize(("threshold", "count"), [(0.95, 0), (0.6, 1), (0.2, 3)])
def test_the_threshold_selects_the_classes(ask: Ask, threshold: float, count: int) -> None:
    """Those above it, as the service does; none gives empty lists."""
    body = rows(row(confidence_score_threshold_multilabel=threshold))
    (found,) = ask("POST", "/score", json=body, parts={"submit": several}).json()
    assert len(found["visualizations"]) == count


def test_the_v1_style_has_them_in_its_one_object(ask: Ask) -> None:
    """What was not asked for is null there."""
    body = {"image": b64(b"one"), "model_explainability": "True", "xai_parameters": {"n_steps": 50}}
    found = ask("POST", "/score", json=body).json()
    assert (found["visualizations"], found["attributions"]) == (PNG, None)


@pytest.mark.parametrize(
    ("first", "second", "explained"),
    [(row(), b64(b"two"), 2), (row(wanted=False), row(), 0), (b64(b"one"), row(n_steps="much"), 0)],
)
def test_the_parameters_of_the_first_row_count_for_all(ask: Ask, first: str, second: str, explained: int) -> None:
    """As on Azure; those of later rows are not read."""
    reasoner = Reasoner()
    answer = ask("POST", "/score", json=rows(first, second), parts={"explainer": reasoner})
    assert answer.status_code == 200
    assert len(reasoner.inquiries) == explained


def test_a_bad_picture_has_its_error_and_no_reasons(ask: Ask) -> None:
    """The others have theirs."""
    first, second, third = ask("POST", "/score", json=rows(row(), b64(b"bad"), "!")).json()
    assert first["visualizations"] == PNG
    assert set(second) == set(third) == {"error"}


def test_parameters_reach_the_method(ask: Ask) -> None:
    """Under AutoML's names; those of gradient methods change nothing."""
    reasoner = Reasoner()
    body = rows(row(xai_algorithm="rise", n_steps=70, xrai_fast=True, approximation_method="riemann_middle"))
    assert ask("POST", "/score", json=body, parts={"explainer": reasoner}).status_code == 200
    (inquiry,) = reasoner.inquiries
    assert (inquiry.method, inquiry.runs, inquiry.classes, inquiry.image) == ("rise", 70, (0,), b"one")


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"xai_parameters": {"xai_algorithm": "xrai"}}, "xai_algorithm is xrai.*gradients.*occlusion or rise"),
        ({"xai_parameters": {"xai_algorithm": "integrated_gradients"}}, "integrated_gradients.*gradients"),
        ({"xai_parameters": {"xai_algorithm": "guided_gradcam"}}, "guided_gradcam.*gradients"),
        ({"xai_parameters": {"xai_algorithm": "guided_backprop"}}, "guided_backprop.*gradients"),
        ({"xai_parameters": {"xai_algorithm": "lime"}}, 'xai_algorithm must be one of occlusion, rise, not "lime"'),
        ({"xai_parameters": {"xai_algorithm": ["rise"]}}, "xai_algorithm must be one of"),
        ({"xai_parameters": {"steps": 5}}, 'has "steps", which is unknown; known are xai_algorithm'),
        ({"xai_parameters": {"visualizations": "true"}}, 'visualizations must be true or false, not "true"'),
        ({"xai_parameters": {"attributions": 1}}, "attributions must be true or false, not 1"),
        ({"xai_parameters": {"n_steps": 1}}, "n_steps must be a whole number of 2 to 10000, not 1"),
        ({"xai_parameters": {"n_steps": 10_001}}, "n_steps"),
        ({"xai_parameters": {"n_steps": 50.0}}, "n_steps"),
        ({"xai_parameters": {"n_steps": True}}, "n_steps"),
        ({"xai_parameters": {"confidence_score_threshold_multilabel": 1.5}}, "must be a number of 0 to 1"),
        ({"xai_parameters": {"confidence_score_threshold_multilabel": True}}, "must be a number of 0 to 1"),
        ({"xai_parameters": {"xrai_fast": "yes"}}, "xrai_fast must be true or false"),
        ({"xai_parameters": {"approximation_method": "simpson"}}, "approximation_method must be one of"),
        ({"xai_parameters": [1]}, "xai_parameters must be an object"),
        ({"model_explainability": "yes"}, 'model_explainability must be true or false, not "yes"'),
        ({"model_explainability": 1}, "model_explainability must be true or false, not 1"),
        ({"model_explainability": None}, "model_explainability must be true or false, not null"),
    ],
)
@pytest.mark.parametrize("style", ["row", "v1"])
def test_what_cannot_be_had_is_refused_by_name(
    ask: Ask, echo: Echo, asked: dict[str, Any], named: str, style: str
) -> None:
    """With status 400, before any picture is predicted."""
    options = {"model_explainability": True, **asked}
    in_row = rows(json.dumps({"image_base64": b64(b"one"), **options}))
    body = {"image": b64(b"one"), **options} if style == "v1" else in_row
    answer = ask("POST", "/score", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert re.search(named, answer.json()["detail"])
    assert not echo.frames


def test_a_request_has_no_more_explanations_than_the_device_bears(ask: Ask, echo: Echo) -> None:
    """Too many pictures are refused before one is predicted, too many classes once they are known."""
    many = ask("POST", "/score", json=rows(*[row()] * 17))
    assert (many.status_code, "17 explanations, 16 are allowed" in many.json()["detail"]) == (400, True)
    assert not echo.frames
    classes = ask("POST", "/score", json=rows(*[row()] * 9), parts={"submit": several})
    assert (classes.status_code, "18 explanations" in classes.json()["detail"]) == (400, True)


def test_where_too_many_are_under_way_nothing_is_predicted(ask: Ask, echo: Echo) -> None:
    """So that a client which comes again has no result twice."""
    full = Reasoner(error=OverloadedError("4 requests for explanations are under way", retry_after_s=7))
    answer = ask("POST", "/score", json=rows(row()), parts={"explainer": full})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert not echo.frames


def test_without_an_explainer_they_are_refused(ask: Ask) -> None:
    """And answers without reasons are given as ever."""
    answer = ask("POST", "/score", json=rows(row()), parts={"explainer": None})
    assert (answer.status_code, "model_explainability" in answer.json()["detail"]) == (400, True)
    assert ask("POST", "/score", json=rows(row(wanted=False)), parts={"explainer": None}).status_code == 200


class Waiting(Reasoner):
    """Never comes to an end."""

    span_s = 0.1

    def __init__(self) -> None:
        super().__init__()
        self.futures: list[Future[list[Explained]]] = []

    def ask(self, inquiries: Sequence[Inquiry]) -> Future[list[Explained]]:  # noqa: ARG002 - the port's signature
        self.futures.append(Future())
        return self.futures[-1]


def test_a_client_that_leaves_takes_its_request_back(serve: Serve) -> None:
    """The work ends, and the place is free again."""
    reasoner = Waiting()
    client = serve(explainer=reasoner)
    with pytest.raises(httpx.ReadTimeout):
        client.post("/score", json=rows(row()), timeout=0.6)
    client.close()
    until(lambda: reasoner.futures[0].cancelled() and not reasoner.held)
