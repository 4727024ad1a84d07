"""Answers as lines on standard output: columns for people, JSON for programs."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from edge.cli.pictures import Answer
from edge.results import Failure, Prediction, prediction_json

SCORE_COLUMNS = 6


def json_text(value: Mapping[str, Any]) -> str:
    """Return an object as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def columns(labels: Sequence[str]) -> tuple[str, Callable[[Answer], str]]:
    """Return a heading and what makes a line of an answer: score, label, path. The path is last, for it may be long."""
    width = max(len(text) for text in ("label", "error", *labels))

    def line(answer: Answer) -> str:
        prediction = answer.prediction
        if isinstance(prediction, Failure):
            return f"{'-':>{SCORE_COLUMNS}}  {'error':<{width}}  {answer.picture.text}: {prediction.detail}"
        return f"{prediction.score:{SCORE_COLUMNS}.4f}  {_label(prediction):<{width}}  {answer.picture.text}"

    return f"{'score':>{SCORE_COLUMNS}}  {'label':<{width}}  path", line


def _label(prediction: Prediction) -> str:
    if isinstance(prediction, Failure):
        return "error"
    return prediction.label if prediction.selected is None else ", ".join(prediction.selected) or "-"


def json_line(answer: Answer) -> str:
    """Return an answer as one line of JSON: its path and the prediction as over HTTP."""
    return json.dumps({"path": answer.picture.text, **prediction_json(answer.prediction)}, ensure_ascii=False)
