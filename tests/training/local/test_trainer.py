"""One network, trained epoch by epoch: what the settings change, and what happens where it goes wrong."""

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402 - torch may be absent

from tests.training.local.tiny import recipe  # noqa: E402 - as above
from training.dataset.annotations import MULTILABEL  # noqa: E402 - as above
from training.dataset.drawn import defects  # noqa: E402 - as above
from training.errors import DataError, DivergenceError, OutOfMemoryError  # noqa: E402 - as above
from training.hyperparameters import Value  # noqa: E402 - as above
from training.local import networks  # noqa: E402 - as above
from training.local.accelerator import CPU, Accelerator  # noqa: E402 - as above
from training.local.examples import Examples, from_tensors  # noqa: E402 - as above
from training.local.train import trainer_for  # noqa: E402 - as above
from training.local.trainer import Step, Trainer, copied  # noqa: E402 - as above

CLASSES = 3


class Plain(nn.Module):
    """One linear layer over the colours' means: no batch statistics, so that batches can be cut at will."""

    def __init__(self, most: int | None = None, message: str | None = None) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.linear = nn.Linear(3, CLASSES)
        self._most = most
        self._error = torch.OutOfMemoryError("CUDA out of memory") if message is None else RuntimeError(message)

    def forward(self, x: Tensor) -> Tensor:
        if self._most is not None and len(x) > self._most:
            raise self._error
        logits: Tensor = self.linear(x.mean((2, 3)))
        return logits


def colours(count: int, *, several: bool = False) -> Examples:
    """Return even pictures, each of one class by its colour; where several, of two by chance."""
    labels = torch.arange(count) % CLASSES
    pictures = torch.full((count, 3, 32, 32), 40, dtype=torch.uint8)
    pictures[torch.arange(count), labels] = 200
    some = torch.eye(CLASSES)[labels]
    return from_tensors(list(pictures), (some + some.roll(1, 0)).clamp(max=1) if several else labels)


def trainer(network: nn.Module, *, count: int = 12, rest: dict[str, Any] | None = None, **changes: Value) -> Trainer:
    told: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 0.1, "number_of_epochs": 5, **changes}
    chosen = recipe(**told)
    return Trainer(network, chosen, colours(count), colours(6), classes=CLASSES, **(rest or {}))


def weights(trained: Trainer) -> Tensor:
    """Return all weights as they are now, one after the other."""
    values: dict[str, Tensor] = copied(trained.state()["network"])
    together: Tensor = torch.cat([value.flatten() for value in values.values()])
    return together


def after_epochs(network: nn.Module, epochs: int = 2, **changes: Any) -> Tensor:
    fit = trainer(network, **changes)
    for epoch in range(1, epochs + 1):
        fit.run_epoch(epoch, lambda _: None)
    return weights(fit)


def test_a_separable_task_is_learnt() -> None:
    """After some epochs every held-out picture is right, and the loss has fallen."""
    fit = trainer(Plain(), learning_rate=1.0, number_of_epochs=20, warmup_cosine_lr_warmup_epochs=0)
    first, *_, last = [fit.run_epoch(epoch, lambda _: None) for epoch in range(1, 13)]
    assert last.training_loss < first.training_loss
    assert last.validation["accuracy"] == 1.0
    assert last.validation["log_loss"] < first.validation["log_loss"]


def test_several_labels_are_learnt() -> None:
    """Each class by itself; the primary metric is intersection over union."""
    chosen = recipe(task=MULTILABEL, optimizer="sgd", learning_rate=1.0, number_of_epochs=60)
    data = colours(12, several=True)
    fit = Trainer(Plain(), chosen, data, data, classes=CLASSES)
    last = [fit.run_epoch(epoch, lambda _: None) for epoch in range(1, 41)][-1]
    assert last.validation["iou"] == 1.0
    assert last.training_accuracy > 0.9


def test_accumulated_batches_make_one_step() -> None:
    """Three batches of four, accumulated, move the weights as one batch of twelve does, but for other random views."""
    once = after_epochs(Plain(), training_batch_size=12)
    thrice = after_epochs(Plain(), training_batch_size=4, gradient_accumulation_step=3)
    assert torch.allclose(once, thrice, atol=0.03)
    assert not torch.allclose(once, after_epochs(Plain(), training_batch_size=4), atol=0.03)


