"""Bytes for a connection that are no whole request: noise, damaged heads, lying lengths, other protocols.

Pure and seeded. Only the end of the connection is owed for them, and no fault of the server.
"""

import random
from collections.abc import Mapping, Sequence

from tests.faults.mutation import flip_bits, surround, truncate
from tests.faults.spoiled_requests import HOST, MIB, Make, chunked, raw_picture


def random_bytes(rng: random.Random, _: Sequence[bytes]) -> bytes:
    """Noise."""
    return rng.randbytes(rng.choice((1, 50, 5000, 200_000)))


def spoiled_head(rng: random.Random, originals: Sequence[bytes]) -> bytes:
    """A request whose head is damaged."""
    head, _, body = raw_picture(rng, originals).partition(b"\r\n\r\n")
    return rng.choice((flip_bits, truncate, surround))(rng, head, ()) + b"\r\n\r\n" + body


def cut_request(rng: random.Random, originals: Sequence[bytes]) -> bytes:
    """A request that ends anywhere."""
    return truncate(rng, raw_picture(rng, originals), ())


def lying_length(rng: random.Random, originals: Sequence[bytes]) -> bytes:
    """A Content-Length that is wrong, huge, no number, double, or stands beside chunks."""
    body = rng.choice(originals)
    lies = (
        str(len(body) + 1000),
        str(len(body) // 2),
        "-1",
        "0",
        "+5",
        "0x10",
        "1e3",
        str(2**31),
        str(2**63),
        str(2**64),
        "9" * 400,
        "",
        "5, 5",
        f"{len(body)}\r\nContent-Length: 3",
        f"{len(body)}\r\nTransfer-Encoding: chunked",
        f"{len(body)}\r\nTransfer-Encoding: xchunked",
        f"{len(body)}\r\nExpect: 100-continue",
        f"{len(body)}\r\nUpgrade: h2c",
    )
    return f"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {rng.choice(lies)}\r\n\r\n".encode() + body


def bad_chunks(rng: random.Random, originals: Sequence[bytes]) -> bytes:
    """Chunks whose sizes lie, or that never end."""
    whole = chunked("/v1/predict", [rng.choice(originals)[:5000], b"x" * 50])
    head, _, body = whole.partition(b"\r\n\r\n")
    sizes = (b"ffffffffffffffff", b"-5", b"zz", b"", b"fffffffffffffffffffffff", b"5;" + b"e" * 5000, b"5 ", b"0")
    bodies = (
        rng.choice(sizes) + b"\r\n" + b"x" * 100,
        truncate(rng, body, ()),
        flip_bits(rng, body, ()),
        body[:-2] + b"T: " + b"t" * 70_000,
    )
    return head + b"\r\n\r\n" + rng.choice(bodies)


def header_flood(rng: random.Random, _: Sequence[bytes]) -> bytes:
    """A head without end: many fields, one long field, a long path."""
    many = b"".join(b"X-%d: y\r\n" % number for number in range(rng.choice((200, 5000, 50_000))))
    long = b"X: " + b"y" * rng.choice((70_000, MIB))
    return b"GET /livez HTTP/1.1\r\n" + rng.choice((HOST + many, long, many + b"\r\n")) + rng.choice((b"", b"\r\n\r\n"))


def other_protocol(rng: random.Random, _: Sequence[bytes]) -> bytes:
    """What was meant for another port."""
    hello = b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + rng.randbytes(160)
    return rng.choice(
        (
            hello,
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0",
            b"GET /livez\r\n",
            b"GET /livez HTTP/0.9\r\n\r\n",
            b"GET /livez HTTP/9.9\r\n\r\n",
            b"\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04test",
            b"\0\0\0\x85\xffSMBr",
            b"SSH-2.0-x\r\n",
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x05hello",
            b"GET / HTTP/1.1\nHost: x\n\n",
            b"\r\n" * 5000,
            b"CONNECT example.org:443 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        )
    )


def pipelined(rng: random.Random, originals: Sequence[bytes]) -> bytes:
    """Several requests at once, one of them damaged."""
    return b"".join(raw_picture(rng, originals) for _ in range(3)) + spoiled_head(rng, originals)


def left_stream(_: random.Random, __: Sequence[bytes]) -> bytes:
    """A watcher of results that leaves at once."""
    return b"GET /v1/results/stream HTTP/1.1\r\n" + HOST + b"Last-Event-ID: 01M\r\n\r\n"


RAW: Mapping[Make, int] = {
    random_bytes: 20,
    spoiled_head: 30,
    cut_request: 25,
    lying_length: 35,
    bad_chunks: 25,
    header_flood: 10,
    other_protocol: 25,
    pipelined: 15,
    left_stream: 10,
}
"""Bytes that are no whole request, by how often they are made."""
