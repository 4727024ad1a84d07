"""Logits to classes: softmax for multi-class, sigmoid with a threshold for multi-label.

The exported graphs of AutoML for Images end in raw logits; the training code and the cloud endpoint apply these
functions after the graph.
"""

import numpy as np
from numpy.typing import NDArray

from edge.errors import InferenceError
from edge.results import Classification


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return probabilities along the last axis, in float64 and shifted by the maximum so that nothing overflows."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted)
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(-x)) in float64, written with tanh so that nothing overflows."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits.astype(np.float64))))


def classify(logits: NDArray[np.float32], *, labels: tuple[str, ...], threshold: float | None) -> Classification:
    """Return the classes of one picture from its logits [classes].

    ``threshold`` None means multi-class; a number in 0..1 means multi-label and selects probabilities strictly above
    it, as the service does. Raises InferenceError where a logit is not finite.
    """
    if not np.isfinite(logits).all():
        raise InferenceError("the model answered with numbers that are not finite (NaN or infinity)")
    probabilities = softmax(logits) if threshold is None else sigmoid(logits)
    probs = tuple(probabilities.tolist())
    best = int(probabilities.argmax())
    selected = None if threshold is None else tuple(x for x, p in zip(labels, probs, strict=True) if p > threshold)
    return Classification(labels[best], probs[best], labels, probs, selected)
