"""Known answers put to the model: the recipe judged, and the pictures chosen that go into the bundle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np

from edge.artifacts.answers import Answer, Classes, read_answers, shortened
from edge.artifacts.fitting import Fit, ProbsF64, Recipe, judge, measure, recipes, tensors, undecided
from edge.bundle import Preprocessing
from edge.errors import ConfigError, InputError, ModelInvalidError
from edge.predictor import BatchF32, OutputsF32

MAX_JUDGED = 60
"""Pictures that are put to the model twelve times; enough to judge by, and minutes are not spent."""
MAX_STORED = 20
MAX_STORED_BYTES = 3_000_000
MARGIN = 0.05
"""How far a stored answer must be from turning over: devices differ in the third digit, never that much."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A picture for the bundle, and the probabilities (0..1) that were measured."""

    answer: Answer
    data: bytes
    probs: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What known answers showed.

    ``given`` pictures were there, ``judged`` of them were put to the model, evenly over the classes, and ``right`` of
    those came out; ``missed`` names the others with what was known and what was found. ``fit`` is how well, in words.
    ``undecided`` lists other ways to prepare a picture that these answers do not rule out: more of them would.
    """

    given: int
    judged: int
    right: int
    missed: tuple[str, ...]
    fit: str
    undecided: tuple[str, ...]
    stored: tuple[Stored, ...]


def gather(
    folder: Path,
    classes: Classes,
    *,
    preprocessing: Preprocessing,
    chosen: Recipe,
    run: Callable[[BatchF32], OutputsF32],
) -> Evidence:
    """Judge the chosen recipe by the pictures in ``folder`` and choose those to store.

    Raises ConfigError for a folder or pictures that cannot be used, ModelInvalidError where another recipe, or none,
    fits, or where no answer is firm enough to be stored.
    """
    given = read_answers(folder, classes)
    answers = evenly(given)[:MAX_JUDGED]
    wanted = recipes(preprocessing)
    outputs = _outputs(answers, preprocessing, wanted, run)
    fits = measure(outputs, answers, classes, wanted=wanted)
    fit = judge(fits, chosen)
    stored = _stored(answers, fit, classes)
    if not stored:
        raise ModelInvalidError(
            f"none of the pictures in {folder} can be stored: each is larger than {MAX_STORED_BYTES:,} bytes, or its "
            "answer is too close to another one"
        )
    return Evidence(
        given=len(given),
        judged=len(answers),
        right=fit.hits,
        missed=_missed(answers, fit, classes),
        fit=str(fit),
        undecided=tuple(undecided(fits, fit)),
        stored=stored,
    )


def evenly(answers: Sequence[Answer]) -> list[Answer]:
    """Return the answers so that any beginning of them holds as many kinds of labels as it can."""
    kinds: dict[frozenset[str], list[Answer]] = {}
    for answer in answers:
        kinds.setdefault(answer.labels, []).append(answer)
    rounds = zip_longest(*(kinds[kind] for kind in sorted(kinds, key=sorted)))
    return [answer for answer in chain.from_iterable(rounds) if answer is not None]


def _outputs(
    answers: Sequence[Answer],
    preprocessing: Preprocessing,
    wanted: Sequence[Recipe],
    run: Callable[[BatchF32], OutputsF32],
) -> list[OutputsF32]:
    """Return the logits [recipes, classes] of each picture. Raises ConfigError naming pictures that cannot be read."""
    outputs, problems = [], []
    for answer in answers:
        try:
            outputs.append(run(tensors(answer.path.read_bytes(), preprocessing, wanted)))
        except (InputError, OSError) as error:
            problems.append(f"{answer.path} cannot be used: {error}")
    if problems:
        raise ConfigError(shortened(problems))
    return outputs


def _missed(answers: Sequence[Answer], fit: Fit, classes: Classes) -> tuple[str, ...]:
    wrong = [(a, probs) for a, probs, right in zip(answers, fit.probs, fit.right, strict=True) if not right]
    return tuple(f"{a.name}: known {_listed(a.labels)}, found {_found(probs, classes)}" for a, probs in wrong)


def _found(probs: ProbsF64, classes: Classes) -> str:
    labels = classes.said(probs.tolist())
    return f"{_listed(labels)} ({', '.join(f'{probs[classes.labels.index(label)]:.2f}' for label in sorted(labels))})"


def _listed(labels: frozenset[str]) -> str:
    return ", ".join(sorted(labels)) or "no label"


def _stored(answers: Sequence[Answer], fit: Fit, classes: Classes) -> tuple[Stored, ...]:
    """Return the first right and firm answers that fit into the bundle's budget, evenly over the classes."""
    stored: list[Stored] = []
    room_bytes = MAX_STORED_BYTES
    for answer, probs, right in zip(answers, fit.probs, fit.right, strict=True):
        if not right or not _firm(probs, classes) or len(stored) == MAX_STORED:
            continue
        data = answer.path.read_bytes()
        if len(data) <= room_bytes:
            room_bytes -= len(data)
            stored.append(Stored(answer, data, tuple(probs.tolist())))
    return tuple(stored)


def _firm(probs: ProbsF64, classes: Classes) -> bool:
    """Tell whether an answer stays the same when its probabilities move by the margin."""
    if classes.threshold is not None:
        return bool(np.abs(probs - classes.threshold).min() > MARGIN)
    return len(probs) == 1 or bool(np.diff(np.sort(probs)[-2:])[0] > 2 * MARGIN)
