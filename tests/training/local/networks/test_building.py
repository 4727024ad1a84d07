"""The networks: AutoML's names, the published architectures and layer names, and a start from which Adam can learn."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")

from torch import nn  # noqa: E402 - torch may be absent

from tests.training.local.published import published  # noqa: E402 - as above
from tests.training.local.tiny import settled  # noqa: E402 - as above
from training.errors import HyperparameterError, UnknownModelError  # noqa: E402 - as above
from training.local import networks  # noqa: E402 - as above
from training.local.graph import INPUT_NAME, check_parity, write_graph  # noqa: E402 - as above
from training.settings import LOCAL_MODELS  # noqa: E402 - as above

SIZES = {
    "mobilenetv2": 3_504_872,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "vits16r224": 22_050_664,
    "vitb16r224": 86_567_656,
    "vitl16r224": 304_326_632,
}
"""Learnt values with 1000 classes, as torchvision and timm count them."""
EXPORTED = ("mobilenetv2", "resnet18", "resnet50", "vits16r224")
"""The others are the same code with more blocks, and take their time."""


def outline(name: str, classes: int = 1000, side: int = 224) -> nn.Module:
    """Return a network without memory for its weights."""
    with torch.device("meta"):
        return networks.build(name, classes, side=side)


@pytest.mark.parametrize("name", LOCAL_MODELS)
def test_layers_are_the_published_ones(name: str) -> None:
    """With 1000 classes each has the weights of torchvision's or timm's: names, shapes and how many."""
    network = outline(name)
    assert {key: tuple(value.shape) for key, value in network.state_dict().items()} == published(name)
    assert networks.parameter_count(network) == SIZES[name]


@pytest.mark.parametrize("name", LOCAL_MODELS)
def test_one_logit_a_class(name: str) -> None:
    """Every network takes a batch of pictures and gives one logit a class."""
    assert outline(name, classes=5, side=64)(torch.zeros(2, 3, 64, 64, device="meta")).shape == (2, 5)


@pytest.mark.parametrize("name", ["mobilenetv2", "resnet18", "resnet50"])
def test_convolutions_take_any_side(name: str) -> None:
    """Also sides that differ, and that no multiple of anything is."""
    network = outline(name, classes=5)
    for height, width in ((32, 32), (40, 57), (8, 8)):
        assert network(torch.zeros(2, 3, height, width, device="meta")).shape == (2, 5)


@pytest.mark.parametrize("name", EXPORTED)
def test_graph_answers_as_the_network(name: str, tmp_path: Path) -> None:
    """The exported graph takes any batch and its logits are the network's within 1e-4."""
    torch.manual_seed(0)
    network = settled(networks.build(name, 3, side=32))
    write_graph(network, 32, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    for batch in (1, 3):
        inputs = np.random.default_rng(batch).standard_normal((batch, 3, 32, 32)).astype(np.float32)
        assert check_parity(network, lambda x: session.run(None, {INPUT_NAME: x})[0], inputs) < 1e-4


def test_a_vision_transformer_is_made_for_one_side() -> None:
    """A multiple of the patch; another is refused with the nearest ones."""
    assert outline("vits16r224", side=96).state_dict()["pos_embed"].shape == (1, 37, 384)
    with pytest.raises(HyperparameterError, match=r"side=100: vits16r224 cuts .* for example 96 or 112"):
        networks.build("vits16r224", 2, side=100)


def test_a_transformer_tells_places_apart() -> None:
    """The same patches in another order give another answer; every head sees each patch."""
    torch.manual_seed(0)
    network = networks.build("vits16r224", 3, side=32).eval()
    picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert not torch.allclose(network(picture), network(picture.roll(16, 3)), atol=1e-5)


def test_names_on_offer_are_the_ones_built() -> None:
    """What the command line offers is what the trainer has."""
    assert tuple(networks.model_names()) == LOCAL_MODELS


def test_unknown_model_is_refused() -> None:
    """The error lists the networks."""
    with pytest.raises(UnknownModelError, match=r"'vgg'.*mobilenetv2"):
        networks.build("vgg", 2)


def test_same_seed_same_weights() -> None:
    """Initial weights follow torch's seed."""
    weights = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        weights.append(networks.build("mobilenetv2", 2).state_dict()["features.3.conv.0.0.weight"])
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_residual_branches_start_at_nothing(name: str) -> None:
    """A fresh block hands on what it was given."""
    block = networks.build(name, 2).get_submodule("layer1.1").eval()
    given = torch.rand(1, 256 if name == "resnet50" else 64, 4, 4)
    with torch.no_grad():
        assert torch.equal(block(given), given)
