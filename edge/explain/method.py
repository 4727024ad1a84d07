"""The methods by their names, what bounds them, and which classes of an answer they explain."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, get_args

from edge.explain.occlusion import occlusion
from edge.explain.rise import rise
from edge.explain.scores import Explanation, Scores
from edge.predictor import TensorF32
from edge.results import Classification

Method = Literal["occlusion", "rise"]
METHODS: tuple[Method, ...] = get_args(Method)
MIN_RUNS = 2
MAX_RUNS = 10_000
DEFAULT_RUNS = 200

_EXPLAIN: Mapping[Method, Callable[[TensorF32, Scores, int, int], Explanation]] = MappingProxyType(
    {
        "occlusion": lambda tensor, scores, runs, _seed: occlusion(tensor, scores, runs=runs),
        "rise": lambda tensor, scores, runs, seed: rise(tensor, scores, runs=runs, seed=seed),
    }
)


def explain(
    tensor: TensorF32, scores: Scores, *, method: Method, runs: int = DEFAULT_RUNS, seed: int = 0
) -> Explanation:
    """Return how much each pixel of the prepared picture [3, side, side] speaks for each of the scores' classes.

    ``runs`` (``MIN_RUNS`` to ``MAX_RUNS``) bounds the inputs that are run. The same arguments give the same maps;
    ``seed`` counts for ``rise`` only. Raises what the scores raise.
    """
    return _EXPLAIN[method](tensor, scores, runs, seed)


def explained_classes(answer: Classification, threshold: float | None = None) -> tuple[int, ...]:
    """Return the indices of the classes to explain: the top class, or all selected ones of a multi-label answer.

    A ``threshold`` selects the probabilities above it instead of the model's own selection.
    """
    if answer.selected is None:
        return (answer.labels.index(answer.label),)
    if threshold is None:
        return tuple(answer.labels.index(label) for label in answer.selected)
    return tuple(index for index, probability in enumerate(answer.probs) if probability > threshold)
