"""Weights of torchvision and timm, put into our networks."""

from collections.abc import Mapping

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402 - torch may be absent

from tests.training.local.published import published, published_by_timm  # noqa: E402 - as above
from training.errors import DataError  # noqa: E402 - as above
from training.local import networks  # noqa: E402 - as above
from training.local.networks.vit import Shape, VisionTransformer  # noqa: E402 - as above
from training.local.pretrained.finding import DEFAULTS  # noqa: E402 - as above
from training.local.pretrained.fitting import load_into  # noqa: E402 - as above
from training.local.pretrained.weights import Weights  # noqa: E402 - as above
from training.settings import LOCAL_MODELS  # noqa: E402 - as above


def filled(shapes: Mapping[str, tuple[int, ...]], seed: int = 0) -> dict[str, Tensor]:
    """Return weights of these shapes, each its own."""
    generator = torch.Generator().manual_seed(seed)
    return {name: 0.1 * torch.rand(shape, generator=generator) for name, shape in shapes.items()}


def hollow(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Return weights of these shapes that take no memory: enough where they are refused."""
    return {name: torch.zeros(shape, device="meta") for name, shape in shapes.items()}


def same(network: nn.Module, values: Mapping[str, Tensor], *, but: str = "num_batches_tracked") -> bool:
    """Tell whether a network has these weights, but for layers of some name."""
    there = network.state_dict()
    return all(torch.equal(there[name], value) for name, value in values.items() if but not in name)


@pytest.mark.parametrize(("model", "head"), [("mobilenetv2", "classifier"), ("resnet18", "fc")])
def test_weights_of_as_many_classes_are_taken_whole(model: str, head: str) -> None:
    """Head included; for another number of classes the head stays as it was."""
    values = filled(published(model))
    network = networks.build(model, 1000)
    assert load_into(network, Weights(values, "tv"))
    assert same(network, values)
    other = networks.build(model, 4)
    fresh = {name: value.clone() for name, value in other.state_dict().items() if name.startswith(head)}
    assert not load_into(other, Weights(values, "tv"))
    assert same(other, {name: value for name, value in values.items() if not name.startswith(head)})
    assert same(other, fresh)


def test_timms_mobilenet_is_torchvisions() -> None:
    """The same layers in the same order by other names."""
    values = filled(published_by_timm())
    network = networks.build("mobilenetv2", 1000)
    assert load_into(network, Weights(values, "timm"))
    assert same(network, dict(zip(published("mobilenetv2"), values.values(), strict=True)))


def test_weights_without_head_or_counters_are_enough() -> None:
    """As feature extractors are published, and as torch wrote norms before it counted batches."""
    values = filled(published("resnet18"))
    bare = {n: v for n, v in values.items() if not n.startswith("fc") and not n.endswith("num_batches_tracked")}
    network = networks.build("resnet18", 1000)
    assert not load_into(network, Weights(bare, "bare"))
    assert same(network, bare)


def test_half_precision_becomes_single() -> None:
    """Weights of two bytes are taken as they are."""
    values = {name: value.half() for name, value in filled(published("mobilenetv2", 2)).items()}
    network = networks.build("mobilenetv2", 2)
    load_into(network, Weights(values, "half"))
    assert network.state_dict()["features.0.0.weight"].dtype == torch.float32
    assert same(network, {name: value.float() for name, value in values.items()})


def transformer(side: int) -> VisionTransformer:
    """Return a small one, in eval mode, its weights drawn by torch's seed."""
    torch.manual_seed(0)
    network = VisionTransformer(Shape(width=24, depth=2, heads=3), 3, side)
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0.1, 0.2)
    return network.eval()


def test_a_transformer_of_another_side_gets_its_positions_resized() -> None:
    """A smooth course of positions stays the same course; the class token's own stays as it is."""
    values = transformer(224).state_dict()
    rows = torch.linspace(0, 1, 14).reshape(14, 1, 1).expand(14, 14, 24)
    values["pos_embed"][:, 1:] = rows.reshape(1, 196, 24)
    network = transformer(112)
    assert load_into(network, Weights(values, "timm"))
    positions = network.state_dict()["pos_embed"]
    assert torch.equal(positions[:, 0], values["pos_embed"][:, 0])
    course = positions[0, 1:].reshape(7, 7, 24)
    assert torch.allclose(course, course[:, :1].expand(7, 7, 24), atol=1e-5)
    assert torch.allclose(course[:, 0, 0], torch.linspace(1 / 26, 25 / 26, 7), atol=0.02)


def test_a_transformer_sees_pictures_as_its_weights_saw_them() -> None:
    """Weights trained on (v - 0.5) / 0.5 answer alike on pictures normalised as the edge does."""
    theirs, ours = transformer(32), transformer(32)
    half = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    load_into(ours, Weights({name: value.clone() for name, value in theirs.state_dict().items()}, "augreg", half))
    pictures = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        assert torch.allclose(ours((pictures - mean) / std), theirs((pictures - 0.5) / 0.5), atol=1e-4)


def test_a_convolution_cannot_be_given_another_normalisation() -> None:
    """Its padding is in the way: refused."""
    weights = Weights(filled(published("mobilenetv2")), "x", ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)))
    network = networks.build("mobilenetv2", 2)
    with pytest.raises(DataError, match=r"normalised by .* take weights that were trained on ImageNet's"):
        load_into(network, weights)


def test_another_networks_weights_are_told_from_whose_they_are() -> None:
    """With the first layers that do not fit."""
    for there, message in (
        ("resnet34", r"have, and the network has not, layer1\.2\.conv1\.weight.* more; they look like .*resnet34"),
        ("vitb16r224", r"lack conv1\.weight, bn1\.weight, bn1\.bias and \d+ more; they look like .*vitb16r224"),
    ):
        with pytest.raises(DataError, match=message):
            load_into(networks.build("resnet18", 2), Weights(hollow(published(there)), there))
    with pytest.raises(DataError, match=r"lack .*; they look like those of --model mobilenetv2"):
        load_into(networks.build("resnet18", 2), Weights(hollow(published_by_timm()), "timm"))
    with pytest.raises(DataError, match="look like those of no network here"):
        load_into(networks.build("resnet18", 2), Weights({"a": torch.zeros(1)}, "a.pt"))


def test_another_width_is_told() -> None:
    """The same names, other shapes."""
    shapes = {**published("resnet18"), "layer1.0.conv1.weight": (32, 64, 3, 3)}
    with pytest.raises(DataError, match=r"have otherwise layer1\.0\.conv1\.weight; they look like"):
        load_into(networks.build("resnet18", 2), Weights(hollow(shapes), "wide.pt"))


def test_every_network_has_a_default() -> None:
    """``auto`` knows where to look."""
    assert tuple(DEFAULTS) == LOCAL_MODELS
