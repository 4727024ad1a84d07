"""What AutoMode does next: pure, from what has been tried and the time that is left.

1. A fit of the best recipe known, over as many epochs as there is time for: a schedule fitted to it beats one cut off.
   Where too few of them fit, a faster one; where none reaches that, the fastest for what there is.
2. With time for it, successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943): short fits of the others, each
   with a schedule of its own, then whole ones of their better half. Else whole fits in the portfolio's order.
3. Variations of the best one, until nothing more would end in time. A fit that could not end is never begun.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from training.local.auto.portfolio import Candidate, variations, with_epochs
from training.local.auto.search import Search, Speed, Stage, Trial
from training.local.auto.verdict import ranked
from training.recipe import Recipe

MARGIN = 0.93
"""A fit may be planned for this much of the time left: no machine is even."""
SHORT = 0.25
"""A short fit goes over this much of a whole one's epochs."""
FASTER = 0.7
"""What is no faster than this is no way out where the best recipe takes too long."""
SAFE_EPOCHS = 3
"""So many epochs must fit for a first fit: on a machine that is three times as slow as measured, one still ends."""
WORTHWHILE = 0.5
"""Later fits over less than this much of a whole one's epochs would only lose."""
FEWEST_TO_HALVE = 3
MOST_REPLANS = 2
FEWEST_TO_REPLAN = 12
"""A fit over fewer epochs is not begun anew: what is done of it is too much to lose."""
REPLANNED_AFTER = (2, 3)
"""Epochs after which it is looked whether a fit is as fast as was measured."""
TOO_SLOW = 1.15
"""A fit that would take so many times the time left is begun anew over fewer epochs."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Find out how long a candidate takes here."""

    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Fit:
    """Begin a fit; ``expected`` in seconds."""

    candidate: Candidate
    recipe: Recipe
    stage: Stage
    expected: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Try no more."""

    why: str


@dataclass(frozen=True, slots=True)
class TooLittle:
    """Not even one epoch fits: ``seconds`` of fitting would be the least."""

    seconds: float


Action = Measure | Fit | Stop | TooLittle


def decide(search: Search, portfolio: Sequence[Candidate], left: float) -> Action:
    """Return what is next, ``left`` seconds before the last fit must have ended. No trial may be under way."""
    usable = [candidate for candidate in portfolio if candidate.name not in search.unusable]
    if not any(trial.validation and trial.how != "slow" for trial in search.trials):
        return _first(search, _open(search, usable, spares=True), left)
    return _next(search, usable, left)


def is_too_slow(search: Search, trial: Trial, epoch_seconds: float, left: float) -> bool:
    """Tell after an epoch whether a fit should be begun anew over fewer; only early on, and not again and again.

    ``epoch_seconds`` is what the quickest of its epochs took: a single slow one proves nothing.
    """
    begun_anew = sum(known.candidate == trial.candidate and known.how == "slow" for known in search.trials)
    if trial.epochs not in REPLANNED_AFTER or trial.planned < FEWEST_TO_REPLAN or begun_anew >= MOST_REPLANS:
        return False
    return (trial.planned - trial.epochs) * epoch_seconds > TOO_SLOW * left


def speed_of(search: Search, candidate: Candidate) -> Speed | None:
    """Return how fast a candidate is: as measured, and as the fits since turned out; None: not measured."""
    measured = search.speeds.get(candidate.like)
    return measured.slower(_slowness(search)) if measured else None


def _slowness(search: Search) -> float:
    """Return how many times as long as measured the last fit took; others may be using the machine, too."""
    paces = [trial.pace for trial in search.trials if trial.pace > 0]
    return max(0.5, paces[-1]) if paces else 1.0


def _first(search: Search, candidates: Sequence[Candidate], left: float) -> Action:
    """Begin the best recipe that comes far enough, else the fastest."""
    if not candidates:
        return Stop("none of the fits succeeded")
    for candidate in (order := _ever_faster(candidates)):
        speed = speed_of(search, candidate)
        pace = speed or _guess(search, candidate)
        comes_far = pace is None or _fitting(pace, candidate, left) >= max(
            SAFE_EPOCHS, candidate.least * candidate.epochs
        )
        if speed is None and (comes_far or candidate is order[-1]):
            return Measure(candidate)
        if speed and comes_far:
            return _fit(candidate, "whole", speed, left)
    return _fastest(search, candidates, left)


def _ever_faster(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the first candidate and, in their order, those much faster than all before them."""
    order = [candidates[0]]
    for candidate in candidates[1:]:
        if candidate.cost < FASTER * order[-1].cost:
            order.append(candidate)
    return order


