"""MQTT messages that are wrong in every way: pictures on odd topics, commands of spoiled JSON. Pure and seeded.

Every picture that names a source is owed a result, every command an answer; each message says what it is owed.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.faults.mutation import flip_bits, mutated, splice, surround, truncate
from tests.faults.odd_values import ODD_JSON

ODD_LEVELS = (
    "line 3",
    "Straße-7",
    "カメラ",
    "\U0001f4f7",
    "%00",
    "..",
    "$SYS",
    "$share",
    "state",
    "http",
    "image",
    "result",
    "dropped",
    '"}',
    "a\u202eb",
    "\\",
    "{}",
    "n" * 129,
    "n" * 5000,
)
"""Topic levels that a broker lets through and that a receiver may trip over."""
COMMANDS = (
    b'{"id": "17", "source": "inbox"}',
    b'{"id": "17", "name": "housings", "version": "7"}',
    b'{"id": 17, "name": "housings"}',
    b'{"id": "17"}',
)
ODD_COMMANDS = (
    *ODD_JSON,
    b'{"id": ""}',
    b'{"id": null}',
    b'{"id": true}',
    b'{"id": 1e400}',
    b'{"id": -0.5}',
    b'{"id": "a/b/+/#"}',
    b'{"id": "' + b"i" * 129 + b'"}',
    b'{"id": "\\u0000"}',
    b'{"id": "a\\u0001b\\u007f"}',
    b'{"id": "\\ufffe\\uffff"}',
    b'{"id": "\\ud83d\\udcf7"}',
    b'{"id": "\\ud83d"}',
    b'{"id": ' + b"9" * 300 + b"}",
    b'{"id": "1", "name": {"a": []}, "version": 7, "source": 3}',
    b'{"id": "1", "name": "../../etc", "version": "../1"}',
    b'{"id": "1", "name": "' + b"n" * 100_000 + b'"}',
    b"[" * 100_000,
)
VERBS = ("capture", "activate", "rollback", "activate", "reload ", "", "é", "v" * 3000, "capture ")
HUGE_BYTES = 8 << 20
MUTATED, EMPTY, NOISE, HUGE, WHOLE = "mutated", "empty", "noise", "huge", "whole"


@dataclass(frozen=True, slots=True)
class Message:
    """What is published below the device's root.

    ``picture`` is (source, correlation id) of the result that is owed, None where none is. ``command`` tells whether
    an answer to a command is owed.
    """

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    picture: tuple[str, str | None] | None = None
    command: bool = False


def messages(rng: random.Random, originals: Sequence[bytes], *, first: int = 0) -> Iterator[Message]:
    """Yield messages without end; ``first`` numbers the first of them, and no two have the same number."""
    number = first
    while True:
        number += 1
        chance = rng.random()
        if chance < 0.25:
            yield _command(rng)
        elif chance < 0.28:
            yield _unowed(rng, originals)
        else:
            yield _picture(rng, originals, number)


def retained(rng: random.Random, originals: Sequence[bytes], count: int) -> list[Message]:
    """Return what lies at the broker before the device comes: pictures and commands that must be passed over."""
    pictures = [Message(f"old{number}/image/{number}", mutated(rng, originals), retain=True) for number in range(count)]
    return [*pictures, *(Message(f"cmd/reload-{number}", b'{"id": "old"}', retain=True) for number in range(count))]


def _picture(rng: random.Random, originals: Sequence[bytes], number: int) -> Message:
    source = rng.choice(("bench", "bench", rng.choice(ODD_LEVELS)))
    id_: str | None = rng.choice(("", f"{rng.choice(ODD_LEVELS)}-")) + str(number)
    if rng.random() < 0.2:
        source, id_ = f"{source}-{number}", None
    topic = f"{source}/image" if id_ is None else f"{source}/image/{id_}"
    retain, qos = rng.random() < 0.05, rng.choice((0, 1, 1, 1, 2))
    return Message(topic, _payload(rng, originals), qos, retain=retain, picture=(source, id_))


def _payload(rng: random.Random, originals: Sequence[bytes]) -> bytes:
    kind = rng.choices((MUTATED, EMPTY, NOISE, HUGE, WHOLE), (80, 3, 5, 0.5, 12))[0]
    if kind == HUGE:
        return rng.choice(originals) + bytes(HUGE_BYTES)
    if kind == NOISE:
        return rng.randbytes(rng.choice((1, 100, 20_000)))
    return b"" if kind == EMPTY else rng.choice(originals) if kind == WHOLE else mutated(rng, originals)


def _command(rng: random.Random) -> Message:
    whole = rng.choice(COMMANDS)
    spoiled = rng.choice((flip_bits, truncate, surround))(rng, whole, ())
    payload = rng.choice((spoiled, spoiled, splice(rng, whole, COMMANDS), rng.choice(ODD_COMMANDS)))
    return Message(f"cmd/{rng.choice(VERBS)}", payload, rng.choice((0, 1)), command=True)


def _unowed(rng: random.Random, originals: Sequence[bytes]) -> Message:
    """Return a picture that names no source, or lies where nobody looks."""
    topic = rng.choice(
        ("ack/image", "ack/image/7", "cmd/image", "/image", "a/b/image", "bench/image/7/8", "image", "bench/picture")
    )
    return Message(topic, mutated(rng, originals))
