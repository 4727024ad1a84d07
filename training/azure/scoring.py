"""What an endpoint is sent and what it says, in AutoML's contract. Nothing is asked here.

A request holds one picture: AutoML's own server leaves out pictures that it cannot decode, which would shift the
answers of all that follow.
"""

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Prediction = Mapping[str, Any]
"""As over the edge's HTTP: ``label``, ``score``, ``labels`` and ``probs``; or ``boxes`` with ``box``, ``label``,
``score`` (and ``polygon``)."""
MODEL_STATUS = "ms-azureml-model-error-statuscode"
MODEL_REASON = "ms-azureml-model-error-reason"
SIDES = ("topX", "topY", "bottomX", "bottomY")
"""The sides of a box, in shares of the picture."""
BUSY = (429, 503)
LONGEST_PAUSE_S = 30.0
SAID_LENGTH = 200


class AnswerError(Exception):
    """An answer that is none, or says that there is none, as a line for a person."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back over HTTP. ``headers`` have names in small letters."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def model_status(self) -> int:
        """What the container said, where Azure's front end only says that it did not answer well."""
        told = self.headers.get(MODEL_STATUS, "")
        return int(told) if self.status == 424 and told.isdecimal() else self.status


def request_body(picture: bytes) -> bytes:
    """Return what is sent for a picture: AutoML's MLflow form, which our runtime's ``/score`` takes too."""
    text = base64.b64encode(picture).decode()
    return json.dumps({"input_data": {"columns": ["image"], "data": [text]}}).encode()


def pause_s(reply: Reply, tries: int) -> float | None:
    """Return how long to wait before asking again, in seconds; None where asking again changes nothing.

    ``tries`` counts the requests so far. As long as Azure says, else 1 s, 2 s, 4 s ….
    """
    if reply.model_status not in BUSY:
        return None
    told = reply.headers.get("retry-after", "")
    wanted = float(told) if told.replace(".", "", 1).isdecimal() else 2.0 ** (tries - 1)
    return min(wanted, LONGEST_PAUSE_S)


def parse_reply(reply: Reply) -> Prediction:
    """Return the prediction for the one picture that was sent. Raises AnswerError."""
    if reply.status != 200:
        raise AnswerError(refusal(reply))
    try:
        value = json.loads(reply.text)
        # older scoring scripts answer a JSON text that holds the JSON
        return _prediction(json.loads(value) if isinstance(value, str) else value)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AnswerError(f"the endpoint's answer is not AutoML's: {_said(reply.text)}") from error


def _prediction(value: Any) -> Prediction:
    if value == []:
        raise AnswerError("the endpoint leaves the picture out: it cannot decode it")
    row = value[0] if isinstance(value, list) else value
    if "error" in row:
        raise AnswerError(f"the endpoint cannot use the picture: {row['error']['detail']}")
    if "boxes" in row:
        return {"boxes": [_box(box) for box in row["boxes"]]}
    labels, probs = [str(label) for label in row["labels"]], [_number(prob) for prob in row["probs"]]
    if not labels or len(labels) != len(probs):
        raise ValueError("labels and probs do not run parallel")
    best = max(range(len(probs)), key=probs.__getitem__)
    return {"label": labels[best], "score": probs[best], "labels": labels, "probs": probs}


def _box(found: Mapping[str, Any]) -> Mapping[str, Any]:
    sides = {side: _number(found["box"][side]) for side in SIDES}
    return {**found, "label": str(found["label"]), "score": _number(found["score"]), "box": sides}


def _number(value: Any) -> float:
    """Return a number that may be compared: nothing differs by more than a tolerance from what is none."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} is no number")
    return number


_WORDS: Mapping[int, str] = {
    400: "the endpoint does not understand the request",
    401: "the endpoint does not accept the key or token: it may have been renewed, or --auth of another kind",
    403: "the endpoint refuses this identity or network: give it the right to score, or allow this address",
    404: "no deployment answers: none has traffic, or --deployment names one that is not there",
    408: "the model takes longer than the deployment allows; the first picture after a start may take longest",
    409: "the endpoint is being changed: try again later",
    413: "the picture is too large for the endpoint: send a smaller one",
    429: "too many requests at once: the deployment needs more --instances",
    500: "a fault of Azure's front end",
    502: "the container ends or does not speak HTTP: see its log",
    503: "no instance is free or ready yet: it may be starting",
    504: "the model takes too long; the first picture after a start may take longest",
}


def refusal(reply: Reply) -> str:
    """Return what a refusal means, for a person."""
    said = _detail(reply)
    if reply.status == 424:
        reason = reply.headers.get(MODEL_REASON) or said
        told = f" with {reply.model_status}" if reply.model_status != 424 else ""
        hint = "; its container may be starting" if reply.model_status in BUSY else ""
        return f"the model's server fails{told}{f': {reason}' if reason else ': see the log of its container'}{hint}"
    words = _WORDS.get(reply.status, "the endpoint does not answer as it should")
    return f"{words} (status {reply.status}{f': {said}' if said else ''})"


def _detail(reply: Reply) -> str:
    """Return what an error's body says: a problem's detail, ARM's message, or its text."""
    try:
        value = json.loads(reply.text)
        found = value.get("detail") or value.get("message") or value["error"]["message"]
        return _said(str(found))
    except (ValueError, KeyError, TypeError, AttributeError):
        return _said(reply.text)


def _said(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SAID_LENGTH else f"{line[:SAID_LENGTH]}…"
