"""MobileNetV2 at width 1.0, with torchvision's layer names: Sandler et al. 2018, arXiv:1801.04381."""

from collections.abc import Iterator
from typing import cast

from torch import Tensor, nn

STAGES = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip
"""Expansion, output channels, blocks, stride of the first block: table 2 of the paper."""


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
        """Return float32 [N,outputs,H/stride,W/stride] of x [N,inputs,H,W]."""
        y = cast(Tensor, self.conv(x))
        return x + y if self.shortcut else y

    @property
    def branch_end(self) -> nn.BatchNorm2d | None:
        """The last norm of the residual branch; None where there is no shortcut."""
        return cast(nn.BatchNorm2d, self.conv[-1]) if self.shortcut else None


class MobileNetV2(nn.Module):
    """Input float32 [N,3,H,W] of any sides from 32, output logits [N,classes]."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            ConvNormAct(3, 32, kernel=3, stride=2), *_stages(32), ConvNormAct(320, 1280, kernel=1)
        )
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [N,classes] of x [N,3,H,W]."""
        return cast(Tensor, self.classifier(self.features(x).mean((2, 3))))

    def layers(self) -> list[nn.Module]:
        """Return the 19 layers that ``layers_to_freeze`` counts, from the input."""
        return list(self.features)


def _stages(channels: int) -> Iterator[InvertedResidual]:
    for expansion, outputs, blocks, first_stride in STAGES:
        for block in range(blocks):
            yield InvertedResidual(channels, outputs, first_stride if block == 0 else 1, expansion)
            channels = outputs
