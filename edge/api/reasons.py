"""Answers with their explanations: a place first, then the answers as ever, then the reasons for each."""

import base64
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, Protocol

import orjson
from fastapi import Request

from edge.api.contents import Picture
from edge.api.inference import Answer, Submit, awaited, infer
from edge.api.xai import XaiRequest
from edge.errors import RequestError
from edge.execution.explaining import Explained, Inquiry
from edge.explain import explained_classes
from edge.results import Classification, Result

MAX_MAPS = 16
"""How many explanations one request may ask for: one a picture, or one a selected class of a multi-label model."""
MAX_NUMBERS = 5_000_000
"""How many numbers its attributions may have; some 50 MB of JSON."""
CHANNELS = 3
GRACE_S = 5.0
"""How much longer than the explanations' own span an answer is waited for."""

Reasons = Mapping[str, Any]
"""The keys ``visualizations`` and ``attributions`` of one picture, as far as they were asked for."""


class Explainer(Protocol):
    """Explains answers; see :class:`edge.execution.explaining.Explaining`."""

    @property
    def span_s(self) -> float:
        """How long the explanations of one request may take, in seconds."""

    def place(self) -> AbstractContextManager[None]:
        """Hold a place for one request. Raises OverloadedError, StoppingError."""

    def ask(self, inquiries: Sequence[Inquiry]) -> Future[list[Explained]]:
        """Return the future reasons, in order."""


async def infer_with_reasons(
    request: Request,
    pictures: Sequence[Picture],
    wanted: XaiRequest,
    *,
    submit: Submit,
    explainer: Explainer,
    deadline_s: float | None,
) -> tuple[list[Answer], list[Reasons]]:
    """Return one answer a picture and the reasons for it, in order; a picture that failed has none.

    Nothing is predicted where no explanation could follow. Raises what :func:`infer` does, and RequestError for more
    explanations than a request may have.
    """
    _check_maps(len(pictures))
    with explainer.place():
        answers = await infer(request, pictures, submit=submit, deadline_s=deadline_s)
        inquiries = {
            number: inquiry
            for number, (answer, picture) in enumerate(zip(answers, pictures, strict=True))
            if (inquiry := _inquiry(answer, picture, wanted)) is not None
        }
        _check_maps(sum(len(inquiry.classes) for inquiry in inquiries.values()))
        found = await _explained(request, list(inquiries.values()), explainer) if inquiries else []
    _check_numbers(found, wanted)
    reasons: list[Reasons] = [{} for _ in answers]
    for (number, inquiry), explained in zip(inquiries.items(), found, strict=True):
        reasons[number] = _reasons(explained, wanted, lone=inquiry.answer.selected is None)
    return answers, reasons


async def _explained(request: Request, inquiries: Sequence[Inquiry], explainer: Explainer) -> list[Explained]:
    future = explainer.ask(inquiries)
    try:
        (found,) = await awaited([future], request.receive, limit_s=explainer.span_s + GRACE_S)
    finally:
        future.cancel()
    if isinstance(found, BaseException):
        raise found
    return found


def _inquiry(answer: Answer, picture: Picture, wanted: XaiRequest) -> Inquiry | None:
    """Return what is to be explained of an answer, None for one that failed."""
    if not isinstance(answer, Result) or not isinstance(picture.data, bytes):
        return None
    prediction = answer.outcome.prediction
    if not isinstance(prediction, Classification):
        return None
    return Inquiry(
        image=picture.data,
        answer=prediction,
        model=answer.outcome.model,
        classes=explained_classes(prediction, wanted.threshold),
        method=wanted.method,
        runs=wanted.runs,
        drawn=wanted.visualizations,
    )


def _check_maps(maps: int) -> None:
    if maps > MAX_MAPS:
        raise RequestError(
            f"the request asks for {maps} explanations, {MAX_MAPS} are allowed; send fewer pictures at once, or raise "
            "confidence_score_threshold_multilabel"
        )


def _check_numbers(found: Sequence[Explained], wanted: XaiRequest) -> None:
    numbers = CHANNELS * sum(explained.maps.size for explained in found) if wanted.attributions else 0
    if numbers > MAX_NUMBERS:
        raise RequestError(
            f"the attributions have {numbers:,} numbers, {MAX_NUMBERS:,} are allowed; send fewer pictures at once, or "
            "ask for visualizations only"
        )


def _reasons(explained: Explained, wanted: XaiRequest, *, lone: bool) -> Reasons:
    """Return what was asked for: one of each for a multi-class model, else lists with one a selected class."""
    body: dict[str, Any] = {}
    if wanted.visualizations:
        body["visualizations"] = [base64.b64encode(figure).decode() for figure in explained.figures]
    if wanted.attributions:
        body["attributions"] = [_by_channel(heat) for heat in explained.maps]
    return {key: value[0] for key, value in body.items()} if lone else body


def _by_channel(heat: Any) -> orjson.Fragment:
    """Return a map as [3][side][side]: a part is hidden in all channels at once, so that each has the same map."""
    text = orjson.dumps(heat, option=orjson.OPT_SERIALIZE_NUMPY)
    return orjson.Fragment(b"[" + b",".join([text] * CHANNELS) + b"]")
