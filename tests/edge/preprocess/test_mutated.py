"""Whatever becomes of a picture's bytes, it is decoded or refused by name; ``make faults`` does much more of it."""

import random

import pytest

from edge.errors import InputError
from edge.preprocess.decode import decode
from tests.faults.corpus import drawn_pictures
from tests.faults.mutation import MUTATORS

SEED = 7
MAX_PIXELS = 1_000_000


@pytest.fixture(scope="module")
def originals() -> list[bytes]:
    """One whole picture of every kind of file."""
    return [data for kind, data in drawn_pictures(SEED).items() if kind.endswith("-48x48")]


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # the daemon's log leaves them out: see edge/logs.py
@pytest.mark.parametrize("name", MUTATORS)
def test_a_mutated_picture_is_decoded_or_refused(name: str, originals: list[bytes]) -> None:
    """Every format, spoiled in one way: cut, spliced, flipped, with a header that lies."""
    rng = random.Random(f"{SEED}:{name}")
    for original in originals:
        for _ in range(4):
            spoiled = MUTATORS[name](rng, original, originals)
            try:
                pixels = decode(spoiled, max_pixels=MAX_PIXELS)
            except InputError:
                continue
            assert pixels.ndim == 3
            assert pixels.shape[0] * pixels.shape[1] <= MAX_PIXELS
