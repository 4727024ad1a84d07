"""How often each client may come: a bucket a client, in bounded memory."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

BURST_S = 2.0
"""How long a client that was quiet may come without being held back, in seconds' worth of its rate."""
ROUNDING_S = 1e-6
"""A wait so short is none: sums of floating-point times are that exact on a machine that has run for years."""
CLIENTS = 4096
"""Most clients that are told apart; the one that came longest ago is forgotten first."""


class Rate:
    """At most ``per_s`` requests a second of each client in the mean, and ``BURST_S`` seconds' worth at once.

    The generic cell rate algorithm (ITU-T I.371): of each client only the time is kept at which its bucket will be
    empty again. Belongs to one thread.
    """

    def __init__(
        self, per_s: float, *, clients: int = CLIENTS, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._each_s = 1 / per_s
        self._room_s = (max(1.0, BURST_S * per_s) - 1) * self._each_s
        self._clients = clients
        self._monotonic = monotonic
        self._empty_at: OrderedDict[Hashable, float] = OrderedDict()

    def wait_s(self, client: Hashable) -> float:
        """Return how long ``client`` must still wait before it may come; 0 where it may come now. Counts nothing."""
        return max(0.0, self._empty_at.get(client, 0.0) - self._monotonic() - self._room_s)

    def take(self, client: Hashable) -> float:
        """Count a request of ``client`` and return 0; where it comes too early count nothing and return the wait."""
        now = self._monotonic()
        empty_at = max(now, self._empty_at.get(client, 0.0))
        wait_s = empty_at - now - self._room_s
        if wait_s > ROUNDING_S:
            return wait_s
        self._empty_at[client] = empty_at + self._each_s
        self._empty_at.move_to_end(client)
        if len(self._empty_at) > self._clients:
            self._empty_at.popitem(last=False)
        return 0.0


def address_of(client: tuple[str, int] | None) -> str:
    """Return what tells clients' addresses apart: of IPv6 the first 64 bits, for one machine has the rest to itself."""
    host = client[0] if client else ""
    if ":" not in host:
        return host
    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
