"""A network by AutoML's name, freshly initialised."""

from collections.abc import Callable, Mapping

from torch import nn

from training.local.networks.mobilenetv2 import InvertedResidual, MobileNetV2
from training.local.networks.resnet import BasicBlock, Block, Bottleneck, ResNet
from training.local.networks.vit import Shape, VisionTransformer
from training.model_rules import check_side
from training.settings import check_model

Builder = Callable[[int, int], nn.Module]
"""From the number of classes and the side in pixels."""


def _resnet(block: Block, *depths: int) -> Builder:
    return lambda classes, _: ResNet(block, depths, classes)


def _vit(*, width: int, depth: int, heads: int) -> Builder:
    return lambda classes, side: VisionTransformer(Shape(width, depth, heads), classes, side)


BUILDERS: Mapping[str, Builder] = {
    "mobilenetv2": lambda classes, _: MobileNetV2(classes),
    "resnet18": _resnet(BasicBlock, 2, 2, 2, 2),
    "resnet34": _resnet(BasicBlock, 3, 4, 6, 3),
    "resnet50": _resnet(Bottleneck, 3, 4, 6, 3),
    "resnet101": _resnet(Bottleneck, 3, 4, 23, 3),
    "resnet152": _resnet(Bottleneck, 3, 8, 36, 3),
    "vits16r224": _vit(width=384, depth=12, heads=6),
    "vitb16r224": _vit(width=768, depth=12, heads=12),
    "vitl16r224": _vit(width=1024, depth=24, heads=16),
}
"""In the order of size within each family."""


def build(name: str, classes: int, *, side: int = 224) -> nn.Module:
    """Return a freshly initialised network; draws from torch's global generator, so seed that first.

    ``side`` is that of the pictures, in pixels; only vision transformers are made for one.

    Raises:
        UnknownModelError: a name that is not in `model_names()`.
        HyperparameterError: a side that the network cannot take.
    """
    check_model(name)
    check_side(name, "side", side)
    network = BUILDERS[name](classes, side)
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
        elif isinstance(module, InvertedResidual | BasicBlock | Bottleneck) and module.branch_end is not None:
            nn.init.zeros_(module.branch_end.weight)
    if isinstance(network, VisionTransformer):
        network.initialise()
