"""What is thrown at the daemon over HTTP, in one seeded sequence."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.faults.raw_bytes import RAW
from tests.faults.spoiled_requests import WHOLE


@dataclass(frozen=True, slots=True)
class Spoiled:
    """Bytes for one connection. ``whole``: they are one complete request, so an answer is owed."""

    kind: str
    data: bytes
    whole: bool


def spoiled(rng: random.Random, originals: Sequence[bytes]) -> Iterator[Spoiled]:
    """Yield things to send without end."""
    makers, weights = [*WHOLE, *RAW], [*WHOLE.values(), *RAW.values()]
    while True:
        make = rng.choices(makers, weights)[0]
        yield Spoiled(make.__name__, make(rng, originals), make in WHOLE)
