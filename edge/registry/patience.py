"""When Azure is asked again after it failed to answer: later each time, and not all devices at once. Pure."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

FIRST_S = 30.0
LONGEST_S = 900.0
LONGEST_FOR_VERSION_S = 3600.0
"""A version that cannot be fetched may be 200 MB each time: it is tried less often."""
LONGEST_BY_AZURE_S = 6 * 3600.0
"""However long Azure asks to be left alone, a device shall come back by itself."""

_ADDRESS = re.compile(r"<[\w.]+ object at 0x[0-9a-f]+>(: )?")


@dataclass(frozen=True, slots=True)
class Setback:
    """What went wrong, ``times`` in a row; it is not tried again before ``until``, on the caller's clock.

    ``by_azure`` says that Azure itself asked to be left alone till then.
    """

    reason: str
    times: int
    until: float
    by_azure: bool = False


def set_back(
    before: Setback | None,
    reason: str,
    *,
    now: float,
    retry_after_s: float | None = None,
    longest_s: float = LONGEST_S,
    chance: Callable[[], float] = random.random,
) -> Setback:
    """Return the setback after one more failure. ``chance`` gives 0..1: half of each wait is left to it."""
    times = before.times + 1 if before else 1
    wait_s = min(FIRST_S * 2.0 ** min(times - 1, 16), longest_s) * (0.5 + chance() / 2)
    by_azure = retry_after_s is not None and retry_after_s > 0
    if retry_after_s is not None and retry_after_s > wait_s:
        wait_s = min(retry_after_s, LONGEST_BY_AZURE_S) * (1 + chance() / 5)
    return Setback(plain(reason), times, now + wait_s, by_azure)


def plain(reason: str) -> str:
    """Return a reason without the addresses of objects, which differ each time and would be told as something new."""
    return _ADDRESS.sub("", reason)
