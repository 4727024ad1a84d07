"""How an endpoint's requests are shared out among its deployments, in whole percents. Nothing is asked here."""

import re
from collections.abc import Collection, Mapping

from training.errors import UsageError

WHOLE = 100


def plan_traffic(asked: str, new: str, current: Mapping[str, int], known: Collection[str]) -> Mapping[str, int] | None:
    """Return each deployment's share once ``new`` answers too, summing to 100; None where it stays as it is.

    ``asked`` is the share of ``new`` (the others' shrink in proportion; ``0`` changes nothing), or all shares as
    ``blue=90,green=10``. ``current`` are the shares as they are, ``known`` the deployments that there will be.

    Raises:
        UsageError: no such form, shares that do not sum to 100, a deployment that is not there.
    """
    if re.fullmatch(r"\d{1,3}", asked):
        return _one_share(int(asked), new, current)
    shares = _shares(asked)
    strangers = sorted(set(shares) - set(known))
    if strangers:
        there = ", ".join(sorted(known)) or "none"
        raise UsageError(f"--traffic: the endpoint has no deployment {', '.join(strangers)}; there are {there}")
    return {name: share for name, share in shares.items() if share}


def check_traffic(asked: str) -> None:
    """Raise UsageError where ``asked`` has no form that :func:`plan_traffic` takes."""
    if not re.fullmatch(r"\d{1,3}", asked):
        _shares(asked)
    elif int(asked) > WHOLE:
        raise UsageError(f"--traffic {asked}: must be 0 to 100, or shares such as blue=90,green=10")


def _shares(asked: str) -> dict[str, int]:
    pairs = [re.fullmatch(r"\s*([A-Za-z][A-Za-z0-9-]*)\s*=\s*(\d{1,3})\s*", part) for part in asked.split(",")]
    found = {pair[1].lower(): int(pair[2]) for pair in pairs if pair}
    if len(found) != len(pairs):
        raise UsageError(f"--traffic {asked}: must be 0 to 100, or shares such as blue=90,green=10, each name once")
    if sum(found.values()) != WHOLE:
        raise UsageError(f"--traffic {asked}: the shares sum to {sum(found.values())}, not to 100")
    return found


def _one_share(share: int, new: str, current: Mapping[str, int]) -> Mapping[str, int] | None:
    others = {name: part for name, part in current.items() if part and name != new}
    if share == 0:
        return None
    if share == WHOLE:
        return {new: WHOLE}
    if not others:
        raise UsageError(f"--traffic {share}: no other deployment answers the rest; pass 100, or 0 for none yet")
    return {new: share, **_scaled(others, WHOLE - share)}


def _scaled(shares: Mapping[str, int], whole: int) -> dict[str, int]:
    """Return shares in the same proportion that sum to ``whole``; the largest remainders are rounded up."""
    total = sum(shares.values())
    scaled = {name: part * whole // total for name, part in shares.items()}
    by_remainder = sorted(shares, key=lambda name: (-(shares[name] * whole % total), name))
    for name in by_remainder[: whole - sum(scaled.values())]:
        scaled[name] += 1
    return {name: share for name, share in scaled.items() if share}
