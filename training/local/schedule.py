"""Learning-rate factors over the steps of a fit; pure arithmetic on AutoML's hyperparameters."""

import math
from collections.abc import Callable

from training.settings import Settings


def learning_rate_factor(settings: Settings, steps_per_epoch: int) -> Callable[[int], float]:
    """Return step number (from 0) → factor 0..1 on the learning rate, after the scheduler that the settings name."""
    if settings.learning_rate_scheduler == "step":
        return lambda step: settings.step_lr_gamma ** (step // steps_per_epoch // settings.step_lr_step_size)
    warmup = min(settings.warmup_cosine_lr_warmup_epochs, settings.number_of_epochs - 1) * steps_per_epoch
    total = settings.number_of_epochs * steps_per_epoch
    return lambda step: _warmup_cosine(step, warmup, total, settings.warmup_cosine_lr_cycles)


def _warmup_cosine(step: int, warmup: int, total: int, cycles: float) -> float:
    """Rise linearly over the warm-up, then follow a cosine for `cycles` of its period (0.5 ends at zero)."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(1, total - warmup)
    return 0.5 * (1 + math.cos(2 * math.pi * cycles * progress))
