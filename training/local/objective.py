"""What a task asks of a network: the loss that it learns by, and the figures that its answers are judged by.

Labels are int64 [N] where the task is multi-class, float32 [N,classes] of zeros and ones where it is multi-label.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from edge.bundle import Task
from training.dataset.annotations import MULTILABEL
from training.image_models import METRICS

LABEL_SMOOTHING = 0.1
"""How far a label is moved towards all classes alike: Szegedy et al. 2015, arXiv:1512.00567."""


class Loss(nn.Module):
    """Cross entropy over the classes, or binary cross entropy of each; the mean over pictures, labels smoothed."""

    weights: Tensor | None

    def __init__(self, task: Task, weights: Tensor | None) -> None:
        super().__init__()
        self._task = task
        self.register_buffer("weights", weights)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return a scalar for logits [N,classes] and labels."""
        if self._task == MULTILABEL:
            smooth = labels * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / 2
            # torch's pos_weight would weigh also the little presence that smoothing gives to what is absent
            weights = None if self.weights is None else 1 + (self.weights - 1) * labels
            return binary_cross_entropy_with_logits(logits, smooth, weights)
        return cross_entropy(logits, labels, self.weights, label_smoothing=LABEL_SMOOTHING)


def class_weights(task: Task, labels: Tensor, classes: int, mode: int) -> Tensor | None:
    """Return a weight a class, float32 [classes]: none (0), the root of the inverse frequency (1), or that itself (2).

    Where the task is multi-label they weigh a class's presence against its absence: absent through present.
    """
    if mode == 0:
        return None
    if task == MULTILABEL:
        counts = labels.sum(0)
        weights = (len(labels) - counts).clamp(min=1) / counts.clamp(min=1)
    else:
        counts = torch.bincount(labels, minlength=classes).clamp(min=1).to(torch.float32)
        weights = counts.sum() / (classes * counts)
    return weights if mode == 2 else weights.sqrt()


def scores(task: Task, logits: Tensor, labels: Tensor) -> Tensor:
    """Return how right each answer is, float32 [N]: 0 or 1, or intersection over union where several may be right.

    A class is answered above a probability of one half. No class answered where there is none is right.
    """
    if task != MULTILABEL:
        return (logits.argmax(1) == labels).to(torch.float32)
    answered, present = logits > 0, labels > 0
    union = (answered | present).sum(1)
    return torch.where(union == 0, 1.0, (answered & present).sum(1) / union.clamp(min=1))


def judged(task: Task, logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Return the primary metric (0..1) and ``log_loss`` (nats, without smoothing) as means over pictures."""
    loss = binary_cross_entropy_with_logits if task == MULTILABEL else cross_entropy
    return {
        METRICS[task]: float(scores(task, logits, labels).to(torch.float64).mean()),
        "log_loss": float(loss(logits.to(torch.float64), labels.to(torch.float64) if task == MULTILABEL else labels)),
    }
