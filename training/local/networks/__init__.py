"""Classification networks of AutoML's list, written out in plain torch with the layer names of torchvision and timm.

The same state-dict names, so weights from there load here. Input float32 [N,3,H,W], output raw logits [N,classes].
"""

from training.local.networks.building import build, model_names, parameter_count
from training.local.networks.freezing import KeptBatchNorm, freeze
from training.local.networks.wrapping import MirrorAverage, Standardised

__all__ = ["KeptBatchNorm", "MirrorAverage", "Standardised", "build", "freeze", "model_names", "parameter_count"]
