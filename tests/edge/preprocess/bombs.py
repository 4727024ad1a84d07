"""Small files that ask much of a decoder, made by hand; run as a program, tells what becomes of each under limits.

``python -m tests.edge.preprocess.bombs`` prints one JSON object: outcome by name. Memory and processor time
are limited, so that one that goes off ends the process.
"""

import io
import json
import resource
import struct
import warnings
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from PIL import Image

from edge.errors import InputError

MEMORY_BYTES = 1 << 30
CPU_S = 30
SIDE = 50_000
MIB = 1 << 20


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@cache
def zeros(size_mib: int) -> bytes:
    """Return so many MiB of zeros, deflated to a thousandth."""
    packer = zlib.compressobj(9)
    return b"".join([*(packer.compress(bytes(MIB)) for _ in range(size_mib)), packer.flush()])


def png(*chunks: bytes, width: int = 1, height: int = 1, pixels: bytes | None = None) -> bytes:
    """Return a PNG with ``chunks`` before its pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(4)) if pixels is None else pixels)
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + body + chunk(b"IEND", b"")


def frame(number: int, side: int) -> bytes:
    return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, side, side, 0, 0, 1, 1, 0, 0))


def gif(side: int, frame_side: int) -> bytes:
    """Return a GIF whose first frame is larger or smaller than its screen."""
    screen = struct.pack("<HHBBB", side, side, 0x80, 0, 0) + bytes(6)
    return b"GIF89a" + screen + b"," + struct.pack("<HHHHB", 0, 0, frame_side, frame_side, 0) + b"\2\1\x44\0;"


TIFF = {256: (3, 1, 1), 257: (3, 1, 1), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 277: (3, 1, 1)}
STRIP = {273: (4, 1, 200), 278: (4, 1, 1), 279: (4, 1, 1)}
TILE = {322: (4, 1, 60_000), 323: (4, 1, 60_000), 324: (4, 1, 200), 325: (4, 1, 10_000)}


def tiff(fields: Mapping[int, tuple[int, int, int]], data: bytes = bytes(300)) -> bytes:
    """Return a TIFF with these fields: type, count, value or place."""
    entries = b"".join(struct.pack("<HHII", tag, *field) for tag, field in sorted(fields.items()))
    return b"II*\0" + struct.pack("<IH", 8, len(fields)) + entries + bytes(4) + data


def webp(width: int, height: int) -> bytes:
    """Return an animated WebP with a huge canvas and one frame of a pixel."""
    small = io.BytesIO()
    Image.new("RGB", (1, 1)).save(small, "WEBP", lossless=True)
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    moving = bytes(6) + sides + bytes(4) + small.getvalue()[12:]
    parts = {b"VP8X": bytes([2, 0, 0, 0]) + sides, b"ANIM": bytes(6), b"ANMF": moving}
    body = b"WEBP" + b"".join(kind + struct.pack("<I", len(part)) + part for kind, part in parts.items())
    return b"RIFF" + struct.pack("<I", len(body)) + body


def bmp(width: int, height: int, *, colours: int = 0, bits: int = 24) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 0, 0, 0, 0, colours, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head + bytes(100)


def jpeg(side: int, *, scans: int = 0, **options: bool) -> bytes:
    """Return a JPEG whose last scan is repeated ``scans`` times."""
    buffer = io.BytesIO()
    Image.new("RGB", (side, side)).save(buffer, "JPEG", **options)
    data = buffer.getvalue()
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * scans + data[-2:]


def huge_jpeg() -> bytes:
    data = bytearray(jpeg(8))
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = b"\xff" * 4
    return bytes(data)


REFUSED: Mapping[str, Callable[[], bytes]] = {
    "PNG of 2,500 megapixels": lambda: png(width=SIDE, height=SIDE),
    "PNG with a profile of 128 MiB": lambda: png(chunk(b"iCCP", b"x\0\0" + zeros(128))),
    "PNG with a text of 128 MiB": lambda: png(chunk(b"zTXt", b"k\0\0" + zeros(128))),
    "PNG with a text of 128 MiB, UTF-8": lambda: png(chunk(b"iTXt", b"k\0\1\0\0\0" + zeros(128))),
    "PNG with 20,000 profiles": lambda: png(chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(1_000_000), 9)) * 20_000),
    "PNG with 20,000 texts": lambda: png(chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_000_000), 9)) * 20_000),
    "PNG with a million chunks": lambda: png(chunk(b"tIME", bytes(7)) * 1_000_000),
    "animated PNG of huge frames": lambda: png(chunk(b"acTL", b"\x7f\xff\xff\xff" + bytes(4)), frame(0, SIDE)),
    "GIF with a huge screen": lambda: gif(65_535, 1),
    "GIF with a huge frame": lambda: gif(1, 65_535),
    "WebP with a huge canvas": lambda: webp(16_384, 16_384),
    "WebP with a long canvas": lambda: webp(1 << 24, 1 << 7),
    "TIFF of 2,500 megapixels": lambda: tiff(TIFF | STRIP | {256: (4, 1, SIDE), 257: (4, 1, SIDE)}),
    "TIFF with 65,535 samples a pixel": lambda: tiff(TIFF | STRIP | {277: (3, 1, 65_535)}),
    "TIFF with 7 million strips": lambda: tiff(
        TIFF | {257: (4, 1, 7 * MIB), 273: (4, 7 * MIB, 500), 278: (4, 1, 1), 279: (4, 7 * MIB, 500)}, bytes(31 * MIB)
    ),
    "TIFF with 15 million bits per sample": lambda: tiff(TIFF | STRIP | {258: (3, 15 * MIB, 500)}, bytes(31 * MIB)),
    "TIFF with a huge packed tile": lambda: tiff(TIFF | TILE | {259: (3, 1, 8)}, bytes(100) + zeros(128)),
    "TIFF with a huge packed strip": lambda: tiff(TIFF | STRIP | {259: (3, 1, 8), 279: (4, 1, 250_000)}, zeros(128)),
    "BMP of 2^62 pixels": lambda: bmp(2**31 - 1, 2**31 - 1),
    "BMP upside down": lambda: bmp(SIDE, -SIDE),
    "BMP with 2^32 colours": lambda: bmp(1, 1, colours=2**32 - 1, bits=8),
    "JPEG of 4,295 megapixels": huge_jpeg,
    "JPEG with 1,000 scans": lambda: jpeg(2000, scans=1000, progressive=True),
}
"""What must be refused."""
HARMLESS: Mapping[str, Callable[[], bytes]] = {
    "PNG with more pixels than it says": lambda: png(pixels=zeros(128)),
    "PNG with one large profile": lambda: png(chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(900_000)))),
    "progressive JPEG": lambda: jpeg(200, progressive=True),
    "JPEG": lambda: jpeg(200),
    "TIFF with a strip that is not there": lambda: tiff(TIFF | STRIP | {279: (4, 1, 2**32 - 1)}),
    "TIFF with 400 overlapping fields": lambda: tiff(
        TIFF | STRIP | {40_000 + number: (7, 30 * MIB, 6000) for number in range(400)}, bytes(31 * MIB)
    ),
    "WebP with a mostly empty canvas": lambda: webp(2000, 2000),
}
"""What looks dangerous, and may be decoded or refused, but costs little."""


def outcome(data: bytes) -> str:
    """Return what becomes of a picture: ``decoded`` or the error's name."""
    from edge.preprocess.decode import decode  # noqa: PLC0415 - under the limits

    try:
        decode(data)
    except InputError as error:
        return type(error).__name__
    return "decoded"


def main() -> None:
    """Try all of them."""
    made = {name: make() for name, make in {**REFUSED, **HARMLESS}.items()}
    warnings.simplefilter("ignore")
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, -1))
    spent = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    resource.setrlimit(resource.RLIMIT_CPU, (int(spent) + CPU_S, int(spent) + CPU_S + 5))
    print(json.dumps({name: outcome(data) for name, data in made.items()}))  # noqa: T201 - the program's answer


if __name__ == "__main__":
    main()
