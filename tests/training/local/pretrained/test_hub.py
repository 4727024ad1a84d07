"""Weights from the hub: a real server, the real client in its process, no network beyond this machine."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
safetensors_torch = pytest.importorskip("safetensors.torch")

from tests.training.local.pretrained.hub_server import REVISION, Hub, config, serving  # noqa: E402 - torch may be absent
from training.local.pretrained.finding import AUTO, DEFAULTS, find  # noqa: E402 - as above
from training.local.pretrained.hub import UnavailableError, fetch_weights  # noqa: E402 - as above

REPOSITORY = DEFAULTS["mobilenetv2"]
SAFE = safetensors_torch.save({"fc.weight": torch.ones(2, 3)})


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Serve some repositories; the cache is empty, and somebody is signed in."""
    repositories = {
        REPOSITORY: {"model.safetensors": SAFE, "config.json": config(0.5, 0.25), "pytorch_model.bin": b"not this"},
        "some/readme": {"README.md": b"no weights"},
    }
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with serving(repositories) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.address)
        yield served


def test_default_weights_come_from_the_hub_once(hub: Hub) -> None:
    """Got at first use, with their revision; afterwards the cache is enough, and the hub is not asked."""
    heard: list[str] = []
    found = find(AUTO, "mobilenetv2", heard.append)
    assert found.source == f"{REPOSITORY}@{REVISION}"
    assert found.weights is not None
    assert torch.equal(found.weights.values["fc.weight"], torch.ones(2, 3))
    assert found.weights.normalisation == ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    assert any(REPOSITORY in line for line in heard)
    requests = len(hub.asked)
    for spec in (AUTO, f"{REPOSITORY}@{REVISION}"):
        assert find(spec, "mobilenetv2").source == found.source
    assert len(hub.asked) == requests


def test_nobody_is_told_who_asks_for_the_defaults(hub: Hub) -> None:
    """No token goes along, and no list of what is installed; the token goes with a repository asked for by name."""
    find(AUTO, "mobilenetv2")
    assert all("authorization" not in headers for _, headers in hub.asked)
    assert all("torch" not in headers["user-agent"] for _, headers in hub.asked)
    with pytest.raises(UnavailableError, match="no such repository, or it is private"):
        find("some/private", "mobilenetv2")
    assert hub.asked[-1][1]["authorization"] == "Bearer hf_secret"


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("some/readme", "some/readme: it holds neither model.safetensors nor pytorch_model.bin"),
        (f"{REPOSITORY}@v9", "it has no such revision"),
        ("some/..bad..", "that is no name of a repository"),
    ],
)
def test_what_the_hub_does_not_have_is_told(spec: str, problem: str) -> None:
    """By what is wrong with it, in one line."""
    with pytest.raises(UnavailableError, match=problem):
        find(spec, "mobilenetv2")


def test_offline_is_respected(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked; ``auto`` begins from scratch and says why."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    found = find(AUTO, "mobilenetv2")
    assert found.weights is None
    assert found.source.startswith("from scratch, since pretrained weights cannot be had")
    assert "HF_HUB_OFFLINE" in found.source
    assert hub.asked == []


@pytest.mark.usefixtures("hub")
def test_a_silent_hub_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes the call and says nothing is given up."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(UnavailableError, match=r"silent for more than 0\.5 s"):
            fetch_weights(REPOSITORY, "", signed_in=False, say=lambda _: None, limit_s=0.5)


@pytest.mark.usefixtures("hub")
def test_a_hub_that_is_not_there_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the system's reason."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    found = find(AUTO, "mobilenetv2")
    assert found.weights is None
    assert "refused" in found.source
