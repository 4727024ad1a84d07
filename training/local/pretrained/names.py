"""timm's names for MobileNetV2, as torchvision names the same layers; of the other networks both have the same."""

from collections.abc import Iterator, Mapping

from torch import Tensor

from training.local.networks.mobilenetv2 import STAGES

MARK = "conv_stem.weight"
"""A layer that only timm's naming has."""
_ENDS = {
    "conv_stem": "features.0.0",
    "bn1": "features.0.1",
    "conv_head": "features.18.0",
    "bn2": "features.18.1",
    "classifier": "classifier.1",
}
_FIRST = {"conv_dw": "0.0", "bn1": "0.1", "conv_pw": "1", "bn2": "2"}
_BLOCK = {"conv_pw": "0.0", "bn1": "0.1", "conv_dw": "1.0", "bn2": "1.1", "conv_pwl": "2", "bn3": "3"}


def as_torchvision(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights by torchvision's names; what neither names stays as it is."""
    if MARK not in values:
        return dict(values)
    names = {**_ENDS, **dict(_blocks())}
    renamed = {}
    for name, value in values.items():
        layer, _, part = name.rpartition(".")
        renamed[f"{names.get(layer, layer)}.{part}"] = value
    return renamed


def _blocks() -> Iterator[tuple[str, str]]:
    number = 1
    for stage, (_, _, blocks, _) in enumerate(STAGES):
        for block in range(blocks):
            for theirs, ours in (_BLOCK if stage else _FIRST).items():
                yield f"blocks.{stage}.{block}.{theirs}", f"features.{number}.conv.{ours}"
            number += 1
