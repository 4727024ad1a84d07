"""ResNet, with torchvision's layer names, which timm's share: He et al. 2015, arXiv:1512.03385.

In a bottleneck the 3x3 convolution strides, not the first 1x1 as in the paper: torchvision's and timm's way (v1.5).
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    EXPANSION = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _downsample(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return float32 [N,outputs,H/stride,W/stride] of x [N,inputs,H,W]."""
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return cast(Tensor, self.relu(y + (x if self.downsample is None else self.downsample(x))))

    @property
    def branch_end(self) -> nn.BatchNorm2d:
        """The last norm of the residual branch."""
        return self.bn2


class Bottleneck(nn.Module):
    """A 3x3 convolution between two of 1x1, which make it narrow and wide again, and a shortcut."""

    EXPANSION = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * self.EXPANSION
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _downsample(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return float32 [N,outputs,H/stride,W/stride] of x [N,inputs,H,W]."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(y)))))
        return cast(Tensor, self.relu(y + (x if self.downsample is None else self.downsample(x))))

    @property
    def branch_end(self) -> nn.BatchNorm2d:
        """The last norm of the residual branch."""
        return self.bn3


Block = type[BasicBlock] | type[Bottleneck]


class ResNet(nn.Module):
    """Four stages of blocks. Input float32 [N,3,H,W] of any sides from 32, output logits [N,classes]."""

    def __init__(self, block: Block, depths: Sequence[int], classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        outputs = [width * block.EXPANSION for width in (64, 128, 256, 512)]
        self.layer1 = _stage(block, 64, 64, depths[0], stride=1)
        self.layer2 = _stage(block, outputs[0], 128, depths[1], stride=2)
        self.layer3 = _stage(block, outputs[1], 256, depths[2], stride=2)
        self.layer4 = _stage(block, outputs[2], 512, depths[3], stride=2)
        self.fc = nn.Linear(outputs[3], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [N,classes] of x [N,3,H,W]."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return cast(Tensor, self.fc(torch.mean(x, (2, 3))))

    def layers(self) -> list[nn.Module]:
        """Return the 5 layers that ``layers_to_freeze`` counts, from the input."""
        entry = nn.ModuleList([self.conv1, self.bn1])
        return [entry, self.layer1, self.layer2, self.layer3, self.layer4]


def _stage(block: Block, inputs: int, width: int, depth: int, *, stride: int) -> nn.Sequential:
    rest = (block(width * block.EXPANSION, width, 1) for _ in range(depth - 1))
    return nn.Sequential(block(inputs, width, stride), *rest)


def _downsample(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    """Return what fits a shortcut to its branch, None where it fits as it is."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
