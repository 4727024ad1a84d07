"""The network that a fit begins with."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from training.errors import DataError  # noqa: E402 - torch may be absent
from training.local import networks  # noqa: E402 - as above
from training.local.starting import prepare_network, settled  # noqa: E402 - as above
from training.recipe import Recipe  # noqa: E402 - as above
from training.settings import default_settings  # noqa: E402 - as above


def recipe(pretrained: str = "none", layers: int = 0) -> Recipe:
    settings = default_settings("mobilenetv2", changes={"layers_to_freeze": layers})
    return Recipe(model="mobilenetv2", settings=settings, pretrained=pretrained)


def test_from_scratch_by_the_seed() -> None:
    """Twice the same; said."""
    (one, source), (two, _) = prepare_network(recipe(), 3), prepare_network(recipe(), 3)
    assert source == "from scratch"
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


def test_with_the_weights_of_a_file_and_layers_frozen(tmp_path: Path) -> None:
    """What another fit has learnt, its head for other classes left out."""
    learnt = networks.build("mobilenetv2", 5).state_dict()
    torch.save(learnt, tmp_path / "best.pt")
    network, source = prepare_network(recipe(str(tmp_path / "best.pt"), layers=19), 3)
    assert source.startswith("best.pt, sha256 ")
    assert source.endswith("; the head is fresh")
    assert torch.equal(network.state_dict()["features.3.conv.0.0.weight"], learnt["features.3.conv.0.0.weight"])
    assert [name for name, p in network.named_parameters() if p.requires_grad] == [
        "classifier.1.weight",
        "classifier.1.bias",
    ]


def test_weights_that_do_not_fit_end_it(tmp_path: Path) -> None:
    """Another network's are never left out silently."""
    torch.save(networks.build("resnet18", 3).state_dict(), tmp_path / "r.pt")
    with pytest.raises(DataError, match="look like those of --model resnet18"):
        prepare_network(recipe(str(tmp_path / "r.pt")), 3)


def test_what_many_fits_begin_with_is_named_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that cannot be had become none, a file stays a file; either way the source is told."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    settled_recipe, source = settled(recipe("auto"))
    assert settled_recipe.pretrained == "none"
    assert "HF_HUB_OFFLINE" in source
    path = tmp_path / "w.pt"
    torch.save({"fc.bias": torch.zeros(2)}, path)
    settled_recipe, source = settled(recipe(str(path)))
    assert settled_recipe.pretrained == str(path)
    assert source.startswith("w.pt, sha256 ")
