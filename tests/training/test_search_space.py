"""Distributions: what they can draw, and whether a hyperparameter may have it."""

import math
import re
from typing import Any

import pytest

from training.hyperparameters import parameter
from training.search_space import SAMPLED, drawn_problems, read_distribution


def problems(name: str, raw: object) -> list[str]:
    found = parameter(name)
    assert found is not None
    return list(drawn_problems(found, read_distribution(raw)))


@pytest.mark.parametrize(
    ("raw", "extremes", "whole"),
    [
        (["a", "b"], ("a", "b"), True),
        (5, (5,), True),
        ({"type": "choice", "values": [1, 2.5, True, "x"]}, (1, 2.5, True, "x"), True),
        ({"type": "uniform", "min_value": 0.1, "max_value": 1}, (0.1, 1), False),
        ({"type": "loguniform", "min_value": -2, "max_value": 0}, (math.exp(-2), 1.0), False),
        ({"type": "quniform", "min_value": 310, "max_value": 650, "q": 32}, (320, 640), True),
        ({"type": "quniform", "min_value": 0.1, "max_value": 1, "q": 0.5}, (0, 1), False),
        ({"type": "qloguniform", "min_value": 0, "max_value": 3, "q": 4}, (0, 20), True),
        ({"type": "normal", "mu": 1, "sigma": 0.1}, (0.7, 1.3), False),
        ({"type": "lognormal", "mu": 0, "sigma": 1}, (math.exp(-3), math.exp(3)), False),
        ({"type": "qnormal", "mu": 16, "sigma": 3, "q": 2}, (8, 24), True),
        ({"type": "qlognormal", "mu": 3, "sigma": 0.1, "q": 1}, (15, 27), True),
        ({"type": "randint", "upper": 10}, (0, 9), True),
        ({"type": "loguniform", "min_value": 0, "max_value": 1e6}, (1.0, math.inf), False),
    ],
)
def test_what_is_drawn(raw: Any, extremes: tuple[Any, ...], *, whole: bool) -> None:
    """A list is a choice; a logarithm's ends are exponents; steps round; a bell is looked at up to three sigma."""
    drawn = read_distribution(raw)
    numbers = all(isinstance(value, int | float) for value in extremes)
    assert drawn.extremes() == (pytest.approx(extremes) if numbers else extremes)
    assert drawn.whole is whole


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"type": "loguniorm", "min_value": 0, "max_value": 1}, "did you mean loguniform?"),
        ({"values": [1]}, "type must be one of choice, uniform"),
        ({"type": "choice", "values": []}, "values"),
        ([], "values must not be empty"),
        ({"type": "uniform", "min_value": 1}, "max_value is required"),
        ({"type": "uniform", "min_value": 1, "max_value": 1}, "min_value must be below max_value, got 1 and 1"),
        ({"type": "uniform", "min_value": "1", "max_value": 2}, "min_value must be a finite number"),
        ([[0.1]], "values must be text, numbers, true or false"),
        ({"type": "uniform", "min_value": 0, "max_value": 2, "q": 1}, "q no such key here"),
        ({"type": "quniform", "min_value": 0, "max_value": 2, "q": 0}, "q must be greater than 0"),
        ({"type": "normal", "mu": 0, "sigma": -1}, "sigma must be greater than 0"),
        ({"type": "normal", "mu": math.inf, "sigma": 1}, "mu must be a finite number"),
        ({"type": "randint", "upper": 0}, "upper must be greater than or equal to 1"),
    ],
)
def test_what_is_no_distribution(raw: object, said: str) -> None:
    """The key and what it must be are named."""
    with pytest.raises(ValueError, match=re.escape(said)):
        read_distribution(raw)


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("learning_rate", {"type": "loguniform", "min_value": -9, "max_value": -2}),
        ("learning_rate", {"type": "uniform", "min_value": 0.001, "max_value": 1}),
        ("number_of_epochs", [10, 20]),
        ("training_batch_size", {"type": "quniform", "min_value": 2, "max_value": 16, "q": 2}),
        ("number_of_workers", {"type": "randint", "upper": 8}),
        ("momentum", {"type": "normal", "mu": 0.9, "sigma": 0.03}),
        ("optimizer", "sgd"),
        ("early_stopping", [True, False]),
        ("weight_decay", {"type": "lognormal", "mu": -9, "sigma": 1}),
    ],
)
def test_draws_within_range(name: str, raw: object) -> None:
    """Nothing is said of what is right."""
    assert problems(name, raw) == []


@pytest.mark.parametrize(
    ("name", "raw", "said"),
    [
        ("number_of_epochs", [10, 0, "x"], ["must be a whole number, at least 1, got 0", 'at least 1, got "x"']),
        (
            "learning_rate",
            {"type": "uniform", "min_value": 0, "max_value": 2},
            ["uniform draws 0: must be a number, above 0 and at most 1", "uniform draws 2: must be"],
        ),
        (
            "learning_rate",
            {"type": "loguniform", "min_value": -5, "max_value": 1},
            ["loguniform draws 2.71828: must be"],
        ),
        ("learning_rate", {"type": "loguniform", "min_value": -5, "max_value": 1e9}, ["loguniform draws inf: must be"]),
        ("training_batch_size", {"type": "uniform", "min_value": 1, "max_value": 4}, ["uniform draws fractions; use"]),
        ("training_batch_size", {"type": "randint", "upper": 4}, ["randint draws 0: must be a whole number"]),
        ("momentum", {"type": "normal", "mu": 0.9, "sigma": 0.05}, ["normal draws at 3 sigma 1.05: must be a number"]),
        ("optimizer", {"type": "randint", "upper": 3}, ["randint draws numbers; use choice"]),
        ("nesterov", {"type": "uniform", "min_value": 0, "max_value": 1}, ["uniform draws numbers; use choice"]),
        ("checkpoint_frequency", [1, 2], ["cannot be swept; put it into [model]"]),
    ],
)
def test_draws_out_of_range(name: str, raw: object, said: list[str]) -> None:
    """Each end that may not be drawn is named, with what must be."""
    found = problems(name, raw)
    assert len(found) == len(said)
    assert all(expected in text for expected, text in zip(said, found, strict=True)), found


def test_what_each_sampling_takes() -> None:
    """As Azure's documentation says."""
    assert SAMPLED["grid"] == {"choice"}
    assert SAMPLED["bayesian"] == {"choice", "uniform", "quniform"}
    assert len(SAMPLED["random"]) == 10