def test_a_rest_of_accumulated_batches_counts_in_full() -> None:
    """Of four batches, three make a step and the last one another, as large as if it stood alone."""
    steps: list[Step] = []
    fit = trainer(Plain(), training_batch_size=3, gradient_accumulation_step=3)
    fit.run_epoch(1, steps.append)
    assert [step.step for step in steps] == [1, 2, 3, 4]
    assert fit.state()["steps"] == 2


def test_out_of_memory_halves_the_batch_and_not_the_step() -> None:
    """The epoch begins anew with halves of the batch; the weights are those of whole ones."""
    said: list[str] = []
    fit = trainer(Plain(most=3), training_batch_size=12, validation_batch_size=3, rest={"say": said.append})
    for epoch in (1, 2):
        fit.run_epoch(epoch, lambda _: None)
    assert fit.batch_size == 3
    assert torch.allclose(weights(fit), after_epochs(Plain(), training_batch_size=12), atol=1e-6)
    assert "12 pictures at a time were too many; epoch 1 begins anew with 6" in said[0]
    assert "6 pictures at a time were too many; epoch 1 begins anew with 3" in said[1]


def test_out_of_memory_with_two_pictures_ends_with_the_remedy() -> None:
    """There is nothing left to halve."""
    fit = trainer(Plain(most=1), training_batch_size=8)
    with pytest.raises(OutOfMemoryError, match=r"batch of 2 pictures; set a smaller training_crop_size \(now 32\)"):
        fit.run_epoch(1, lambda _: None)


def test_judging_takes_fewer_pictures_where_memory_ends() -> None:
    """It costs no second training; the figures are the same."""
    said: list[str] = []
    small = trainer(Plain(most=4), training_batch_size=4, rest={"say": said.append})
    whole = trainer(Plain(), training_batch_size=4)
    told, expected = (fit.run_epoch(1, lambda _: None) for fit in (small, whole))
    assert told.validation == pytest.approx(expected.validation)
    assert said == ["out of memory: judging 39 pictures at a time from now on", *said[1:]]


@pytest.mark.parametrize("message", ["DefaultCPUAllocator: can't allocate memory: you tried", "std::bad_alloc"])
def test_what_a_cpu_says_without_memory_is_understood(message: str) -> None:
    """torch has no type of its own for it."""
    fit = trainer(Plain(most=6, message=message), training_batch_size=12, validation_batch_size=6)
    fit.run_epoch(1, lambda _: None)
    assert fit.batch_size == 6


def test_other_faults_are_not_taken_for_a_lack_of_memory() -> None:
    """They come through as they are."""
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        trainer(Plain(most=3, message="shapes cannot be multiplied"), training_batch_size=12).run_epoch(1, print)


def test_a_loss_that_is_no_number_ends_the_fit() -> None:
    """The error names the epoch and the learning rate."""
    network = Plain()
    nn.init.constant_(network.linear.weight, 1e38)
    with pytest.raises(DivergenceError, match=r"the loss became (nan|inf) in epoch 1; set a lower learning_rate \(now"):
        trainer(network).run_epoch(1, lambda _: None)


def test_a_weight_that_is_no_number_ends_the_fit_before_it_is_kept() -> None:
    """Also where the last loss was still one."""

    class Bursting(Plain):
        """Its gradient is infinite, though its answer is not."""

        def forward(self, x: Tensor) -> Tensor:
            zero = (self.linear.weight * 0).sum()
            logits: Tensor = super().forward(x) + torch.sqrt(zero.clamp(min=0)) * 0
            return logits

    with pytest.raises(DivergenceError, match="a weight is no number any more in epoch 1"):
        trainer(Bursting(), training_batch_size=12).run_epoch(1, lambda _: None)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_half_precision_goes_the_same_way(precision: Any) -> None:
    """What a GPU does is tried on the CPU: the weights stay float32 and close to the full ones."""
    accelerator = Accelerator(torch.device("cpu"), precision)
    fit = trainer(Plain(), training_batch_size=12, rest={"accelerator": accelerator})
    fit.run_epoch(1, lambda _: None)
    full = trainer(Plain(), training_batch_size=12)
    full.run_epoch(1, lambda _: None)
    assert weights(fit).dtype == torch.float32
    assert torch.allclose(weights(fit), weights(full), atol=1e-3)
    assert not torch.equal(weights(fit), weights(full))
    assert str(accelerator) == f"CPU ({str(precision).removeprefix('torch.')})"
    assert str(CPU) == "CPU"


