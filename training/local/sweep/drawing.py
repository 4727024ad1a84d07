"""How values are drawn from AutoML's distributions, of which Optuna knows but a few.

What Optuna has no name for is drawn as what it is made of: the exponent of a logarithmic one, the quantile of a normal
one. So Bayesian sampling learns on an even scale, whatever is made of a draw afterwards.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import NormalDist
from typing import Any, Protocol

from training.hyperparameters import Value, parameter
from training.search_space import AnyDistribution, Normal, OneOf, RandInt, Uniform

Space = Mapping[str, AnyDistribution]
SPACE = "space"
"""What Optuna knows the choice among several spaces by."""
EDGE = 1e-9
"""Quantiles nearer to 0 or 1 are not drawn: there a normal distribution is without end."""


class Suggests(Protocol):
    """What is asked for numbers: Optuna's trial."""

    def suggest_float(self, name: str, low: float, high: float) -> float:
        """Return a number between both."""
        ...

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Return a whole number between both, each included."""
        ...

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return one of the choices."""
        ...


def draw(trial: Suggests, spaces: Sequence[Space]) -> dict[str, Value]:
    """Return a value for each hyperparameter of one of the spaces, which are equally likely."""
    if len(spaces) == 1:
        return {name: draw_value(trial, name, name, drawn) for name, drawn in spaces[0].items()}
    number = trial.suggest_int(SPACE, 1, len(spaces))
    return {name: draw_value(trial, f"{number}.{name}", name, drawn) for name, drawn in spaces[number - 1].items()}


def draw_value(trial: Suggests, key: str, name: str, drawn: AnyDistribution) -> Value:
    """Return a value of one hyperparameter, which Optuna knows by ``key``."""
    if isinstance(drawn, OneOf):
        chosen: Value = trial.suggest_categorical(key, drawn.values)
        return chosen
    if isinstance(drawn, RandInt):
        return trial.suggest_int(key, 0, drawn.upper - 1)
    known = parameter(name)
    value = shaped(drawn, _even(trial, key, drawn))
    return int(value) if known is not None and known.kind == "whole" and math.isfinite(value) else value


def _even(trial: Suggests, key: str, drawn: Uniform | Normal) -> float:
    if isinstance(drawn, Normal):
        return NormalDist(drawn.mu, drawn.sigma).inv_cdf(trial.suggest_float(key, EDGE, 1 - EDGE))
    return trial.suggest_float(key, drawn.min_value, drawn.max_value)


def shaped(drawn: Uniform | Normal, value: float) -> float:
    """Return what a draw stands for: exponentiated and rounded to multiples of q, where the distribution says so."""
    if "log" in drawn.type:
        try:
            value = math.exp(value)
        except OverflowError:
            return math.inf
    q = getattr(drawn, "q", None)
    return value if q is None else float(f"{round(value / q) * q:.12g}")


def combinations(spaces: Sequence[Space]) -> Iterator[dict[str, Value]]:
    """Yield all combinations of spaces that hold choices only, space by space; the last name changes fastest."""
    for space in spaces:
        values = [drawn.values for drawn in space.values() if isinstance(drawn, OneOf)]
        for chosen in itertools.product(*values):
            yield dict(zip(space, chosen, strict=True))


def count_combinations(spaces: Sequence[Space]) -> int:
    """Return how many there are."""
    return sum(math.prod(len(drawn.values) for drawn in space.values() if isinstance(drawn, OneOf)) for space in spaces)
