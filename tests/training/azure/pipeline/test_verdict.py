"""A model is registered where it is better on the same pictures, and the log says why."""

import pytest

from training.azure.pipeline.verdict import Evaluation, Judged, decide, parse_evaluation
from training.errors import DataError


def evaluation(found: float, before: float | None) -> Evaluation:
    incumbent = None if before is None else Judged("defects", "3", before, 200)
    return Evaluation(Judged("defects", "4", found, 200), incumbent)


@pytest.mark.parametrize(
    ("found", "before", "min_gain", "min_accuracy", "registered", "said"),
    [
        (0.95, 0.90, 0.0, 0.0, True, "the new model is right on 95.00% of 200 test pictures, defects:3 on 90.00%"),
        (0.90, 0.90, 0.0, 0.0, False, "a gain of +0.00%, more than 0.00% is asked for"),
        (0.91, 0.90, 0.02, 0.0, False, "a gain of +1.00%, more than 2.00% is asked for"),
        (0.85, 0.90, 0.0, 0.0, False, "a gain of -5.00%"),
        (0.95, 0.10, 0.0, 0.97, False, "at least 97.00% is asked for"),
        (0.95, None, 0.5, 0.0, True, "no version is registered yet"),
        (0.20, None, 0.0, 0.5, False, "at least 50.00% is asked for"),
    ],
)
def test_the_better_one_is_registered(
    found: float, before: float | None, min_gain: float, min_accuracy: float, *, registered: bool, said: str
) -> None:
    """By more than the gain that is asked for, and only from the accuracy on that is asked for."""
    verdict = decide(evaluation(found, before), min_gain=min_gain, min_accuracy=min_accuracy)
    assert verdict.register is registered
    assert said in verdict.reason


@pytest.mark.parametrize("before", [0.9, None])
def test_an_evaluation_comes_back_as_it_was_written(before: float | None) -> None:
    """From one step to the next."""
    written = evaluation(0.95, before)
    assert parse_evaluation(written.as_json()) == written


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"candidate": {}, "incumbent": null}'])
def test_what_is_no_evaluation_is_told(text: str) -> None:
    """A step that died may have left anything."""
    with pytest.raises(DataError, match="not an evaluation"):
        parse_evaluation(text)
