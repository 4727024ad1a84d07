"""From a session's logits to the probabilities that an explanation follows, in batches of a size the session runs."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edge.errors import InferenceError
from edge.postprocess.classification import sigmoid, softmax
from edge.predictor import BatchF32, OutputsF32, TensorF32

Mask = NDArray[np.float32]
"""What is seen of a picture [side, side]: 1 all, 0 nothing."""

LARGEST = 16
"""The most inputs a run where the session names its sizes."""


def always() -> bool:
    """Never wait, and never stop."""
    return True


@dataclass(frozen=True, slots=True)
class Scores:
    """Tells the probabilities of ``classes`` (indices), by ``run`` on batches of ``size`` inputs.

    ``turn`` is called before each run: it may wait, and returns False where there is no time left for more.
    """

    run: Callable[[BatchF32], OutputsF32]
    classes: tuple[int, ...]
    multilabel: bool = False
    size: int = 1
    turn: Callable[[], bool] = always

    def of(self, inputs: BatchF32) -> NDArray[np.float64]:
        """Return the probabilities [n, classes], 0..1, of at most ``size`` inputs [n, 3, side, side].

        What is missing of a batch is filled with zeros. Raises what ``run`` raises, and InferenceError where an output
        is not finite.
        """
        missing = np.zeros((self.size - len(inputs), *inputs.shape[1:]), np.float32)
        outputs = self.run(np.concatenate([inputs, missing]) if len(missing) else inputs)[: len(inputs)]
        if not np.isfinite(outputs).all():
            raise InferenceError("the model answered a picture with a part hidden with numbers that are not finite")
        return (sigmoid if self.multilabel else softmax)(outputs)[:, list(self.classes)]

    def seen_through(self, tensor: TensorF32, masks: Iterable[Mask]) -> Iterator[tuple[Mask, NDArray[np.float64]]]:
        """Yield each mask with the probabilities [classes] of ``tensor`` seen through it, until no time is left.

        What is hidden has the picture's own mean colour.
        """
        mean = tensor.mean(axis=(1, 2), keepdims=True)
        left, rest = iter(masks), tensor - mean
        while (part := list(islice(left, self.size))) and self.turn():
            yield from zip(part, self.of(mean + rest * np.stack(part)[:, np.newaxis]), strict=True)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Maps float32 [classes, side, side] of -1..1 (0: the pixel does not matter), and how many inputs were run.

    ``maps`` is empty [classes, 0, 0] where the time did not suffice for any.
    """

    maps: NDArray[np.float32]
    runs: int

    @classmethod
    def none(cls, scores: Scores) -> Self:
        """Return what there is when the time suffices for nothing."""
        return cls(np.zeros((len(scores.classes), 0, 0), np.float32), 0)


def chunk_size(batch_sizes: Sequence[int], *, otherwise: int) -> int:
    """Return how many inputs go into a run: the most of ``batch_sizes`` (ascending, the only ones allowed) up to 16.

    ``otherwise`` is returned for no sizes, where any number goes.
    """
    fitting = [size for size in batch_sizes if size <= LARGEST]
    return fitting[-1] if fitting else min(batch_sizes, default=otherwise)
