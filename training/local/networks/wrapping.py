"""Networks around a network: what belongs into the graph, but not into the weights of the network itself.

Both export with a free batch axis, and one may hold the other.
"""

from typing import cast

import torch
from torch import Tensor, nn

from edge.preprocess.classification import MEAN, STD

STANDARD_FLOOR = 0.02
"""Added to a picture's deviation (in units of the full range), so that noise on an even picture is not blown up."""


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


class Standardised(nn.Module):
    """A network that sees every picture less its own mean and by its own deviation: light and contrast do not count.

    Takes what the edge prepares, (v - mean) / std of ImageNet; the network gets (v - mean(v)) / (std(v) + 0.02), over
    all channels and pixels of each picture alone, v in 0..1. Nothing of it is learnt or stored with the weights.
    """

    scale: Tensor
    offset: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        for name, values in (("scale", STD), ("offset", MEAN)):
            constant = torch.tensor(values, dtype=torch.float32).reshape(1, 3, 1, 1)
            self.register_buffer(name, constant, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [N,classes] of x [N,3,H,W]."""
        v = x * self.scale + self.offset
        centred = v - v.mean((1, 2, 3), keepdim=True)
        deviation = (centred * centred).mean((1, 2, 3), keepdim=True).sqrt()
        return cast(Tensor, self.network(centred / (deviation + STANDARD_FLOOR)))
