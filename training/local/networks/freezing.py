"""The first layers of a network kept as they are: what AutoML calls ``layers_to_freeze``."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from torch import nn

from training.model_rules import check_frozen


@runtime_checkable
class Layered(Protocol):
    """A network that can be counted from its input."""

    def layers(self) -> list[nn.Module]:
        """Return its layers, from the input; the head is none of them."""
        ...


class KeptBatchNorm(nn.BatchNorm2d):
    """A norm by the statistics that it has, also while the network around it is trained."""

    def train(self, mode: bool = True) -> "KeptBatchNorm":  # noqa: ARG002 - torch's signature
        """Stay in eval mode."""
        super().train(False)
        return self


def freeze(network: nn.Module, model: str, layers: int) -> None:
    """Keep the first layers as they are: no gradients, and norms that stay in eval mode whatever the network's mode.

    Call it after the weights are there and before an optimizer is made; that one wants only parameters with
    ``requires_grad``. State-dict names and values stay.

    Raises:
        HyperparameterError: the network has fewer layers; the head is none of them.
    """
    check_frozen(model, layers)
    if not isinstance(network, Layered):
        raise TypeError(f"{type(network).__name__} has no layers to count")
    frozen = network.layers()[:layers]
    for layer in frozen:
        for parameter in layer.parameters():
            parameter.requires_grad_(False)
    _keep_norms(network, {module for layer in frozen for module in layer.modules()})


def _keep_norms(network: nn.Module, frozen: Iterable[nn.Module]) -> None:
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d) and child in frozen:
                setattr(module, name, _kept(child))


def _kept(norm: nn.BatchNorm2d) -> KeptBatchNorm:
    kept = KeptBatchNorm(norm.num_features, norm.eps, norm.momentum)
    kept.load_state_dict(norm.state_dict(), assign=True)
    return kept.requires_grad_(False).eval()
