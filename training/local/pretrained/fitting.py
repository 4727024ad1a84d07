"""Weights put into a network: all that it has, but a head for other classes."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from training.errors import DataError
from training.local import networks
from training.local.networks.vit import VisionTransformer, resized_positions
from training.local.pretrained.names import as_torchvision
from training.local.pretrained.weights import IMAGENET, Weights

SHOWN = 3
"""How many layers a message names."""
ALIKE = 0.9
"""Share of a network's layers that weights must have to be called its own."""
HEADS = ("classifier.1.", "fc.", "head.")
COUNTER = "num_batches_tracked"
"""What older files lack, and nothing here reads."""


@torch.no_grad()
def load_into(network: nn.Module, weights: Weights) -> bool:
    """Put weights into a network; its head stays fresh where they have none or one for another number of classes.

    Positions of a transformer for pictures of another side are resized; a normalisation other than ImageNet's is
    worked into its first layer. Returns whether the head was taken over.

    Raises:
        DataError: a layer is missing, foreign or of another shape.
    """
    wanted = network.state_dict()
    values = _positioned(as_torchvision(weights.values), wanted)
    head = all(name in values and values[name].shape == wanted[name].shape for name in filter(_of_head, wanted))
    if not head:
        values = {name: value for name, value in values.items() if not _of_head(name)}
    _check(wanted, values, weights, head=head)
    network.load_state_dict({name: values.get(name, value) for name, value in wanted.items()})
    if weights.normalisation != IMAGENET:
        _renormalise(network, weights)
    return head


def _of_head(name: str) -> bool:
    return name.startswith(HEADS)


def _positioned(values: dict[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Resize a transformer's positions to the grid that is wanted."""
    there, here = values.get("pos_embed"), wanted.get("pos_embed")
    if there is None or here is None or there.ndim != 3 or there.shape == here.shape:
        return values
    side = round((there.shape[1] - 1) ** 0.5)
    if side * side + 1 != there.shape[1] or there.shape[2] != here.shape[2]:
        return values
    return {**values, "pos_embed": resized_positions(there, here.shape[1] - 1)}


def _check(wanted: Mapping[str, Tensor], values: Mapping[str, Tensor], weights: Weights, *, head: bool) -> None:
    needed = [name for name in wanted if not name.endswith(COUNTER) and (head or not _of_head(name))]
    missing = [name for name in needed if name not in values]
    foreign = [name for name in values if name not in wanted]
    other = [name for name in needed if name in values and values[name].shape != wanted[name].shape]
    for names, problem in ((missing, "lack"), (foreign, "have, and the network has not,"), (other, "have otherwise")):
        if names:
            raise DataError(f"the weights ({weights.source}) {problem} {_listed(names)}; they {_likeness(weights)}")


def _listed(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _likeness(weights: Weights) -> str:
    """Say whose weights they look like."""
    shapes = {name: value.shape for name, value in as_torchvision(weights.values).items()}
    share, best = max((_share(name, shapes), name) for name in networks.model_names())
    return f"look like those of --model {best}" if share >= ALIKE else "look like those of no network here"


def _share(name: str, shapes: Mapping[str, torch.Size]) -> float:
    with torch.device("meta"):
        layers = {
            layer: value.shape
            for layer, value in networks.build(name, 1).state_dict().items()
            if not _of_head(layer) and not layer.endswith(COUNTER)
        }
    body = [layer for layer in shapes if not _of_head(layer) and not layer.endswith(COUNTER)]
    same = sum(bool(shapes.get(layer) == shape) for layer, shape in layers.items())
    return same / max(len(layers), len(body))


def _renormalise(network: nn.Module, weights: Weights) -> None:
    """Make the first layer take pictures by ImageNet's normalisation that was trained on ones by another.

    With v = x s + m, and w = (v - mean) / std what it was trained on, W w + b = (W s / std) x + b + W (m - mean) / std.
    Exact only where nothing is padded, which holds for patches.
    """
    if not isinstance(network, VisionTransformer):
        raise DataError(
            f"the weights ({weights.source}) were trained on pictures normalised by {weights.normalisation}, which "
            "only vision transformers can be given otherwise; take weights that were trained on ImageNet's"
        )
    proj = network.patch_embed.proj
    m, s, mean, std = (
        torch.tensor(values, dtype=torch.float32).reshape(1, 3, 1, 1) for values in (*IMAGENET, *weights.normalisation)
    )
    if proj.bias is not None:
        proj.bias.add_((proj.weight * ((m - mean) / std)).sum((1, 2, 3)))
    proj.weight.mul_(s / std)
