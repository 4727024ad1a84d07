"""The smallest honest trainer: seeded, from scratch, on CPU, one network, one pass over all pictures an epoch.

Label smoothing (0.1; Szegedy et al. 2015, arXiv:1512.00567) is always on. What is judged and kept is a moving average
of the weights (Polyak and Juditsky 1992): that of the best epoch by held-out accuracy or, with nothing held out, of the
last.
"""

import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edge.bundle import Preprocessing
from training.errors import DivergenceError
from training.local.augment import Augment
from training.local.examples import Examples, validation_inputs
from training.local.schedule import learning_rate_factor
from training.settings import Settings

LABEL_SMOOTHING = 0.1
AVERAGE_DECAY = 0.998


@dataclass(frozen=True, slots=True)
class Step:
    """Where a fit stands after one step. Loss and accuracies (0..1) are of the epoch so far; None: nothing held out."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    training_accuracy: float
    held_out_accuracy: float | None


Watch = Callable[[Step], object]


class Fit:
    """One training run of one network."""

    def __init__(self, network: nn.Module, settings: Settings, training: Examples, held_out: Examples | None) -> None:
        self._network = channels_last(network)
        self._settings = settings
        self._training = training
        self._held_out = held_out
        self._generator = torch.Generator().manual_seed(settings.random_seed)
        self._augment = Augment(settings.training_crop_size, self._generator)
        self._steps_per_epoch = max(1, len(training) // settings.training_batch_size)
        self._optimizer = _optimizer(network, settings)
        factor = learning_rate_factor(settings, self._steps_per_epoch)
        self._scheduler = torch.optim.lr_scheduler.LambdaLR(self._optimizer, factor)
        self._loss = nn.CrossEntropyLoss(
            weight=_class_weights(training.labels, settings.weighted_loss), label_smoothing=LABEL_SMOOTHING
        )
        self._average = _Average(network)
        self._best = _Best(settings)

    def run(self, watch: Watch) -> None:
        """Train to the end and leave the network in eval mode; `watch` is called after every step."""
        for epoch in range(1, self._settings.number_of_epochs + 1):
            asked = not self._run_epoch(epoch, watch)
            if asked or self._best.is_stale(epoch):
                break
        self._network.load_state_dict(self._best.state or self._average.network.state_dict())
        self._network.eval()

    def _run_epoch(self, epoch: int, watch: Watch) -> bool:
        self._network.train()
        loss_sum, right, seen = 0.0, 0, 0
        going: object = True
        for step, (views, labels) in enumerate(self._batches(), 1):
            logits, loss = self._step(views, labels)
            loss_sum, right, seen = loss_sum + loss * len(labels), right + _hits(logits, labels), seen + len(labels)
            held_out = self._judge(epoch) if step == self._steps_per_epoch else None
            going = watch(
                Step(
                    epoch,
                    self._settings.number_of_epochs,
                    step,
                    self._steps_per_epoch,
                    loss_sum / seen,
                    right / seen,
                    held_out,
                )
            )
        return going is not False

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Shuffle and cut into whole batches; the few that are left over come up in another epoch."""
        size = min(self._settings.training_batch_size, len(self._training))
        order = torch.randperm(len(self._training), generator=self._generator)
        for number in range(self._steps_per_epoch):
            batch = self._training.subset(order[number * size : (number + 1) * size].tolist())
            yield self._augment(batch.pictures), batch.labels

    def _step(self, views: Tensor, labels: Tensor) -> tuple[Tensor, float]:
        logits = self._network(views)
        loss = self._loss(logits, labels)
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        self._scheduler.step()
        self._average.follow(self._network)
        return logits.detach(), self._finite(float(loss.detach()))

    def _finite(self, loss: float) -> float:
        if not math.isfinite(loss):
            rate = self._settings.learning_rate
            raise DivergenceError(f"the loss became {loss} at learning_rate={rate:g}; set a lower one")
        return loss

    def _judge(self, epoch: int) -> float | None:
        due = epoch % self._settings.evaluation_frequency == 0 or epoch == self._settings.number_of_epochs
        if self._held_out is None or not due:
            return None
        average, held_out = self._average.network, self._held_out
        accuracy = _hits(predict(average, held_out, self._settings), held_out.labels) / len(held_out)
        self._best.offer(accuracy, epoch, average)
        return accuracy


class _Average:
    """A copy of the network whose weights and BatchNorm statistics trail as an exponential moving average.

    The decay starts low, so that a short fit is not held back by its first steps.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = deepcopy(network).eval()
        self._steps = 0

    @torch.no_grad()
    def follow(self, network: nn.Module) -> None:
        """Move towards the network as it is now."""
        self._steps += 1
        decay = min(AVERAGE_DECAY, (1 + self._steps) / (10 + self._steps))
        for mine, current in zip(self.network.state_dict().values(), network.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(current, 1 - decay)
            else:
                mine.copy_(current)


class _Best:
    """The weights of the best epoch so far, and whether waiting longer is worth it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._accuracy = -1.0
        self._epoch = 0
        self.state: dict[str, Tensor] | None = None

    def offer(self, accuracy: float, epoch: int, network: nn.Module) -> None:
        if accuracy > self._accuracy:
            self._accuracy, self._epoch, self.state = accuracy, epoch, deepcopy(network.state_dict())

    def is_stale(self, epoch: int) -> bool:
        stop = self._settings
        waited = epoch - max(self._epoch, stop.early_stopping_delay)
        return bool(stop.early_stopping) and self.state is not None and waited >= stop.early_stopping_patience


def channels_last(network: nn.Module) -> nn.Module:
    """Lay convolution weights out channels last, as the views are: 10 to 20 % faster on a CPU than the default."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


@torch.no_grad()
def predict(network: nn.Module, examples: Examples, settings: Settings) -> Tensor:
    """Return raw logits [N,classes] of the examples, prepared as the edge does; leaves the network in eval mode."""
    network.eval()
    size = settings.validation_batch_size
    batches = [examples.pictures[start : start + size] for start in range(0, len(examples), size)]
    rule = preprocessing(settings)
    return torch.cat([network(torch.from_numpy(validation_inputs(batch, rule))) for batch in batches])


def preprocessing(settings: Settings) -> Preprocessing:
    """Return the rule by which the edge will prepare pictures for a network trained with these settings."""
    return Preprocessing(resize=settings.validation_resize_size, crop=settings.validation_crop_size)


def _hits(logits: Tensor, labels: Tensor) -> int:
    return int((logits.argmax(1) == labels).sum())


def _optimizer(network: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """Build the optimizer that the settings name; biases and norms (one axis) are not decayed."""
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
    rate = settings.learning_rate
    if settings.optimizer == "sgd":
        nesterov = bool(settings.nesterov) and settings.momentum > 0
        return torch.optim.SGD(groups, lr=rate, momentum=settings.momentum, nesterov=nesterov)
    kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, lr=rate, betas=(settings.beta1, settings.beta2))


def _class_weights(labels: Tensor, mode: int) -> Tensor | None:
    """Weigh classes by the inverse of their frequency (2), its root (1), or not (0)."""
    if mode == 0:
        return None
    counts = torch.bincount(labels).clamp(min=1).to(torch.float32)
    weights = counts.sum() / (len(counts) * counts)
    return weights if mode == 2 else weights.sqrt()
