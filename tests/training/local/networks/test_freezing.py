"""Layers that are kept as they are while the rest learns."""

from collections.abc import Iterator

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 - torch may be absent

from training.errors import HyperparameterError  # noqa: E402 - as above
from training.local import networks  # noqa: E402 - as above
from training.model_rules import layers_of  # noqa: E402 - as above
from training.settings import LOCAL_MODELS  # noqa: E402 - as above


def learning(network: nn.Module) -> Iterator[str]:
    """Yield the names of the weights that learn."""
    return (name for name, parameter in network.named_parameters() if parameter.requires_grad)


@pytest.mark.parametrize("name", LOCAL_MODELS)
def test_all_layers_leave_the_head(name: str) -> None:
    """With all layers frozen only the classifier learns, and for transformers the norm before it."""
    with torch.device("meta"):
        network = networks.build(name, 3)
    networks.freeze(network, name, layers_of(name))
    heads = {"fc.weight", "fc.bias", "head.weight", "head.bias", "classifier.1.weight", "classifier.1.bias"}
    assert set(learning(network)) <= heads | {"norm.weight", "norm.bias"}
    with pytest.raises(HyperparameterError, match=rf"{name} has {layers_of(name)} layers to freeze; set at most"):
        networks.freeze(network, name, layers_of(name) + 1)


@pytest.mark.parametrize(
    ("name", "layers", "last", "first"),
    [
        ("resnet18", 2, "layer1.1.bn2.bias", "layer2.0.conv1.weight"),
        ("resnet50", 1, "bn1.bias", "layer1.0.conv1.weight"),
        ("mobilenetv2", 3, "features.2.conv.3.bias", "features.3.conv.0.0.weight"),
        ("vits16r224", 1, "patch_embed.proj.bias", "blocks.0.norm1.weight"),
    ],
)
def test_layers_are_counted_from_the_input(name: str, layers: int, last: str, first: str) -> None:
    """The first so many are frozen and no more."""
    with torch.device("meta"):
        network = networks.build(name, 3)
    networks.freeze(network, name, layers)
    assert last not in set(learning(network))
    assert next(learning(network)) == first


def test_frozen_layers_stay_as_they_are() -> None:
    """After steps of training, statistics of norms included; the others have moved."""
    torch.manual_seed(0)
    network = networks.build("resnet18", 2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    networks.freeze(network, "resnet18", 3)
    assert network.state_dict().keys() == before.keys()
    network.train()
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        network(torch.rand(4, 3, 32, 32)).square().sum().backward()
        optimizer.step()
    for name, value in network.state_dict().items():
        frozen = name.startswith(("conv1", "bn1", "layer1", "layer2"))
        assert torch.equal(value, before[name]) == frozen, name


def test_nothing_frozen_is_nothing_changed() -> None:
    """Zero layers leave every weight learning and every norm counting."""
    network = networks.build("mobilenetv2", 2)
    networks.freeze(network, "mobilenetv2", 0)
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert not any(isinstance(module, networks.KeptBatchNorm) for module in network.modules())
