"""The weights of a run as a network again."""

from pathlib import Path

import torch
from torch import nn

from training.errors import DataError
from training.local import networks
from training.local.run import BEST_FILE, Run


def write_best(folder: Path, network: nn.Module) -> None:
    """Keep a network's weights as the best so far. Raises OSError."""
    partial = folder / f".{BEST_FILE}.partial"
    torch.save(network.state_dict(), partial)
    partial.replace(folder / BEST_FILE)


def load_network(folder: Path, run: Run) -> nn.Module:
    """Return the network with a run's best weights, in eval mode, as it is exported: mirrored where the recipe says so.

    Raises:
        DataError: the folder holds no weights yet, or those of another network.
    """
    path = folder / BEST_FILE
    network = networks.build(run.recipe.model, len(run.classes))
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except FileNotFoundError as exc:
        raise DataError(f"{folder}: no epoch is finished yet; run automl-train fit again to go on") from exc
    except (OSError, RuntimeError, ValueError, KeyError) as exc:
        raise DataError(f"{path}: cannot be used ({exc})") from exc
    return (networks.MirrorAverage(network) if run.recipe.mirrored else network).eval()
