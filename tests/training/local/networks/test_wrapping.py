"""What stands around a network in the graph: averaging over the mirror image, and every picture standardised."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")

from torch import Tensor  # noqa: E402 - torch may be absent

from edge.preprocess.classification import MEAN, STD  # noqa: E402 - as above
from tests.training.local.tiny import settled  # noqa: E402 - as above
from training.local import networks  # noqa: E402 - as above
from training.local.graph import INPUT_NAME, check_parity, write_graph  # noqa: E402 - as above


def normalised(pictures: Tensor) -> Tensor:
    """Return pictures [N,3,H,W] of values 0..1 as the edge hands them to a graph."""
    mean, std = (torch.tensor(values, dtype=torch.float32).reshape(3, 1, 1) for values in (MEAN, STD))
    inputs: Tensor = (pictures - mean) / std
    return inputs


def random_pictures(count: int) -> Tensor:
    pictures: Tensor = torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    return pictures


def test_standardised_is_the_formula() -> None:
    """The network gets each point less the mean of its neighbourhood, by the deviation there."""
    pictures = random_pictures(2) * torch.tensor([1.0, 0.1]).reshape(2, 1, 1, 1)
    seen = networks.Standardised(torch.nn.Identity())(normalised(pictures))
    for picture, got in zip(pictures.double(), seen, strict=True):
        centred = picture - neighbourhood(picture.mean(0))
        expected = centred / (neighbourhood((centred**2).mean(0)).sqrt() + 0.02)
        assert torch.allclose(got.double(), expected, atol=1e-4)


def neighbourhood(plane: Tensor) -> Tensor:
    """Return the mean over the 11 x 11 points around each point of a plane [32,32], cut off at its borders."""
    means: Tensor = torch.stack(
        [
            torch.stack([plane[max(0, y - 5) : y + 6, max(0, x - 5) : x + 6].mean() for x in range(32)])
            for y in range(32)
        ]
    )
    return means


def test_light_and_contrast_do_not_count() -> None:
    """A picture in other light, that falls off to one side, or of less contrast, looks the same to the network."""
    standardised = networks.Standardised(torch.nn.Identity())
    pictures = random_pictures(2)
    bright, dark = (standardised(normalised(pictures * 0.5 + light)) for light in (0.5, 0.0))
    falling = standardised(normalised(pictures * 0.5 + torch.linspace(0, 0.3, 32)))
    assert torch.allclose(bright, dark, atol=1e-4)
    assert torch.allclose(dark, standardised(normalised(pictures)), atol=0.25)  # the floor
    assert (falling - dark)[..., 6:-6].abs().max() < 0.15


def test_an_even_picture_becomes_nothing() -> None:
    """Black, grey and white give zeros, not noise and not NaN."""
    even = torch.tensor([0.0, 0.5, 1.0]).reshape(3, 1, 1, 1).expand(3, 3, 32, 32)
    assert networks.Standardised(torch.nn.Identity())(normalised(even)).abs().max() < 1e-3


def test_half_precision_is_for_the_network_alone() -> None:
    """Where a GPU computes in 16 bits, a picture is still evened out in 32."""
    standardised = networks.Standardised(torch.nn.Identity())
    pale = normalised(0.5 + 0.02 * random_pictures(2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        halved = standardised(pale)
    assert torch.equal(halved, standardised(pale))


def test_standardising_is_no_weight() -> None:
    """Nothing of it is stored or learnt, and it follows the network to another type of number."""
    wrapped = networks.Standardised(networks.build("mobilenetv2", 3))
    assert all(key.startswith("network.") for key in wrapped.state_dict())
    assert networks.parameter_count(wrapped) == networks.parameter_count(wrapped.network)
    assert wrapped.double()(random_pictures(2).double()).dtype == torch.float64


def test_standardised_and_mirrored_export_as_they_answer(tmp_path: Path) -> None:
    """Both wrappers in one graph with a free batch axis, equal to the network."""
    torch.manual_seed(0)
    wrapped = networks.MirrorAverage(networks.Standardised(settled(networks.build("mobilenetv2", 3)))).eval()
    write_graph(wrapped, 32, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    inputs = normalised(random_pictures(5)).numpy()
    inputs[4] = 0.3
    answers = session.run(None, {INPUT_NAME: inputs})[0]
    assert np.ptp(answers) > 0.1
    check_parity(wrapped, lambda batch: session.run(None, {INPUT_NAME: batch})[0], inputs)


def test_mirror_average_answers_a_picture_and_its_mirror_image_alike() -> None:
    """The logits are the mean of both views, row by row, in a batch as alone."""
    plain = networks.build("mobilenetv2", 3).eval()
    mirrored = networks.MirrorAverage(plain).eval()
    pictures = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = (plain(pictures) + plain(pictures.flip(3))) / 2
        assert torch.allclose(mirrored(pictures), expected, atol=1e-6)
        assert torch.allclose(mirrored(pictures.flip(3)), expected, atol=1e-6)
        assert torch.allclose(mirrored(pictures[1:2]), expected[1:2], atol=1e-6)
