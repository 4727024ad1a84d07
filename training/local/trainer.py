"""One network, trained epoch by epoch: seeded, so that the same fit on the same threads gives the same weights.

What is judged and kept is a moving average of the weights. All of a fit's state can be taken out between two epochs and
put into another process, which goes on as if nothing had been.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

import torch
from torch import Tensor, nn

from training.errors import DivergenceError, OutOfMemoryError
from training.export import preprocessing_of
from training.image_models import METRICS
from training.local import networks
from training.local.accelerator import CPU, Accelerator
from training.local.augment import Augment, ranges_of
from training.local.average import MovingAverage
from training.local.examples import Examples, validation_inputs
from training.local.objective import Loss, class_weights, judged, scores
from training.local.optimizer import optimizer_for, set_rate
from training.local.run import FROM_SCRATCH, Epoch
from training.local.schedule import learning_rate_factor
from training.local.shortage import is_shortage
from training.local.stopping import is_due
from training.recipe import Recipe
from training.settings import Settings

SMALLEST_BATCH = 2
"""One picture alone has no batch statistics."""


@dataclass(frozen=True, slots=True)
class Step:
    """Where a fit stands after one batch.

    ``loss`` and ``training_accuracy`` (the primary metric on random views, 0..1) are of the epoch so far;
    ``validation`` holds the figures of :class:`Epoch` after the last batch of a judged epoch.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    training_accuracy: float
    validation: Mapping[str, float] = field(default_factory=dict)


Watch = Callable[[Step], object]
Say = Callable[[str], object]
"""Hears, in a sentence, of what a person should know."""


