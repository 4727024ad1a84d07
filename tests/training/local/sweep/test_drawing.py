"""Values drawn from AutoML's distributions."""

import math
from typing import Any

import pytest

optuna = pytest.importorskip("optuna")

from training.local.sweep.drawing import combinations, count_combinations, draw, draw_value  # noqa: E402 - may be absent
from training.search_space import read_distribution  # noqa: E402 - as above


def drawn(given: float, name: str = "learning_rate", **distribution: Any) -> Any:
    trial = optuna.trial.FixedTrial({"key": given})
    return draw_value(trial, "key", name, read_distribution(distribution))


@pytest.mark.parametrize(
    ("distribution", "given", "value"),
    [
        ({"type": "uniform", "min_value": 0, "max_value": 1}, 0.25, 0.25),
        ({"type": "quniform", "min_value": 0, "max_value": 1, "q": 0.1}, 0.28, 0.3),
        ({"type": "loguniform", "min_value": -3, "max_value": 0}, -1, math.exp(-1)),
        ({"type": "qloguniform", "min_value": -3, "max_value": 3, "q": 2}, 1.5, 4.0),  # e^1.5 = 4.48
        ({"type": "normal", "mu": 0.5, "sigma": 0.1}, 0.5, 0.5),
        ({"type": "normal", "mu": 0.5, "sigma": 0.1}, 0.8413447460685429, 0.6),  # the quantile of one sigma
        ({"type": "qnormal", "mu": 0.5, "sigma": 0.1, "q": 0.25}, 0.8413447460685429, 0.5),
        ({"type": "lognormal", "mu": -3, "sigma": 1}, 0.5, math.exp(-3)),
        ({"type": "qlognormal", "mu": 2, "sigma": 1, "q": 5}, 0.5, 5.0),  # e^2 = 7.39
        ({"type": "randint", "upper": 8}, 7, 7),
        ({"type": "choice", "values": [0.1, 0.2]}, 0.2, 0.2),
    ],
)
def test_each_distribution(distribution: dict[str, Any], given: float, value: float) -> None:
    """By what Optuna draws for it: a number, an exponent, a quantile."""
    assert drawn(given, **distribution) == pytest.approx(value)


def test_whole_numbers_are_whole() -> None:
    """A stepped distribution of a whole hyperparameter gives an integer."""
    value = drawn(17.2, "number_of_epochs", type="quniform", min_value=10, max_value=30, q=5)
    assert (value, type(value)) == (15, int)


def test_steps_are_as_they_are_written() -> None:
    """Three tenths are 0.3 and not 0.30000000000000004."""
    assert drawn(0.31, type="quniform", min_value=0, max_value=1, q=0.1) == 0.3


def test_an_exponent_that_is_too_large_is_no_error() -> None:
    """The trial with that value fails, and no other."""
    assert drawn(0.999999, type="lognormal", mu=0, sigma=1000) == math.inf


def test_many_draws_are_distributed_as_said() -> None:
    """Median and spread of 500 seeded draws of a lognormal: its logarithm is normal."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    kind = read_distribution({"type": "lognormal", "mu": -3, "sigma": 0.5})
    exponents = sorted(math.log(float(draw_value(study.ask(), "rate", "learning_rate", kind))) for _ in range(500))
    assert exponents[250] == pytest.approx(-3, abs=0.1)
    assert exponents[420] - exponents[80] == pytest.approx(1.0, abs=0.15)  # the middle 68 % are two sigma


def test_of_several_spaces_one_is_chosen() -> None:
    """Hyperparameters of the same name in several spaces are told apart."""
    spaces = [
        {"model_name": read_distribution("resnet18"), "learning_rate": read_distribution([0.1])},
        {"model_name": read_distribution("mobilenetv2"), "momentum": read_distribution([0.9])},
    ]
    trial = optuna.trial.FixedTrial({"space": 2, "2.model_name": "mobilenetv2", "2.momentum": 0.9})
    assert draw(trial, spaces) == {"model_name": "mobilenetv2", "momentum": 0.9}


def test_all_combinations_of_all_spaces() -> None:
    """Space by space; the last name changes fastest."""
    spaces = [
        {"a": read_distribution([1, 2]), "b": read_distribution(["x", "y"])},
        {"a": read_distribution(3)},
    ]
    assert [tuple(one.values()) for one in combinations(spaces)] == [(1, "x"), (1, "y"), (2, "x"), (2, "y"), (3,)]
    assert count_combinations(spaces) == 5