@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rate": 0.02},
        {"optimizer": "adam"},
        {"optimizer": "adamw"},
        {"momentum": 0.0},
        {"nesterov": 0},
        {"weight_decay": 0.5},
        {"learning_rate_scheduler": "step", "step_lr_gamma": 0.1, "step_lr_step_size": 1},
        {"warmup_cosine_lr_warmup_epochs": 0},
        {"warmup_cosine_lr_cycles": 0.1},
        {"random_seed": 1},
        {"training_crop_size": 24},
        {"training_batch_size": 6},
    ],
)
def test_every_setting_counts(changes: dict[str, Value]) -> None:
    """Another value gives other weights."""
    assert not torch.equal(after_epochs(Plain(), 4, **changes), after_epochs(Plain(), 4))


def test_ams_gradient_remembers_the_largest() -> None:
    """It counts with Adam alone."""
    fit = trainer(Plain(), optimizer="adam", ams_gradient=1)
    fit.run_epoch(1, lambda _: None)
    assert "max_exp_avg_sq" in fit.state()["optimizer"]["state"][0]


def test_frozen_layers_stay_as_they_are() -> None:
    """Weights and batch statistics of the first layers do not move; the others do."""
    torch.manual_seed(0)
    network = networks.build("mobilenetv2", CLASSES, side=32)
    networks.freeze(network, "mobilenetv2", 3)
    before = copied(network.state_dict())
    fit = trainer(network, learning_rate=0.01, layers_to_freeze=3)
    fit.run_epoch(1, lambda _: None)
    moved = [name for name, value in before.items() if not torch.equal(value, network.state_dict()[name])]
    assert not [name for name in moved if name.startswith(("features.0.", "features.1.", "features.2."))]
    assert {"features.3.conv.0.0.weight", "features.18.0.weight", "classifier.1.weight"} <= set(moved)


@pytest.mark.parametrize(("frequency", "judged"), [(1, [1, 2, 3]), (2, [2, 3]), (5, [3])])
def test_epochs_are_judged_as_often_as_asked(frequency: int, judged: list[int]) -> None:
    """And after the last one."""
    fit = trainer(Plain(), evaluation_frequency=frequency, number_of_epochs=3)
    epochs = [fit.run_epoch(epoch, lambda _: None) for epoch in (1, 2, 3)]
    assert [epoch.epoch for epoch in epochs if epoch.validation] == judged


def test_standardised_networks_do_not_see_the_light() -> None:
    """The network that learns and the one that is judged both get pictures less their mean."""
    fit = Trainer(Plain(), recipe(rest={"standardised": True}), colours(8), None, classes=CLASSES)
    dark, bright = torch.rand(2, 3, 32, 32).mul(0.2), torch.rand(1).item()
    assert torch.allclose(fit.judged_network(dark), fit.judged_network(dark + bright), atol=0.2)
    assert all(not name.startswith("network.") for name in fit.weights)


def test_the_state_can_be_taken_to_another_trainer() -> None:
    """Two epochs, or one and one: the same weights, bit for bit."""
    once = after_epochs(Plain(), 3)
    first = trainer(Plain())
    first.run_epoch(1, lambda _: None)
    second, taken = trainer(Plain()), copied(first.state())
    second.load(taken)
    for epoch in (2, 3):
        second.run_epoch(epoch, lambda _: None)
    assert torch.equal(once, weights(second))
    assert str(taken["optimizer"]) == str(first.state()["optimizer"])


def test_one_picture_is_not_trained_on() -> None:
    """It has no batch statistics: said, not thrown."""
    with pytest.raises(DataError, match="there is one picture to train on"):
        trainer_for(recipe(), ["a", "b"], colours(1), None)


def test_drawn_pictures_have_one_label_also_where_several_may_be_right() -> None:
    """They join pictures of several."""
    classes = sorted(defects())
    several = from_tensors([torch.zeros(3, 32, 32, dtype=torch.uint8)] * 6, torch.ones(6, len(classes)))
    fit = trainer_for(recipe(task=MULTILABEL, rest={"drawn": 6}), classes, several, None)
    assert fit.run_epoch(1, lambda _: None).training_loss > 0
