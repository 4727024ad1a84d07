"""Lengths of time: as people write them, as they read them. Pure."""

import math
import re

from training.errors import UsageError

FORM = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
LONGEST_S = 30 * 24 * 3600
FINISH_SHARE = 0.08
"""Of the budget, what is kept for the bundle and its last judgement."""
FINISH_AT_LEAST_S, FINISH_AT_MOST_S = 8.0, 120.0
FINISH_PICTURES = 220
"""What making a bundle takes on a slow machine, by what training on a picture at the base side takes there."""
MOST_OF_IT = 0.3
"""Of the budget, no more than this is kept back."""


def parse_budget(text: str) -> int:
    """Return seconds of a length of time as ``90s``, ``30m`` or ``1h30m``.

    Raises:
        UsageError: another form, nothing, or more than 30 days.
    """
    found = FORM.fullmatch(text.strip().lower())
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    total = 3600 * hours + 60 * minutes + seconds
    if not 0 < total <= LONGEST_S:
        raise UsageError(f"budget {text!r}: write a length of time of at most 30 days, as 90s, 30m or 1h30m")
    return total


def finishing(budget: float, picture: float = 0.0) -> float:
    """Return the seconds of a budget that are kept for what comes after the fits.

    ``picture`` is how long it takes to train on one at the base side, in seconds; 0 where that is not known yet.
    """
    slow = min(FINISH_PICTURES * picture, MOST_OF_IT * budget)
    return min(max(FINISH_SHARE * budget, FINISH_AT_LEAST_S, slow), FINISH_AT_MOST_S)


def duration(seconds: float) -> str:
    """Return a length of time as people read it: 8 s, 3 min 20 s, 1 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def at_least(seconds: float) -> str:
    """Return a budget, as it is typed, of no less than these seconds: whole tens, from two minutes on whole minutes."""
    step = 10 if seconds <= 120 else 60
    whole = step * math.ceil(seconds / step)
    return f"{whole}s" if whole <= 120 else f"{whole // 60}m"
