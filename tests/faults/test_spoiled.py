"""What the fault suite throws: the same for a seed, of every kind, and right where it claims to be."""

import random
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest

from tests.faults.corpus import drawn_pictures
from tests.faults.raw_bytes import RAW
from tests.faults.spoiled import spoiled
from tests.faults.spoiled_messages import messages
from tests.faults.spoiled_requests import WHOLE, Make

PICTURES = list(drawn_pictures(1).values())[:25]


@pytest.mark.parametrize("things", [spoiled, messages], ids=["over HTTP", "over MQTT"])
def test_a_seed_gives_one_sequence(things: Callable[..., Any]) -> None:
    """A fault that was found once is found again."""
    first, again, other = (list(islice(things(random.Random(seed), PICTURES), 60)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_pictures_are_drawn_alike() -> None:
    """The originals are part of the sequence."""
    assert drawn_pictures(1) == drawn_pictures(1)


@pytest.mark.parametrize("make", WHOLE, ids=lambda make: make.__name__)
def test_a_whole_request_has_a_right_frame(make: Make) -> None:
    """Its head ends, and its length or its last chunk says where it ends itself."""
    rng = random.Random(3)
    for _ in range(5):
        head, found, body = make(rng, PICTURES).partition(b"\r\n\r\n")
        assert found
        if b"Transfer-Encoding: chunked" in head:
            assert body.endswith(b"0\r\n\r\n")
        else:
            assert len(body) == int(head.rpartition(b"Content-Length: ")[2])


def test_every_picture_over_mqtt_is_told_from_the_others() -> None:
    """No two messages are owed the same result."""
    owed = [message.picture for message in islice(messages(random.Random(4), PICTURES), 500) if message.picture]
    assert len(owed) == len(set(owed))


@pytest.mark.parametrize("make", RAW, ids=lambda make: make.__name__)
def test_raw_bytes_are_made(make: Make) -> None:
    """Each kind, several times."""
    rng = random.Random(5)
    assert all(isinstance(make(rng, PICTURES), bytes) for _ in range(5))
