"""Where a fit computes, and how precisely: a CPU in full, a GPU in half precision where that loses nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch

from training.errors import UsageError
from training.local.allocator import keep_freed_memory

FitDevice = Literal["auto", "cpu", "gpu"]


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A device, and the type that convolutions and products are computed in; None: float32 as everything else."""

    device: torch.device
    precision: torch.dtype | None = None

    def __str__(self) -> str:
        name = "CPU" if self.device.type == "cpu" else torch.cuda.get_device_name(self.device)
        return name if self.precision is None else f"{name} ({str(self.precision).removeprefix('torch.')})"

    def autocast(self) -> torch.autocast:
        """Return the context that a forward pass runs in."""
        return torch.autocast(self.device.type, dtype=self.precision, enabled=self.precision is not None)

    def scaler(self) -> torch.GradScaler:
        """Return what keeps float16's small gradients from vanishing; for other types it does nothing."""
        return torch.GradScaler(self.device.type, enabled=self.precision == torch.float16)


CPU = Accelerator(torch.device("cpu"))


def choose(device: FitDevice) -> Accelerator:
    """Return the GPU where there is one and it is wanted, else the CPU.

    bfloat16 has float32's range and is taken where the GPU has it; older ones compute in float16.

    Raises:
        UsageError: a GPU is asked for, and torch sees none.
    """
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return CPU
    if not torch.cuda.is_available():
        raise UsageError(
            "no GPU: torch sees none; check nvidia-smi and that torch is built for CUDA, or leave out --device"
        )
    halves = torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return Accelerator(torch.device("cuda"), halves)


@contextmanager
def repeatable(threads: int) -> Iterator[None]:
    """Compute on so many threads, and in the same order every time, as far as that costs nothing.

    What is freed stays with the process, for good; all else is afterwards as it was.
    """
    keep_freed_memory()
    had, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    switches: Any = torch.utils.deterministic  # its one switch is missing from the package's types
    before = switches.fill_uninitialized_memory, torch.backends.cudnn.deterministic
    switches.fill_uninitialized_memory = False  # it would write every tensor twice
    torch.backends.cudnn.deterministic = True
    # on a GPU some operations have no such form, and cuBLAS wants a variable set before torch begins
    torch.use_deterministic_algorithms(not torch.cuda.is_available())
    try:
        yield
    finally:
        torch.set_num_threads(had)
        torch.use_deterministic_algorithms(strict)
        switches.fill_uninitialized_memory, torch.backends.cudnn.deterministic = before
