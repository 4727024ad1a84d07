"""Memory that does not suffice: how it is told, and what is free."""

import torch

SAYINGS = ("can't allocate memory", "not enough memory", "std::bad_alloc", "out of memory")
"""What torch's allocators for CPUs, its C++ and CUDA's libraries say. Only of GPUs it is a type of its own."""


def is_shortage(error: BaseException) -> bool:
    """Tell whether an error says that there is no memory left."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(saying in str(error) for saying in SAYINGS)
