"""What a cluster shall be, against what is there. No request is made here."""

import pytest

from training.azure.compute import Compute, Wish, differences, gpu_warning
from training.errors import UsageError

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
