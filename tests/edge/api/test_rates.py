"""How often each client may come: in the mean, in a burst, and in bounded memory."""

import pytest

from edge.api.rates import Rate, address_of


class Clock:
    """A clock that a test turns."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def taken(rate: Rate, clock: Clock, *, seconds: float, step_s: float = 0.01, client: str = "a") -> int:
    """Return how many requests of a client that never rests are let in."""
    let_in = 0
    for _ in range(round(seconds / step_s)):
        let_in += rate.take(client) == 0
        clock.now_s += step_s
    return let_in


@pytest.mark.parametrize("per_s", [0.5, 1.0, 3.0, 50.0])
def test_the_mean_holds_and_a_burst_is_let_in(per_s: float) -> None:
    """Over 100 s: the rate, and about two seconds' worth more for the rest before."""
    clock = Clock()
    found = taken(Rate(per_s, monotonic=clock), clock, seconds=100)
    assert 100 * per_s <= found <= 102 * per_s + 1


@pytest.mark.parametrize(("per_s", "burst"), [(0.01, 1), (0.5, 1), (1.0, 2), (10.0, 20)])
def test_two_seconds_worth_come_at_once_and_at_least_one(per_s: float, burst: int) -> None:
    """However small the rate is."""
    rate = Rate(per_s, monotonic=Clock())
    assert [rate.take("a") == 0 for _ in range(burst + 2)] == [True] * burst + [False] * 2


def test_the_wait_is_what_it_takes() -> None:
    """Who waits as long as told is let in; who does not has lost nothing by asking."""
    clock = Clock()
    rate = Rate(0.5, monotonic=clock)
    rate.take("a")
    for _ in range(3):
        wait_s = rate.take("a")
    assert wait_s == pytest.approx(2.0)
    assert rate.wait_s("a") == pytest.approx(2.0)
    clock.now_s += wait_s
    assert rate.wait_s("a") == 0
    assert rate.take("a") == 0


def test_clients_do_not_hold_each_other_back() -> None:
    """Each has its own."""
    rate = Rate(1.0, monotonic=Clock())
    assert [rate.take(f"client {number}") for number in range(100)] == [0.0] * 100


def test_memory_is_bounded() -> None:
    """Of a million clients the last ones are remembered."""
    rate = Rate(0.001, clients=10, monotonic=Clock())
    for number in range(1_000_000 // 100):
        rate.take(number)
    assert sum(rate.wait_s(number) > 0 for number in range(10_000)) == 10


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("10.0.0.1", 5), "10.0.0.1"),
        (("2001:db8:1:2:3:4:5:6", 5), "2001:db8:1:2::/64"),
        (("2001:db8:1:2:ffff::", 5), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 5), "fe80::/64"),
        (("::ffff:10.0.0.1", 5), "10.0.0.1"),
        (None, ""),
        ((":", 1), ":"),
    ],
)
def test_addresses_are_told_apart_by_what_one_machine_has(client: tuple[str, int] | None, address: str) -> None:
    """An IPv6 machine may take any of 2^64 addresses, and counts once; an IPv4 one is itself on any socket."""
    assert address_of(client) == address