class Trainer:
    """A network being trained on examples, and judged by those held out.

    ``judged_network`` is the one whose figures an epoch tells: the average, in eval mode, as :func:`dressed` has it.
    ``origin`` says where the first weights came from.
    """

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        training: Examples,
        held_out: Examples | None,
        *,
        classes: int,
        origin: str = FROM_SCRATCH,
        accelerator: Accelerator = CPU,
        say: Say = lambda _: None,
    ) -> None:
        settings = recipe.settings
        self.origin = origin
        self._recipe, self._settings, self.accelerator, self._say = recipe, settings, accelerator, say
        self._training, self._held_out = training, held_out
        self._network = channels_last(network).to(accelerator.device)
        self._average = MovingAverage(self._network)
        self._learning = dressed(self._network, recipe).to(accelerator.device)
        self.judged_network = dressed(self._average.network, recipe).to(accelerator.device)
        self._optimizer = optimizer_for(self._network, settings)
        self._scaler = accelerator.scaler()
        weights = class_weights(recipe.task, training.labels, classes, settings.weighted_loss)
        self._loss = Loss(recipe.task, weights).to(accelerator.device)
        self._generator = torch.Generator().manual_seed(settings.random_seed)
        self._augment = Augment(settings.training_crop_size, self._generator, ranges_of(recipe.views))
        self._batches = max(1, len(training) // settings.training_batch_size)
        self._factor = learning_rate_factor(settings, math.ceil(self._batches / settings.gradient_accumulation_step))
        self._steps = 0
        self._pieces = 1
        self._judged_at_once = settings.validation_batch_size

    @property
    def batch_size(self) -> int:
        """How many pictures are computed at a time: the batch, or a part of it where memory did not suffice."""
        return min(self._settings.training_batch_size, len(self._training)) // self._pieces

    @property
    def weights(self) -> dict[str, Any]:
        """The average's weights and statistics: what a run keeps."""
        return self._average.network.state_dict()

    def run_epoch(self, epoch: int, watch: Watch) -> Epoch:
        """Train for an epoch (from 1) and judge it where that is due; out of memory, again with smaller batches.

        Raises:
            DivergenceError: a loss or a weight is no number any more.
            OutOfMemoryError: not even two pictures at a time fit into the memory.
        """
        began = copied(self.state())
        while True:
            try:
                return self._epoch(epoch, watch)
            except (RuntimeError, MemoryError) as error:
                if not is_shortage(error):
                    raise
                said = str(error).partition("\n")[0]  # the error itself would hold on to the memory
            self._halve(epoch, said)
            self.load(began, pieces=self._pieces)

    def state(self) -> dict[str, Any]:
        """Return all that training goes on from: tensors and plain values, the live ones, not copies."""
        cuda = self.accelerator.device.type == "cuda"
        return {
            "network": self._network.state_dict(),
            "average": self._average.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "steps": self._steps,
            "pieces": self._pieces,
            "origin": self.origin,
            "generator": self._generator.get_state(),
            "torch_generator": torch.get_rng_state(),
            "cuda_generator": torch.cuda.get_rng_state() if cuda else None,
        }

    def load(self, state: Mapping[str, Any], *, pieces: int | None = None) -> None:
        """Go on from a state that :meth:`state` gave, here or in another process."""
        self._network.load_state_dict(state["network"])
        self._average.network.load_state_dict(state["average"])
        self._optimizer.load_state_dict(copied(state["optimizer"]))  # it takes the tensors themselves, and changes them
        self._scaler.load_state_dict(state["scaler"])
        self._steps, self._pieces = state["steps"], pieces or state["pieces"]
        self.origin = state["origin"]
        self._generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_generator"])
        if state["cuda_generator"] is not None and self.accelerator.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda_generator"])

    def _epoch(self, epoch: int, watch: Watch) -> Epoch:
        began = monotonic()
        self._learning.train()
        for step in self._train(epoch):
            if step.step == step.steps:
                step = replace(step, validation=self._judge(epoch))  # noqa: PLW2901 - the same step, with more told
            watch(step)
        rate = self._optimizer.param_groups[0]["lr"]
        return Epoch(epoch, monotonic() - began, rate, step.loss, step.training_accuracy, step.validation)

    def _train(self, epoch: int) -> Iterator[Step]:
        """Go through all pictures once; after each batch comes how the epoch stands."""
        loss_sum, score_sum, seen = 0.0, 0.0, 0
        epochs, together = self._settings.number_of_epochs, self._settings.gradient_accumulation_step
        for number, batch in enumerate(self._shuffled()):
            waiting = min(together, self._batches - number // together * together)
            loss, score = self._accumulate(self._training.subset(batch), waiting)
            self._check(loss, epoch)
            loss_sum, score_sum, seen = loss_sum + loss * len(batch), score_sum + score, seen + len(batch)
            if (number + 1) % together == 0 or number + 1 == self._batches:
                self._update()
            yield Step(epoch, epochs, number + 1, self._batches, loss_sum / seen, score_sum / seen)

    def _shuffled(self) -> Iterator[Sequence[int]]:
        """Shuffle and cut into whole batches; the few that are left over come up in another epoch."""
        size = min(self._settings.training_batch_size, len(self._training))
        order = torch.randperm(len(self._training), generator=self._generator).tolist()
        return (order[number * size : (number + 1) * size] for number in range(self._batches))

    def _accumulate(self, batch: Examples, batches: int) -> tuple[float, float]:
        """Add a batch's gradients, as one of so many of a step; return its mean loss and the sum of its scores."""
        views, device = self._augment(batch.pictures), self.accelerator.device
        loss_sum, score_sum = 0.0, 0.0
        pieces = (views.tensor_split(self._pieces), batch.labels.tensor_split(self._pieces))
        for some, labels in zip(*pieces, strict=True):
            wanted, share = labels.to(device), len(labels) / len(batch)
            with self.accelerator.autocast():
                logits = self._learning(some.to(device)).to(torch.float32)
                loss = self._loss(logits, wanted)
            self._scaler.scale(loss * share / batches).backward()
            loss_sum += float(loss.detach()) * share
            score_sum += float(scores(self._recipe.task, logits.detach(), wanted).sum())
        return loss_sum, score_sum

    def _update(self) -> None:
        """Take one step along the gradients."""
        set_rate(self._optimizer, self._settings.learning_rate * self._factor(self._steps))
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.zero_grad()
        self._steps += 1
        self._average.follow(self._network, self._steps)

    def _check(self, loss: float, epoch: int) -> None:
        if not math.isfinite(loss):
            raise DivergenceError(f"the loss became {loss} in epoch {epoch}; {self._remedy()}")

    def _remedy(self) -> str:
        return f"set a lower learning_rate (now {self._settings.learning_rate:g})"

    def _judge(self, epoch: int) -> dict[str, float]:
        """Return the figures of the pictures held out; nothing where there are none, or in an epoch without."""
        if not self._average.is_finite():
            raise DivergenceError(f"a weight is no number any more in epoch {epoch}; {self._remedy()}")
        due = is_due(epoch, self._settings.evaluation_frequency, self._settings.number_of_epochs)
        if self._held_out is None or not due:
            return {}
        figures = judged(self._recipe.task, self._answers(self._held_out), self._held_out.labels)
        self._check(figures["log_loss"], epoch)
        return figures

    def _answers(self, examples: Examples) -> Tensor:
        """Return logits [N,classes]; out of memory, with fewer pictures at a time."""
        while True:
            try:
                return predict(self.judged_network, examples, self._settings, self._judged_at_once)
            except (RuntimeError, MemoryError) as error:
                if not is_shortage(error) or self._judged_at_once == 1:
                    raise
            self._judged_at_once //= 2
            self._say(f"out of memory: judging {self._judged_at_once} pictures at a time from now on")

    def _halve(self, epoch: int, said: str) -> None:
        """Compute half as many pictures at a time from now on; a step stays as large as it was.

        Raises:
            OutOfMemoryError: there would be less than two.
        """
        had = self.batch_size
        if had // 2 < SMALLEST_BATCH:
            raise OutOfMemoryError(
                f"out of memory in epoch {epoch} with a batch of {had} pictures; set a smaller training_crop_size (now "
                f"{self._settings.training_crop_size}), take a smaller model than {self._recipe.model}, or end what "
                f"else runs (torch says: {said})"
            )
        self._pieces *= 2
        self._optimizer.zero_grad()
        if self.accelerator.device.type == "cuda":
            torch.cuda.empty_cache()
        self._say(
            f"out of memory: {had} pictures at a time were too many; epoch {epoch} begins anew with {self.batch_size} "
            "at a time, and steps as large as before"
        )


def dressed(network: nn.Module, recipe: Recipe) -> nn.Module:
    """Return a recipe's network with what stands before it in training and in the graph, but not in its weights."""
    return networks.Standardised(network) if recipe.standardised else network


def channels_last(network: nn.Module) -> nn.Module:
    """Lay convolution weights out channels last, as the views are: 10 to 20 % faster on a CPU than the default."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


@torch.no_grad()
def predict(network: nn.Module, examples: Examples, settings: Settings, batch_size: int | None = None) -> Tensor:
    """Return raw logits [N,classes] of the examples, prepared as the edge does and computed in full precision.

    Leaves the network in eval mode.
    """
    network.eval()
    device = next(network.parameters()).device
    size, rule = batch_size or settings.validation_batch_size, preprocessing_of(settings)
    batches = (examples.pictures[start : start + size] for start in range(0, len(examples), size))
    inputs = (torch.from_numpy(validation_inputs(batch, rule)) for batch in batches)
    return torch.cat([network(some.to(device)).cpu() for some in inputs])


def copied(state: Any) -> Any:
    """Return a copy of a state, its tensors in the computer's own memory."""
    if isinstance(state, Tensor):
        return state.to("cpu", copy=True)
    if isinstance(state, Mapping):
        return {key: copied(value) for key, value in state.items()}
    return [copied(value) for value in state] if isinstance(state, list) else state


def primary_metric(recipe: Recipe) -> str:
    """Return the name of the figure that the best epoch is chosen by."""
    return METRICS[recipe.task]
