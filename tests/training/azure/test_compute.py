"""What a cluster shall be, against what is there; waiting for it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge.azureml.cloud import read_cloud
from edge.azureml.identity import Identity
from edge.azureml.place import Workspace
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.standin import Cloud
from training.azure.compute import Compute, Wish, differences, ensure, gpu_warning
from training.azure.session import Session
from training.errors import AzureError, UsageError

THERE = Compute("gpu", "amlcompute", "Succeeded", "STANDARD_NC4AS_T4_V3", 0, 4, 1200, low_priority=False)
WISH = Wish("gpu", "Standard_NC4as_T4_v3")


@pytest.mark.parametrize(
    ("size", "warned"),
    [
        ("Standard_NC4as_T4_v3", ""),
        ("STANDARD_NC24ADS_A100_V4", ""),
        ("Standard_ND40rs_v2", ""),
        ("Standard_NC40ads_H100_v5", ""),
        ("Standard_NV36ads_A10_v5", ""),
        ("Standard_DS3_v2", "no GPU"),
        ("Standard_E4s_v3", "no GPU"),
        ("Standard_NV4as_v4", "no NVIDIA GPU"),
        ("Standard_ND96isr_MI300X_v5", "no NVIDIA GPU"),
        ("Standard_NG8ads_V620_v1", "no NVIDIA GPU"),
    ],
)
def test_sizes_without_an_nvidia_gpu_are_warned_about(size: str, warned: str) -> None:
    """AutoML for Images trains with CUDA only."""
    found = gpu_warning(size)
    assert (warned in found) if warned and found else found is None
    assert bool(found) == bool(warned)


def test_only_what_differs_is_changed() -> None:
    """Azure writes sizes in capitals, which is no difference."""
    assert differences(WISH, THERE) == ()
    wish = Wish("gpu", "Standard_NC4as_T4_v3", 1, 8, 600)
    assert differences(wish, THERE) == ("min 0 to 1", "max 4 to 8", "idle 1200 to 600")


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (
            Wish("gpu", "Standard_NC6s_v3"),
            "--size STANDARD_NC4AS_T4_V3, not Standard_NC6s_v3, which Azure never changes",
        ),
        (Wish("gpu", "Standard_NC4as_T4_v3", low_priority=True), "there with --priority dedicated"),
    ],
)
def test_size_and_priority_never_change(wish: Wish, message: str) -> None:
    """The error says what is there and what to do."""
    with pytest.raises(UsageError, match=message):
        differences(wish, THERE)


@pytest.mark.parametrize(
    ("name", "low", "high", "message"),
    [("1gpu", 0, 1, "a letter first"), ("gpu-", 0, 1, "no dash"), ("gpu", 3, 2, "at least 1 and --min 3")],
)
def test_wishes_that_cannot_be_are_refused(name: str, low: int, high: int, message: str) -> None:
    """Before Azure is asked."""
    with pytest.raises(UsageError, match=message):
        Wish(name, "Standard_NC4as_T4_v3", low, high)


@pytest.fixture
def session(azure: Cloud, tmp_path: Path) -> Iterator[Session]:
    place = Workspace(SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE)
    cloud = read_cloud(str(azure.cloud_file(tmp_path)))
    with closing(Session(place, Identity("managed-identity"), cloud)) as opened:
        yield opened


def test_whoever_waits_hears_how_far_it_is(azure: Cloud, session: Session) -> None:
    """Azure's own word for it, and for how long."""
    azure.notes["compute_polls"] = 1
    heard: list[str] = []
    assert ensure(session, WISH, heard.append).outcome == "made"
    assert heard[0].endswith(", 0 s")
    assert heard[1].endswith(", 1 s")


def test_a_cluster_that_takes_too_long_is_not_waited_for(azure: Cloud, session: Session) -> None:
    """Azure goes on with it; the error tells how to look."""
    azure.notes["compute_polls"] = 1
    with pytest.raises(AzureError, match="cluster gpu: not ready after 0 s; `compute show gpu` tells"):
        ensure(session, WISH, lambda _: None, limit_s=0.0)
