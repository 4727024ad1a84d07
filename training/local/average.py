"""A network whose weights trail behind those that are trained: what is judged and kept."""

from copy import deepcopy

import torch
from torch import Tensor, nn

AVERAGE_DECAY = 0.998


class MovingAverage:
    """A copy of a network whose weights and BatchNorm statistics follow as an exponential moving average.

    After Polyak and Juditsky 1992. The decay starts low, so that a short fit is not held back by its first steps.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = deepcopy(network).eval()

    @torch.no_grad()
    def follow(self, network: nn.Module, steps: int) -> None:
        """Move towards the network as it is after so many steps."""
        decay = min(AVERAGE_DECAY, (1 + steps) / (10 + steps))
        for mine, current in zip(self.network.state_dict().values(), network.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(current, 1 - decay)
            else:
                mine.copy_(current)

    def is_finite(self) -> bool:
        """Tell whether every weight and every statistic is a number."""
        return all(map(_is_finite, self.network.state_dict().values()))


def _is_finite(values: Tensor) -> bool:
    return bool(torch.isfinite(values).all())
