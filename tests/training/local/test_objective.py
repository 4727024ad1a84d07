"""What a task asks of a network: losses, weights of classes, and how answers are judged."""

import math

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402 - torch may be absent

from edge.bundle import Task  # noqa: E402 - as above
from training.dataset.annotations import MULTICLASS, MULTILABEL  # noqa: E402 - as above
from training.local.objective import Loss, class_weights, judged, scores  # noqa: E402 - as above


def test_one_class_is_right_or_wrong() -> None:
    """Multi-class answers score one or nothing; accuracy is their mean."""
    logits, labels = torch.tensor([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0]]), torch.tensor([0, 1, 1])
    assert scores(MULTICLASS, logits, labels).tolist() == [1, 1, 0]
    assert judged(MULTICLASS, logits, labels)["accuracy"] == pytest.approx(2 / 3)


def test_several_classes_score_by_intersection_over_union() -> None:
    """What is answered and present, of what is either; nothing answered where nothing is, is right."""
    logits = torch.tensor([[5.0, 5.0, -5.0], [5.0, -5.0, -5.0], [-5.0, -5.0, -5.0], [5.0, -5.0, -5.0]])
    labels = torch.tensor([[1.0, 1, 0], [1, 1, 0], [0, 0, 0], [0, 0, 0]])
    assert scores(MULTILABEL, logits, labels).tolist() == [1, 0.5, 1, 0]
    assert judged(MULTILABEL, logits, labels)["iou"] == pytest.approx(0.625)


def test_log_loss_is_not_smoothed() -> None:
    """A certain and right answer costs nothing in the figures; in training it costs a little."""
    logits = torch.tensor([[50.0, -50.0]])
    assert judged(MULTICLASS, logits, torch.tensor([0]))["log_loss"] == pytest.approx(0, abs=1e-9)
    assert judged(MULTILABEL, logits, torch.tensor([[1.0, 0.0]]))["log_loss"] == pytest.approx(0, abs=1e-9)
    assert judged(MULTICLASS, torch.zeros(1, 4), torch.tensor([0]))["log_loss"] == pytest.approx(math.log(4))
    assert float(Loss(MULTICLASS, None)(logits, torch.tensor([0]))) > 1
    assert float(Loss(MULTILABEL, None)(logits, torch.tensor([[1.0, 0.0]]))) > 1


def weights_of(task: Task, labels: Tensor, classes: int, mode: int) -> list[float]:
    weights = class_weights(task, labels, classes, mode)
    assert weights is not None
    return weights.tolist()


@pytest.mark.parametrize(("mode", "weights"), [(1, [0.7638, 1.5275, 1.0801]), (2, [7 / 12, 7 / 3, 7 / 6])])
def test_rare_classes_weigh_more(mode: int, weights: list[float]) -> None:
    """By the inverse of how often they are, or its root; all alike weigh one."""
    labels = torch.tensor([0, 0, 0, 0, 1, 2, 2])
    assert weights_of(MULTICLASS, labels, 3, mode) == pytest.approx(weights, abs=1e-4)
    assert weights_of(MULTICLASS, torch.arange(3), 3, mode) == [1, 1, 1]
    assert class_weights(MULTICLASS, labels, 3, 0) is None


def test_rare_labels_weigh_more() -> None:
    """Where several may be right, a class's presence weighs as much as its absence together; absent ones are finite."""
    labels = torch.tensor([[1.0, 1, 0], [0, 1, 0], [0, 1, 0], [0, 0, 0]])
    assert weights_of(MULTILABEL, labels, 3, 2) == pytest.approx([3, 1 / 3, 4])
    assert weights_of(MULTILABEL, labels, 3, 1) == pytest.approx([3**0.5, 3**-0.5, 2])


def test_weights_do_not_pull_what_is_absent_towards_presence() -> None:
    """The loss of an absent class is least where smoothing puts it, however much its presence weighs."""
    labels, weights = torch.zeros(1, 2), torch.tensor([50.0, 1.0])
    logits = torch.zeros(1, 2, requires_grad=True)
    for _ in range(200):
        (slope,) = torch.autograd.grad(Loss(MULTILABEL, weights)(logits, labels), logits)
        logits = (logits - 10 * slope).detach().requires_grad_()
    assert torch.sigmoid(logits).tolist()[0] == pytest.approx([0.05, 0.05], abs=1e-3)


def test_class_without_pictures_breaks_nothing() -> None:
    """Its weight is finite, and the loss is a number."""
    weights = class_weights(MULTICLASS, torch.tensor([0, 1, 1]), 4, 2)
    assert torch.isfinite(weights).all()
    assert torch.isfinite(Loss(MULTICLASS, weights)(torch.zeros(3, 4), torch.tensor([0, 1, 1])))
