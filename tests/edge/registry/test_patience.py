"""When Azure is asked again: later each time, at another moment on each device, and not before Azure wants it."""

import pytest

from edge.registry.patience import FIRST_S, LONGEST_BY_AZURE_S, LONGEST_S, Setback, plain, set_back


def waits(count: int, *, chance: float = 1.0, **how: float) -> list[float]:
    found: list[float] = []
    setback: Setback | None = None
    for _ in range(count):
        setback = set_back(setback, "away", now=100.0, chance=lambda: chance, **how)
        found.append(setback.until - 100.0)
    return found


def test_each_wait_is_twice_as_long_up_to_a_limit() -> None:
    """It never overflows, however long a device is offline."""
    assert waits(4) == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S]
    assert waits(5000)[-1] == LONGEST_S
    assert waits(9, longest_s=70.0)[-1] == 70.0


def test_half_of_a_wait_is_left_to_chance() -> None:
    """Devices that lost Azure together do not come back together."""
    assert waits(1, chance=0.0) == [FIRST_S / 2]


def test_azure_is_left_alone_for_as_long_as_it_asks() -> None:
    """Longer, but never shorter; what it asked for holds for persons too."""
    setback = set_back(None, "throttled", now=0.0, retry_after_s=120.0, chance=lambda: 0.5)
    assert 120.0 <= setback.until <= 150.0
    assert setback.by_azure
    short = set_back(None, "throttled", now=0.0, retry_after_s=1.0, chance=lambda: 1.0)
    assert short.until == FIRST_S
    absurd = set_back(None, "throttled", now=0.0, retry_after_s=1e9, chance=lambda: 0.0)
    assert absurd.until == LONGEST_BY_AZURE_S


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("<urllib3.connection.HTTPSConnection object at 0x7f12ab>: Failed to resolve", "Failed to resolve"),
        (
            "HTTPSConnectionPool(host='x'): Max retries (<a.B object at 0x7f>)",
            "HTTPSConnectionPool(host='x'): Max retries ()",
        ),
        ("429: too many", "429: too many"),
    ],
)
def test_a_reason_is_the_same_each_time(reason: str, expected: str) -> None:
    """What differs from process to process is left out, so that it is told once."""
    assert plain(reason) == expected
