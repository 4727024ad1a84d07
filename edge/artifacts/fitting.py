"""Which range, rule and colour order make the model say what is known? Measured for all twelve; judged without I/O.

A graph says nothing of the three, and a wrong guess gives answers that look like answers. Only a clear difference
counts: a recipe that these pictures cannot tell from the best one is as good as the best.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from edge.artifacts.answers import Answer, Classes
from edge.bundle import Colour, Preprocessing, Range, Rule
from edge.errors import ModelInvalidError
from edge.postprocess.classification import sigmoid, softmax
from edge.predictor import BatchF32, OutputsF32
from edge.preprocess.classification import crop, normalise
from edge.preprocess.decode import MAX_PIXELS, picture

LEAST_RIGHT = 0.8
"""The share of known answers that must come out."""
CLOSE = 0.05
"""How far a probability may be from a known one to count as right."""
FLOOR = 1e-7
"""Least probability in a logarithm."""

ProbsF64 = NDArray[np.float64]
"""Probabilities [classes] of one picture, 0..1."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the graph does not say."""

    range: Range
    rule: Rule
    colour: Colour

    def differences(self, other: "Recipe") -> list[str]:
        """Return the names of the parts in which two recipes differ."""
        return [part for part in PARTS if getattr(self, part) != getattr(other, part)]

    def named(self, parts: Sequence[str]) -> str:
        """Return the named parts as a person reads them."""
        return " and ".join(f"{part} {getattr(self, part)}" for part in parts)


