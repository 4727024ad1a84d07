"""Classification networks of AutoML's list, written out in plain torch with torchvision's layer names.

The same state-dict names as torchvision, so weights from there load here. Input float32 [N,3,H,W], output raw logits
[N,classes].
MobileNetV2: Sandler et al. 2018, arXiv:1801.04381. ResNet: He et al. 2015, arXiv:1512.03385.
"""

from collections.abc import Callable, Iterator
from typing import cast

import torch
from torch import Tensor, nn

from training.errors import UnknownModelError

# expansion, output channels, blocks, stride of the first block (arXiv:1801.04381, table 2)
_MOBILENETV2_STAGES = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip


def build(name: str, classes: int) -> nn.Module:
    """Return a freshly initialised network; draws from torch's global generator, so seed that first.

    Raises:
        UnknownModelError: a name that is not in `model_names()`.
    """
    builders = _builders()
    if name not in builders:
        raise UnknownModelError(f"unknown model {name!r}; the local trainer has {', '.join(sorted(builders))}")
    network = builders[name](classes)
    _initialise(network)
    return network


def _builders() -> dict[str, Callable[[int], nn.Module]]:
    return {"mobilenetv2": MobileNetV2, "resnet18": ResNet18}


class ConvNormAct(nn.Sequential):
    """Convolution without bias, batch norm, ReLU6."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU6(inplace=True),
        )


class InvertedResidual(nn.Module):
    """Expand, filter depthwise, project; with a shortcut where shapes allow."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.conv = nn.Sequential(
            *([ConvNormAct(inputs, hidden, kernel=1)] if expansion != 1 else []),
            ConvNormAct(hidden, hidden, kernel=3, stride=stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = cast(Tensor, self.conv(x))
        return x + y if self.shortcut else y


class MobileNetV2(nn.Module):
    """MobileNetV2 at width 1.0."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            ConvNormAct(3, 32, kernel=3, stride=2), *_inverted_stages(32), ConvNormAct(320, 1280, kernel=1)
        )
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.classifier(self.features(x).mean((2, 3))))


def _inverted_stages(channels: int) -> Iterator[InvertedResidual]:
    for expansion, outputs, blocks, first_stride in _MOBILENETV2_STAGES:
        for block in range(blocks):
            yield InvertedResidual(channels, outputs, first_stride if block == 0 else 1, expansion)
            channels = outputs


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            if stride != 1 or inputs != outputs
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return cast(Tensor, self.relu(y + (x if self.downsample is None else self.downsample(x))))


class ResNet18(nn.Module):
    """ResNet with two basic blocks in each of four stages."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(BasicBlock(64, 64, 1), BasicBlock(64, 64, 1))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2), BasicBlock(128, 128, 1))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2), BasicBlock(256, 256, 1))
        self.layer4 = nn.Sequential(BasicBlock(256, 512, 2), BasicBlock(512, 512, 1))
        self.fc = nn.Linear(512, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return cast(Tensor, self.fc(x.mean((2, 3))))


class MirrorAverage(nn.Module):
    """A trained network whose logits are averaged over the picture and its mirror image: twice the work.

    Both go through the network as one batch, so that the graph holds the weights once.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [N,classes] of x [N,3,H,W]."""
        logits = self.network(torch.cat([x, x.flip(3)]))
        return cast(Tensor, logits.reshape(2, -1, logits.shape[1]).mean(0))


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
    for branch_end in _branch_ends(network):
        nn.init.zeros_(branch_end.weight)


def _branch_ends(network: nn.Module) -> Iterator[nn.BatchNorm2d]:
    """Yield the last norm of every residual branch."""
    for module in network.modules():
        if isinstance(module, InvertedResidual) and module.shortcut:
            yield cast(nn.BatchNorm2d, module.conv[-1])
        elif isinstance(module, BasicBlock):
            yield module.bn2


def parameter_count(network: nn.Module) -> int:
    """Return the number of learnt values."""
    return sum(parameter.numel() for parameter in network.parameters())


def model_names() -> list[str]:
    """Return the networks that the local trainer has, by AutoML's names."""
    return sorted(_builders())


__all__ = ["build", "model_names", "parameter_count"]
