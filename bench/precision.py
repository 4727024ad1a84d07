"""What int8 and fp16 do to a run of one picture on this machine's CPU, against fp32; in turns, the least time of each.

The networks are drawn, not trained, but hold the statistics of their own activations, so that nothing that is computed
is zero: time does not depend on what weights have learnt. How right int8 stays is measured where a model is exported.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench.report import Figure, Report
from training.local.graph import write_graph
from training.local.networks import build
from training.quantization import make_ready, write_fp16, write_int8
from training.speed import Speed, compare_speed

SIDE = 224
PICTURES = 8
SECONDS = 6.0
TARGETS: Mapping[str, float | None] = {"mobilenetv2": 1.4, "resnet18": 2.0, "resnet50": None}


def run() -> Report:
    """Measure each network and return how many times as fast it becomes."""
    figures, details = [], {}
    for name, target in TARGETS.items():
        for precision, speeds in _speeds(name).items():
            for speed in speeds:
                title = f"fp32 / {precision}, {name}, {speed.threads} thread{'s' if speed.threads > 1 else ''}"
                figures.append(Figure(title, speed.ratio, "x", target if precision == "int8" else None, "at least"))
                details[title] = speed.as_json()
    return Report("precision", figures, details)


def _speeds(name: str) -> dict[str, list[Speed]]:
    inputs = np.random.default_rng(0).standard_normal((PICTURES, 3, SIDE, SIDE)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        fp32, fp16, int8 = (Path(folder) / f"{precision}.onnx" for precision in ("fp32", "fp16", "int8"))
        write_graph(_network(name, inputs), SIDE, fp32)
        write_fp16(fp32, fp16)
        write_int8(make_ready(fp32, inputs, Path(folder), method="minmax", batch=1), int8)
        return {
            precision: compare_speed(fp32, path, inputs[:1], seconds=SECONDS)
            for precision, path in (("int8", int8), ("fp16", fp16))
        }


@torch.no_grad()
def _network(name: str, inputs: NDArray[np.float32]) -> nn.Module:
    """Return a drawn network whose every norm has seen the activations that come to it."""
    torch.manual_seed(0)
    network = build(name, 10, side=SIDE)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            module.momentum = None  # the mean of all that it sees
    network.train()
    network(torch.from_numpy(inputs))
    return network.eval()
