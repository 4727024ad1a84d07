"""Mutated pictures, bodies, heads and noise over HTTP, while good pictures go on being answered."""

import random
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from tests.daemon import running
from tests.faults.corpus import corpus
from tests.faults.exchange import Link
from tests.faults.footprint import GIVING_BACK, Footprint, footprint, growth
from tests.faults.logbook import ending
from tests.faults.registered import register
from tests.faults.spoiled import Spoiled, spoiled
from tests.faults.spoiled_requests import large_body, post
from tests.faults.tally import Scale, Tally
from tests.faults.throwing import Throwing, Thrown
from tests.faults.traffic import PICTURE

TITLE = "mutated pictures and bodies over HTTP"
COUNT = 10_000
WARMUP = 500
LARGE = 16
GOOD = 50
MEMORY_MIB = 32.0
"""Allowed growth after the warm-up, in which the largest things came too, with memory given back at once."""
THREADS = 2
"""Allowed growth of threads: the pools of the daemon start their threads when they are first needed."""
SHOWN = 5


def run(scale: Scale) -> Tally:
    """Throw everything; whatever is whole is answered, nothing is answered with a fault, nothing grows."""
    chance = scale.chance("mutated_http")
    originals = list(corpus(scale.seed).values())
    register(scale.folder, "1")
    with running(scale.folder, **GIVING_BACK) as daemon:
        Throwing(daemon.port, _warming(chance, originals)).throw(WARMUP + LARGE)
        before = footprint(daemon.process.pid)
        thrown = Throwing(daemon.port, spoiled(chance, originals)).throw(scale.of(COUNT))
        problems = [*_wrong(thrown), *_good_pictures(daemon.port)]
        more, after = growth(daemon.process.pid, before, memory_mib=MEMORY_MIB, threads=THREADS)
        return _tally(thrown, before, after).with_problems([*problems, *more, *ending(daemon, scale.folder)])


def _warming(chance: random.Random, originals: Sequence[bytes]) -> Iterator[Spoiled]:
    """Yield the largest things first, so that whatever room they need is taken before it is measured."""
    large = (Spoiled("large_body", large_body(chance, ()), whole=True) for _ in range(LARGE))
    return chain(large, islice(spoiled(chance, originals), WARMUP))


def _wrong(thrown: Thrown) -> list[str]:
    return [f"{len(thrown.faults)} were not answered as they must", *thrown.faults[:SHOWN]] if thrown.faults else []


def _good_pictures(port: int) -> list[str]:
    """Return what is wrong with the answers to whole pictures after all that."""
    link = Link(port)
    answers = [link.ask(post("/v1/predict", PICTURE, kind="image/png")) for _ in range(GOOD)]
    link.close()
    right = sum(answer.status == 200 and b'"label":"red"' in answer.body for answer in answers)
    return [f"{GOOD - right} of {GOOD} good pictures were answered wrongly"] if right < GOOD else []


def _tally(thrown: Thrown, before: Footprint, after: Footprint) -> Tally:
    statuses = ", ".join(f"{count} x {status}" for status, count in sorted(thrown.statuses.items()))
    return Tally(
        TITLE,
        times=thrown.sent,
        produced=thrown.sent,
        delivered=thrown.answered,
        lost=thrown.sent - thrown.answered,
        notes=(f"answers: {statuses}", f"after the warm-up {before}; in the end {after}"),
    )