PARTS = ("range", "rule", "colour")


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a recipe fits the known answers.

    ``probs`` are what the model said to each picture. ``right`` tells which of them were right. ``loss`` is the mean
    log-loss (nats), or, where all probabilities are known (``exact``), the mean of the largest difference of one.
    """

    recipe: Recipe
    probs: tuple[ProbsF64, ...]
    right: tuple[bool, ...]
    loss: float
    exact: bool

    @property
    def hits(self) -> int:
        """The number of right pictures."""
        return sum(self.right)

    def __str__(self) -> str:
        measure = f"probabilities off by {self.loss:.3f}" if self.exact else f"log-loss {self.loss:.3g}"
        return f"{self.hits} of {len(self.right)} right, {measure}"


def recipes(preprocessing: Preprocessing) -> list[Recipe]:
    """Return the twelve recipes, or six where the square rule cannot serve sizes with a crop beyond the resize."""
    rules = [rule for rule in get_args(Rule) if rule != "square" or preprocessing.resize >= preprocessing.crop]
    return [Recipe(*parts) for parts in product(get_args(Range), rules, get_args(Colour))]


def tensors(data: bytes, preprocessing: Preprocessing, wanted: Sequence[Recipe]) -> BatchF32:
    """Return the inputs [recipes, 3, crop, crop] of one picture. Raises ImageDecodeError, ImageTooLargeError."""
    image = picture(data, max_pixels=MAX_PIXELS)
    crops = {
        rule: crop(image, preprocessing.model_copy(update={"rule": rule})) for rule in {one.rule for one in wanted}
    }
    return np.stack([normalise(crops[one.rule], colour=one.colour, value_range=one.range) for one in wanted])


def measure(
    outputs: Sequence[OutputsF32], answers: Sequence[Answer], classes: Classes, *, wanted: Sequence[Recipe]
) -> list[Fit]:
    """Return the fit of each recipe; ``outputs`` holds one array of logits [recipes, classes] a picture."""
    activation = softmax if classes.threshold is None else sigmoid
    probs = activation(np.nan_to_num(np.stack(outputs)))
    return [fit(recipe, list(probs[:, index]), answers, classes) for index, recipe in enumerate(wanted)]


def fit(recipe: Recipe, probs: Sequence[ProbsF64], answers: Sequence[Answer], classes: Classes) -> Fit:
    """Return how well the probabilities that came out fit the known answers."""
    exact = all(answer.probs is not None for answer in answers)
    right = [_is_right(found, answer, classes) for found, answer in zip(probs, answers, strict=True)]
    losses = [
        _distance(found, answer.probs) if exact and answer.probs else _log_loss(found, answer, classes)
        for found, answer in zip(probs, answers, strict=True)
    ]
    return Fit(recipe, tuple(probs), tuple(right), float(np.mean(losses)), exact)


def _is_right(found: ProbsF64, answer: Answer, classes: Classes) -> bool:
    if classes.said(found.tolist()) != answer.labels:
        return False
    return answer.probs is None or _distance(found, answer.probs) <= CLOSE


def _distance(found: ProbsF64, known: tuple[float, ...]) -> float:
    return float(np.abs(found - np.array(known)).max())


def _log_loss(found: ProbsF64, answer: Answer, classes: Classes) -> float:
    """Return the cross-entropy of one picture; for multi-label models the mean over the classes."""
    true = np.array([label in answer.labels for label in classes.labels])
    probs = np.clip(found, FLOOR, 1 - FLOOR)
    if classes.threshold is None:
        return float(-np.log(probs[true]).sum())
    return float(-np.log(np.where(true, probs, 1 - probs)).mean())


def clearly_better(one: Fit, other: Fit) -> bool:
    """Tell whether the difference between two fits is more than these pictures' chance.

    With known probabilities: three times closer and more than 0.01. With labels: at least two pictures, and a tenth of
    all, more; or no fewer pictures and less than half the log-loss, by more than 0.2. The log-loss says nothing for
    0-255 against smaller ranges: a graph that is fed larger numbers answers more firmly, be it right or wrong.
    """
    if one.exact:
        return other.loss > 3 * one.loss + 0.01
    lead = one.hits - other.hits
    if lead >= max(2, 0.1 * len(one.right)):
        return True
    only_louder = one.recipe.range == "0-255" != other.recipe.range
    return lead >= 0 and not only_louder and other.loss > 2 * one.loss + 0.2


def judge(fits: Sequence[Fit], chosen: Recipe) -> Fit:
    """Return the fit of the chosen recipe if no other is clearly better and enough known answers come out.

    Raises ModelInvalidError naming the right recipe and the arguments for it, or saying that none is right.
    """
    good = [one for one in fits if one.hits >= LEAST_RIGHT * len(one.right) and not _beaten(one, fits)]
    if not good:
        best = max(fits, key=lambda one: (one.hits, -one.loss))
        raise ModelInvalidError(
            f"the known answers do not come out, whatever range, rule and colour order: at best {best} with "
            f"{best.recipe.named(PARTS)}; are they answers of this model, and is labels.json its own?"
        )
    mine = next(one for one in fits if one.recipe == chosen)
    if mine not in good:
        raise ModelInvalidError(_correction(mine, min(good, key=lambda one: _distance_from(chosen, one))))
    return mine


def _beaten(one: Fit, fits: Sequence[Fit]) -> bool:
    return any(clearly_better(other, one) for other in fits)


def _distance_from(chosen: Recipe, one: Fit) -> tuple[float, ...]:
    """Sort key among good fits: what changes least, then AutoML's default range, then what fits best."""
    return (len(one.recipe.differences(chosen)), -one.hits, one.recipe.range != "imagenet", one.loss)


def _correction(mine: Fit, right: Fit) -> str:
    parts = right.recipe.differences(mine.recipe)
    arguments = " ".join(f"--{part} {getattr(right.recipe, part)}" for part in parts)
    return (
        f"these pictures fit {right.recipe.named(parts)} ({right}), not {mine.recipe.named(parts)} ({mine}): "
        f"pass {arguments}"
    )


def undecided(fits: Sequence[Fit], mine: Fit) -> list[str]:
    """Return the other recipes that these answers do not rule out although they make the model say other things."""
    rivals = [one for one in fits if one is not mine and not clearly_better(mine, one) and _differ(one, mine)]
    return [one.recipe.named(one.recipe.differences(mine.recipe)) for one in rivals]


def _differ(one: Fit, other: Fit) -> bool:
    """Tell whether two recipes give another probability, beyond what counts as close, for some picture."""
    return any(np.abs(a - b).max() > CLOSE for a, b in zip(one.probs, other.probs, strict=True))