def _fastest(search: Search, candidates: Sequence[Candidate], left: float) -> Fit | TooLittle:
    known = [(speed, one) for one in candidates if (speed := speed_of(search, one))]
    speed, candidate = min(known, key=lambda pair: pair[0].seconds(1))
    if speed.seconds(1) > left:
        return TooLittle(speed.seconds(1))
    return _fit(candidate, "whole", speed, left)


def _next(search: Search, portfolio: Sequence[Candidate], left: float) -> Action:
    best = ranked(search.trials, search.facts.metric)[0]
    if best.validation[search.facts.metric] >= 1 and best.how == "ended":
        return Stop("no validation picture is answered wrongly any more, so they tell no two networks apart")
    open_ones = _open(search, portfolio)
    shorts = _short(search, open_ones, left)
    if shorts:
        return shorts
    kept = _kept(search, open_ones)
    known = [*portfolio, *_varied(portfolio)]
    leader = next((one for one in known if one.name == best.candidate), None)
    more = _open(search, list(variations(leader))) if leader else []
    if action := _whole(search, [*kept, *more], left):
        return action
    return Stop("no other whole fit would end in the time left" if kept or more else "all that it knows has been tried")


def _varied(portfolio: Sequence[Candidate]) -> list[Candidate]:
    return [varied for candidate in portfolio for varied in variations(candidate)]


def _open(search: Search, candidates: Sequence[Candidate], *, spares: bool = False) -> list[Candidate]:
    """Return what has not been fitted as a whole, and has not failed."""
    done = {t.candidate for t in search.trials if t.how == "failed" or (t.stage == "whole" and t.how != "slow")}
    return [one for one in candidates if one.name not in done and (spares or not one.spare)]


def _short(search: Search, candidates: Sequence[Candidate], left: float) -> Measure | Fit | None:
    """Return the next of the short fits, None where they are over or there is no time for them."""
    done = {trial.candidate: trial for trial in search.trials if trial.stage == "short"}
    missing = [one for one in candidates if one.name not in done]
    if not done and (len(missing) < FEWEST_TO_HALVE or _halving_seconds(search, missing) > MARGIN * left):
        return None
    for candidate in missing:
        speed = speed_of(search, candidate)
        if speed is None:
            return Measure(candidate)
        if speed.seconds(_short_epochs(candidate)) <= MARGIN * left:
            return _fit(candidate, "short", speed, left)
    return None


def _halving_seconds(search: Search, candidates: Sequence[Candidate]) -> float:
    """Return what short fits of all, and whole ones of two middling ones, take."""
    paces = [(one, speed_of(search, one) or _guess(search, one)) for one in candidates]
    known = [(one, pace) for one, pace in paces if pace]
    short = sum(pace.seconds(_short_epochs(one)) for one, pace in known)
    return short + 2 * median(pace.seconds(one.epochs) for one, pace in known)


def _kept(search: Search, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return what is worth a whole fit, best first: after short ones their better half, else everything."""
    short = [trial for trial in search.trials if trial.stage == "short"]
    if not short:
        return list(candidates)
    order = [trial.candidate for trial in ranked(short, search.facts.metric)]
    better = order[: math.ceil(len(order) / 2)]
    return sorted((one for one in candidates if one.name in better), key=lambda one: better.index(one.name))


def _whole(search: Search, candidates: Sequence[Candidate], left: float) -> Measure | Fit | None:
    """Return the first whole fit that is worth it and ends in time."""
    for candidate in candidates:
        speed = speed_of(search, candidate)
        pace = speed or _guess(search, candidate)
        if pace is None or _fitting(pace, candidate, left) >= WORTHWHILE * candidate.epochs:
            return _fit(candidate, "whole", speed, left) if speed else Measure(candidate)
    return None


def _guess(search: Search, candidate: Candidate) -> Speed | None:
    """Return how fast a candidate may be by the fastest that was measured; None where none was."""
    if not search.speeds:
        return None
    known = min(search.speeds.values(), key=lambda speed: speed.epoch)
    return known.slower(_slowness(search) * candidate.cost / known.cost)


def _fitting(speed: Speed, candidate: Candidate, left: float) -> int:
    """Return how many epochs of a candidate end in time."""
    return min(candidate.epochs, int((MARGIN * left - speed.start) / speed.epoch))


def _short_epochs(candidate: Candidate) -> int:
    return max(1, round(SHORT * candidate.epochs))


def _fit(candidate: Candidate, stage: Stage, speed: Speed, left: float) -> Fit:
    epochs = _short_epochs(candidate) if stage == "short" else max(1, _fitting(speed, candidate, left))
    return Fit(candidate, with_epochs(candidate.recipe, epochs, speed.epoch), stage, speed.seconds(epochs))
