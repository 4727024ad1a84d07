"""Networks around a network: what belongs into the graph, but not into the weights of the network itself.

Both export with a free batch axis, and one may hold the other.
"""

from typing import cast

import torch
from torch import Tensor, nn

from edge.preprocess.classification import MEAN, STD

STANDARD_FLOOR = 0.02
"""Added to a neighbourhood's deviation (in units of the full range), so that noise on an even part is not blown up."""
NEIGHBOURHOOD = 3
"""How many neighbourhoods fit along a picture's side."""


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
    """A network that sees every point against its neighbourhood: neither light, its fall-off nor contrast count.

    Takes what the edge prepares, (v - mean) / std of ImageNet. With v in 0..1 and m(.) the mean over a square of a
    third of the picture's side, cut off at its borders, the network gets (v - m(grey v)) / (deviation + 0.02), where
    the deviation is the root of m((v - m(grey v))^2), averaged over channels. Local contrast normalisation: Jarrett et
    al. 2009, "What is the best multi-stage architecture for object recognition?". Nothing of it is learnt or stored.
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
        with torch.autocast(x.device.type, enabled=False):  # half precision would round away what little contrast is
            seen = self._evened(x)
        return cast(Tensor, self.network(seen))

    def _evened(self, x: Tensor) -> Tensor:
        v = x * self.scale + self.offset
        down, across = (_averaging(int(side), v) for side in v.shape[2:])
        centred = v - down @ v.mean(1, keepdim=True) @ across.T
        deviation = (down @ (centred * centred).mean(1, keepdim=True) @ across.T).sqrt()
        return centred / (deviation + STANDARD_FLOOR)


def _averaging(side: int, like: Tensor) -> Tensor:
    """Return the matrix [side,side] that averages each of a row's points with its neighbours.

    Two products with it are a box filter: ten times faster here than pooling with so wide a window.
    """
    places = torch.arange(side, device=like.device)
    near = ((places[:, None] - places).abs() <= max(1, side // NEIGHBOURHOOD // 2)).to(like.dtype)
    return near / near.sum(1, keepdim=True)
