"""Spoils whole pictures, as cables, disks and hostile senders do. Pure and seeded: one generator, one sequence."""

import random
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence

INTERESTING = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 9973)
"""Numbers at which arithmetic goes wrong, and one that is merely odd."""
SIZE_LIES = (0, 1, 3, 9999, 10001, 30000, 65535, 65536, 0x7FFFFFFF, 0xFFFFFFFF)
"""Widths and heights that a header may claim: none, some within the limit of pixels, most beyond it."""
HEAD_BYTES = 64
PNG_HEAD_END = 33
JPEG_FRAMES = (b"\xff\xc0", b"\xff\xc1", b"\xff\xc2")
MAX_STEPS = 3

Mutator = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def flip_bits(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Turn over one to 64 bits anywhere."""
    out = bytearray(data)
    for _turn in range(rng.choice((1, 2, 8, 64)) if out else 0):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def flip_head(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Turn over bits of the header, where they matter most."""
    head = min(len(data), HEAD_BYTES)
    return flip_bits(rng, data[:head], ()) + data[head:]


def truncate(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Cut it off: anywhere, or only its last bytes."""
    return data[: rng.choice((rng.randrange(len(data) + 1), len(data) - rng.randrange(min(9, len(data) + 1))))]


def splice(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Begin like one file and end like another."""
    other = rng.choice(others) if others else data
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def repeat(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Have a part several times."""
    start, end = _span(rng, data)
    return data[:start] + data[start:end] * rng.choice((2, 3, 20)) + data[end:]


def remove(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Lose a part, as a lost packet does."""
    start, end = _span(rng, data)
    return data[:start] + data[end:]


def overwrite(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Fill a part with one byte, or with noise."""
    start, end = _span(rng, data)
    filling = rng.choice((b"\0" * (end - start), b"\xff" * (end - start), rng.randbytes(end - start)))
    return data[:start] + filling + data[end:]


def lie_number(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Put a number at which arithmetic goes wrong somewhere into the header."""
    kind = rng.choice(("<H", ">H", "<I", ">I"))
    number = struct.pack(kind, rng.choice(INTERESTING) & (0xFFFF if kind[1] == "H" else 0xFFFFFFFF))
    at = rng.randrange(max(1, min(len(data), HEAD_BYTES * 4)))
    return data[:at] + number + data[at + len(number) :]


def lie_size(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Claim another width and height, where the format keeps them, with a checksum that holds."""
    width, height = rng.choice(SIZE_LIES), rng.choice(SIZE_LIES)
    if data.startswith(b"\x89PNG") and len(data) > PNG_HEAD_END:
        chunk = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
        return data[:12] + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[PNG_HEAD_END:]
    if data.startswith(b"\xff\xd8"):
        return _jpeg_size(data, width, height)
    if data.startswith(b"BM"):
        return data[:18] + struct.pack("<II", width, height) + data[26:]
    if data.startswith(b"GIF8"):
        return data[:6] + struct.pack("<HH", width & 0xFFFF, height & 0xFFFF) + data[10:]
    return lie_number(rng, data, ())


def _jpeg_size(data: bytes, width: int, height: int) -> bytes:
    at = next((data.find(marker) for marker in JPEG_FRAMES if marker in data), -1)
    return data if at < 0 else data[: at + 5] + struct.pack(">HH", height & 0xFFFF, width & 0xFFFF) + data[at + 9 :]


def surround(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Put something before it or after it."""
    extra = rng.choice((b"\0", b"\r\n", b"\xef\xbb\xbf", b"{", rng.randbytes(rng.randrange(1, 2000))))
    return data + extra if rng.random() < 0.5 else extra + data


def noise(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Keep the signature and nothing else."""
    return data[: rng.choice((0, 2, 4, 8, 16))] + rng.randbytes(rng.randrange(600))


MUTATORS: Mapping[str, Mutator] = {
    mutator.__name__: mutator
    for mutator in (
        flip_bits, flip_head, truncate, splice, repeat, remove, overwrite, lie_number, lie_size, surround, noise
    )
}  # fmt: skip
"""Each way to spoil a file, by its name."""


def mutated(rng: random.Random, originals: Sequence[bytes]) -> bytes:
    """Return one of the originals, spoiled in one to three ways."""
    data = rng.choice(originals)
    for _ in range(rng.randint(1, MAX_STEPS)):
        data = rng.choice(list(MUTATORS.values()))(rng, data, originals)
    return data


def _span(rng: random.Random, data: bytes) -> tuple[int, int]:
    """Return where a part of at most 4 KiB begins and ends."""
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.randint(1, 4096))
