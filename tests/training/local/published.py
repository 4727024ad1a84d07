"""Names and shapes of weights as torchvision and timm publish them, written down from the papers and not from our code.

ResNet: arXiv:1512.03385, table 1. MobileNetV2: arXiv:1801.04381, table 2. ViT: arXiv:2010.11929, table 1.
"""

from collections.abc import Iterator

Shape = tuple[int, ...]
Named = tuple[str, Shape]
RESNETS = {
    "resnet18": (1, (2, 2, 2, 2)),
    "resnet34": (1, (3, 4, 6, 3)),
    "resnet50": (4, (3, 4, 6, 3)),
    "resnet101": (4, (3, 4, 23, 3)),
    "resnet152": (4, (3, 8, 36, 3)),
}
"""How much wider the end of a block is than its middle, and the blocks of each stage."""
VITS = {"vits16r224": (384, 12), "vitb16r224": (768, 12), "vitl16r224": (1024, 24)}
"""Values a token, and blocks."""


def published(model: str, classes: int = 1000) -> dict[str, Shape]:
    """Return the state dict of a network by AutoML's name: what is in it, and of which shape."""
    if model == "mobilenetv2":
        return dict(_mobilenet(classes))
    return dict(_resnet(*RESNETS[model], classes) if model in RESNETS else _vit(*VITS[model], classes))


def published_by_timm(classes: int = 1000) -> dict[str, Shape]:
    """Return the state dict of timm's ``mobilenetv2_100``: the same layers in the same order, by other names."""
    return dict(_timm_mobilenet(classes))


def _timm_mobilenet(classes: int) -> Iterator[Named]:
    yield from _convolved("conv_stem", "bn1", (32, 3, 3, 3))
    inputs = 32
    stages = ((1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1))
    for stage, (expansion, outputs, blocks) in enumerate(stages):
        for block in range(blocks):
            name, hidden = f"blocks.{stage}.{block}", inputs * expansion
            if stage == 0:
                yield from _convolved(f"{name}.conv_dw", f"{name}.bn1", (hidden, 1, 3, 3))
                yield from _convolved(f"{name}.conv_pw", f"{name}.bn2", (outputs, hidden, 1, 1))
            else:
                yield from _convolved(f"{name}.conv_pw", f"{name}.bn1", (hidden, inputs, 1, 1))
                yield from _convolved(f"{name}.conv_dw", f"{name}.bn2", (hidden, 1, 3, 3))
                yield from _convolved(f"{name}.conv_pwl", f"{name}.bn3", (outputs, hidden, 1, 1))
            inputs = outputs
    yield from _convolved("conv_head", "bn2", (1280, 320, 1, 1))
    yield from _linear("classifier", 1280, classes)


def _norm(name: str, channels: int) -> Iterator[Named]:
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{part}", (channels,)
    yield f"{name}.num_batches_tracked", ()


def _linear(name: str, inputs: int, outputs: int) -> Iterator[Named]:
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def _convolved(conv: str, norm: str, shape: Shape) -> Iterator[Named]:
    yield f"{conv}.weight", shape
    yield from _norm(norm, shape[0])


def _resnet(expansion: int, stages: tuple[int, ...], classes: int) -> Iterator[Named]:
    yield from _convolved("conv1", "bn1", (64, 3, 7, 7))
    inputs = 64
    for stage, blocks in enumerate(stages, 1):
        width = 32 * 2**stage
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            yield from _block(name, inputs, width, expansion)
            if block == 0 and inputs != expansion * width:
                joined = (expansion * width, inputs, 1, 1)
                yield from _convolved(f"{name}.downsample.0", f"{name}.downsample.1", joined)
            inputs = expansion * width
    yield from _linear("fc", inputs, classes)


def _block(name: str, inputs: int, width: int, expansion: int) -> Iterator[Named]:
    basic = ((width, inputs, 3, 3), (width, width, 3, 3))
    bottleneck = ((width, inputs, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1))
    for number, shape in enumerate(basic if expansion == 1 else bottleneck, 1):
        yield from _convolved(f"{name}.conv{number}", f"{name}.bn{number}", shape)


def _mobilenet(classes: int) -> Iterator[Named]:
    yield from _convolved("features.0.0", "features.0.1", (32, 3, 3, 3))
    inputs, number = 32, 1
    stages = ((1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1))
    for expansion, outputs, blocks in stages:
        for _ in range(blocks):
            yield from _inverted(f"features.{number}.conv", inputs, inputs * expansion, outputs)
            inputs, number = outputs, number + 1
    yield from _convolved("features.18.0", "features.18.1", (1280, 320, 1, 1))
    yield from _linear("classifier.1", 1280, classes)


def _inverted(name: str, inputs: int, hidden: int, outputs: int) -> Iterator[Named]:
    last = 1
    if hidden != inputs:
        yield from _convolved(f"{name}.0.0", f"{name}.0.1", (hidden, inputs, 1, 1))
        last = 2
    yield from _convolved(f"{name}.{last - 1}.0", f"{name}.{last - 1}.1", (hidden, 1, 3, 3))
    yield from _convolved(f"{name}.{last}", f"{name}.{last + 1}", (outputs, hidden, 1, 1))


def _vit(width: int, depth: int, classes: int) -> Iterator[Named]:
    yield "cls_token", (1, 1, width)
    yield "pos_embed", (1, 197, width)
    yield "patch_embed.proj.weight", (width, 3, 16, 16)
    yield "patch_embed.proj.bias", (width,)
    for block in range(depth):
        name = f"blocks.{block}"
        for part, inputs, outputs in (
            ("attn.qkv", width, 3 * width),
            ("attn.proj", width, width),
            ("mlp.fc1", width, 4 * width),
            ("mlp.fc2", 4 * width, width),
        ):
            yield from _linear(f"{name}.{part}", inputs, outputs)
        for norm in ("norm1", "norm2"):
            yield f"{name}.{norm}.weight", (width,)
            yield f"{name}.{norm}.bias", (width,)
    yield "norm.weight", (width,)
    yield "norm.bias", (width,)
    yield from _linear("head", width, classes)
