"""What of a fit is on the disk: checkpoints that are whole or set aside, weights that fit their network."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from tests.training.local.tiny import draw, recipe, tiny_run  # noqa: E402 - torch may be absent
from training.errors import DataError  # noqa: E402 - as above
from training.local import networks  # noqa: E402 - as above
from training.local.run import Run  # noqa: E402 - as above
from training.local.weights import (  # noqa: E402 - as above
    load_network,
    read_checkpoint,
    remove_checkpoints,
    write_best,
    write_checkpoint,
)


def state(number: int) -> dict[str, Any]:
    return {"epochs": [number], "best": {"weight": torch.full((40, 40), float(number))}}


def read(folder: Path) -> tuple[dict[str, Any] | None, list[str]]:
    said: list[str] = []
    return read_checkpoint(folder, said.append), said


def test_the_last_checkpoint_and_the_one_before_are_kept(tmp_path: Path) -> None:
    """Three written, two there, and the last is read."""
    for number in (1, 2, 3):
        write_checkpoint(tmp_path, state(number))
    found, said = read(tmp_path)
    assert found is not None
    assert found["epochs"] == [3]
    assert torch.equal(found["best"]["weight"], state(3)["best"]["weight"])
    assert said == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.pt", "previous.checkpoint.pt"]
    remove_checkpoints(tmp_path)
    assert not list(tmp_path.iterdir())
    assert read(tmp_path) == (None, [])


def spoilt(whole: bytes) -> dict[str, bytes]:
    """Return what may be in place of a checkpoint."""
    bit = bytearray(whole)
    bit[len(bit) // 2] ^= 1
    cut, zeros = whole[: len(whole) // 2], b"\0" * 5000
    return {"empty": b"", "cut": cut, "bit": bytes(bit), "zeros": zeros, "text": b"PK\3\4 no"}


@pytest.mark.parametrize("kind", ["empty", "cut", "bit", "zeros", "text"])
def test_a_damaged_checkpoint_is_set_aside(kind: str, tmp_path: Path) -> None:
    """Whatever is wrong with it: the one before is taken; without one, that is said."""
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(tmp_path, state(1))
    write_checkpoint(tmp_path, state(2))
    path.write_bytes(spoilt(path.read_bytes())[kind])
    found, said = read(tmp_path)
    assert found is not None
    assert found["epochs"] == [1]
    assert "checkpoint.pt: is damaged" in said[0] or "cannot be read" in said[0]
    assert not path.exists()
    assert (tmp_path / "checkpoint.damaged.pt").exists()
    (tmp_path / "previous.checkpoint.pt").unlink()
    path.write_bytes(b"")
    assert read(tmp_path)[1][1:] == ["there is no whole checkpoint; the fit begins anew"]


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    """Only tensors and plain values are read back; anything else counts as damaged."""
    torch.save({"schema": Path("x")}, tmp_path / "checkpoint.pt")
    found, said = read(tmp_path)
    assert found is None
    assert "checkpoint.pt: is damaged" in said[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return tiny_run(draw(tmp_path_factory.mktemp("data"), 12), threads=1)


def test_weights_become_a_network_again(run: Run, tmp_path: Path) -> None:
    """In eval mode, standardised and mirrored where the recipe says so; the weights are the bare network's."""
    torch.manual_seed(3)
    bare = networks.build("mobilenetv2", 6, side=32).eval()
    write_best(tmp_path, bare.state_dict())
    pictures = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(load_network(tmp_path, run)(pictures), bare(pictures))
        dressed = replace(run, recipe=recipe(rest={"mirrored": True, "standardised": True}))
        logits = load_network(tmp_path, dressed)(pictures)
        assert torch.allclose(logits, load_network(tmp_path, dressed)(pictures.flip(3)), atol=1e-5)
        assert not torch.equal(logits, bare(pictures))


def test_weights_that_are_not_there_or_of_another_network_are_named(run: Run, tmp_path: Path) -> None:
    """With the remedy."""
    with pytest.raises(DataError, match="no epoch is finished yet; run automl-train fit again to go on"):
        load_network(tmp_path, run)
    write_best(tmp_path, networks.build("mobilenetv2", 5, side=32).state_dict())
    with pytest.raises(DataError, match=r"best\.pt: holds the weights of another network"):
        load_network(tmp_path, run)
    write_best(tmp_path, {"a": 1})
    (tmp_path / "best.pt").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"best\.pt: is damaged"):
        load_network(tmp_path, run)
