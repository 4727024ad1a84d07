"""How torch tells that memory does not suffice."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from training.errors import OutOfMemoryError

SAYINGS = (
    *("can't allocate memory", "not enough memory", "std::bad_alloc", "out of memory"),
    *("could not create a primitive", "could not create a memory"),
)
"""What torch's allocators for CPUs, its C++, CUDA's libraries and oneDNN say. Only of GPUs it is a type of its own."""


def is_shortage(error: BaseException) -> bool:
    """Tell whether an error says that there is no memory left."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(saying in str(error) for saying in SAYINGS)


@contextmanager
def told_shortage(remedy: str) -> Iterator[None]:
    """Turn what torch says where there is no memory left into an error with a remedy."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_shortage(error):
            raise
        said = str(error).partition("\n")[0]
        raise OutOfMemoryError(f"out of memory; {remedy}, or end what else runs (torch says: {said})") from error
