"""The networks: AutoML's names, torchvision's layers, and a start from which Adam can learn."""

import pytest

torch = pytest.importorskip("torch")

from training.errors import UnknownModelError  # noqa: E402 - torch may be absent
from training.local import networks  # noqa: E402 - as above
from training.settings import LOCAL_MODELS  # noqa: E402 - as above


@pytest.mark.parametrize(
    ("name", "parameters", "key"),
    [
        ("mobilenetv2", 3_504_872, "features.18.0.weight"),
        ("resnet18", 11_689_512, "layer4.1.bn2.running_var"),
    ],
)
def test_layout_is_torchvisions(name: str, parameters: int, key: str) -> None:
    """With 1000 classes each has as many weights as torchvision's, under the same names."""
    network = networks.build(name, 1000)
    assert networks.parameter_count(network) == parameters
    assert key in network.state_dict()


@pytest.mark.parametrize("name", LOCAL_MODELS)
def test_any_input_size(name: str) -> None:
    """The networks take any side from 32 pixels and give one logit a class."""
    network = networks.build(name, 5).eval()
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 5)
        assert network(torch.zeros(1, 3, 40, 56)).shape == (1, 5)


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
