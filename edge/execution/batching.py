"""The batching policy, pure: when a batch goes, which size it is padded to."""

from collections.abc import Sequence

import numpy as np

from edge.predictor import BatchF32, TensorF32


def remaining_wait_s(*, gathered: int, limit: int, expected: int, waited_s: float, max_delay_s: float) -> float:
    """Return how many seconds a batch may still wait for company; 0 means that it goes now.

    ``gathered`` pictures are in it, ``limit`` is its largest size, ``expected`` counts all pictures that are accepted
    and not answered, those in the batch included: when all of them are in, nobody else can come and waiting is in vain.
    """
    if gathered >= limit or gathered >= expected:
        return 0.0
    return max(0.0, max_delay_s - waited_s)


def bucket(count: int, sizes: Sequence[int]) -> int:
    """Return the smallest of the ascending ``sizes`` that holds ``count``; ``count`` itself where any size runs."""
    return next((size for size in sizes if size >= count), count)


def pad(tensors: Sequence[TensorF32], size: int) -> BatchF32:
    """Return one batch [size, 3, height, width] that begins with ``tensors``; the rows behind them are zeros."""
    if len(tensors) == size == 1:
        return tensors[0][np.newaxis]
    batch = np.zeros((size, *tensors[0].shape), np.float32)
    for row, tensor in enumerate(tensors):
        batch[row] = tensor
    return batch
