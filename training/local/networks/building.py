"""A network by AutoML's name, freshly initialised."""

from collections.abc import Callable, Mapping

from torch import nn

from training.errors import UnknownModelError
from training.local.networks.mobilenetv2 import InvertedResidual, MobileNetV2
from training.local.networks.resnet import BasicBlock, Block, Bottleneck, ResNet

Builder = Callable[[int], nn.Module]


def _resnet(block: Block, *depths: int) -> Builder:
    return lambda classes: ResNet(block, depths, classes)


BUILDERS: Mapping[str, Builder] = {
    "mobilenetv2": MobileNetV2,
    "resnet18": _resnet(BasicBlock, 2, 2, 2, 2),
}


def build(name: str, classes: int) -> nn.Module:
    """Return a freshly initialised network; draws from torch's global generator, so seed that first.

    Raises:
        UnknownModelError: a name that is not in `model_names()`.
    """
    if name not in BUILDERS:
        raise UnknownModelError(f"unknown model {name!r}; the local trainer has {', '.join(BUILDERS)}")
    network = BUILDERS[name](classes)
    _initialise(network)
    return network


def model_names() -> list[str]:
    """Return the networks that the local trainer has, by AutoML's names."""
    return list(BUILDERS)


def parameter_count(network: nn.Module) -> int:
    """Return the number of learnt values."""
    return sum(parameter.numel() for parameter in network.parameters())


def _initialise(network: nn.Module) -> None:
    """He initialisation by fan in, also for depthwise filters; residual branches start at zero (arXiv:1706.02677).

    Fan out, which torchvision uses, makes depthwise filters so small that Adam's steps overturn them at every update.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.01)
            nn.init.zeros_(module.bias)
    for module in network.modules():
        if isinstance(module, InvertedResidual | BasicBlock | Bottleneck) and module.branch_end is not None:
            nn.init.zeros_(module.branch_end.weight)
