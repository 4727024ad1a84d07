"""Files of weights, as others write them."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
safetensors_torch = pytest.importorskip("safetensors.torch")

from training.errors import DataError, UsageError  # noqa: E402 - torch may be absent
from training.local.pretrained.finding import find  # noqa: E402 - as above

LAYERS = {"fc.weight": torch.arange(6.0).reshape(2, 3), "fc.bias": torch.zeros(2)}


class Trap:
    """Runs something when it is unpickled."""

    def __reduce__(self) -> Any:
        return print, ("run",)


@pytest.mark.parametrize(
    "told",
    [
        LAYERS,
        {"state_dict": LAYERS, "epoch": 3},
        {"model_state": {f"module.{name}": value for name, value in LAYERS.items()}, "model_name": "resnet18"},
        {"model": {f"model.{name}": value for name, value in LAYERS.items()}},
        {f"network.{name}": value for name, value in LAYERS.items()},
    ],
    ids=["plain", "state_dict", "model_state", "model", "wrapped"],
)
@pytest.mark.parametrize("suffix", ["pt", "pth"])
def test_weights_are_found_inside_what_was_saved(told: object, suffix: str, tmp_path: Path) -> None:
    """Below the names that training programs put around them; the source is the file's name and hash, not its place."""
    path = tmp_path / f"my weights.{suffix}"
    torch.save(told, path)
    found = find(str(path), "resnet18")
    assert found.weights is not None
    assert {name: value.tolist() for name, value in found.weights.values.items()} == {
        name: value.tolist() for name, value in LAYERS.items()
    }
    assert found.source.startswith(f"my weights.{suffix}, sha256 ")


def test_safetensors_are_read(tmp_path: Path) -> None:
    """The format in which nothing can be hidden."""
    safetensors_torch.save_file(LAYERS, tmp_path / "w.safetensors")
    found = find(str(tmp_path / "w.safetensors"), "resnet18")
    assert found.weights is not None
    assert found.weights.values.keys() == LAYERS.keys()


def test_nothing_in_a_file_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pickle that holds more than weights is refused."""
    torch.save({"state_dict": LAYERS, "extra": Trap()}, tmp_path / "w.pt")
    with pytest.raises(DataError, match=r"w\.pt: holds more than weights"):
        find(str(tmp_path / "w.pt"), "resnet18")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
@pytest.mark.parametrize("damage", ["empty", "cut", "text"])
def test_damaged_files_are_named(name: str, damage: str, tmp_path: Path) -> None:
    """Whatever is wrong inside."""
    path = tmp_path / name
    torch.save(LAYERS, path) if name.endswith("pt") else safetensors_torch.save_file(LAYERS, path)
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "text": b"<html>not found</html>"}[damage])
    with pytest.raises(DataError, match=name):
        find(str(path), "resnet18")


@pytest.mark.parametrize("told", [[1, 2], {}, {"fc.weight": 1.0}, {"fc.weight": torch.tensor([float("nan")])}], ids=str)
def test_what_is_no_weights_is_refused(told: object, tmp_path: Path) -> None:
    """A list, nothing, numbers without layers, weights of a fit that went wrong."""
    torch.save(told, tmp_path / "w.pth")
    with pytest.raises(DataError, match=r"w\.pth: (holds no weights|the weights of fc\.weight)"):
        find(str(tmp_path / "w.pth"), "resnet18")


def test_a_whole_network_is_refused(tmp_path: Path) -> None:
    """Saved by ``torch.save(network)``: its classes would have to be run."""
    torch.save(torch.nn.Linear(2, 2), tmp_path / "w.pt")
    with pytest.raises(DataError, match="save the network's state_dict"):
        find(str(tmp_path / "w.pt"), "resnet18")


def test_what_names_nothing_is_told(tmp_path: Path) -> None:
    """A file that is not there, a folder, and a word."""
    (tmp_path / "folder").mkdir()
    for spec in ("gone.pth", str(tmp_path / "folder")):
        with pytest.raises(DataError, match="there is no such file of weights"):
            find(spec, "resnet18")
    with pytest.raises(UsageError, match="--pretrained imagenet: neither none, auto, a file"):
        find("imagenet", "resnet18")


def test_from_scratch_is_said() -> None:
    """``none`` is no weights."""
    found = find("none", "resnet18")
    assert (found.weights, found.source) == (None, "from scratch")
