"""The optimizer that the settings name."""

import torch
from torch import nn

from training.settings import Settings


def optimizer_for(network: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """Return the optimizer of all weights that are not frozen; biases and norms (one axis) are not decayed."""
    learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
    weights = [parameter for parameter in learnt if parameter.ndim > 1]
    others = [parameter for parameter in learnt if parameter.ndim <= 1]
    groups = [{"params": weights, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
    rate = settings.learning_rate
    if settings.optimizer == "sgd":
        nesterov = bool(settings.nesterov) and settings.momentum > 0
        return torch.optim.SGD(groups, lr=rate, momentum=settings.momentum, nesterov=nesterov)
    kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
    betas = (settings.beta1, settings.beta2)
    return kind(groups, lr=rate, betas=betas, amsgrad=bool(settings.ams_gradient))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = rate
