"""Whole HTTP requests with wrong content: the frame (head, Content-Length or chunks) is right, so an answer is owed.

Pure and seeded.
"""

import base64
import gzip
import json
import random
import zlib
from collections.abc import Callable, Mapping, Sequence

from tests.faults.mutation import flip_bits, mutated, splice, surround, truncate
from tests.faults.odd_values import (
    BOUNDARY,
    ENCODINGS,
    FIELDS,
    METHODS,
    MODELS,
    NAMES,
    ODD_JSON,
    PATHS,
    PICTURE_TYPES,
    TYPES,
)

HOST = b"Host: 127.0.0.1\r\n"
MIB = 1 << 20
BOMB = gzip.compress(b"\0" * 8 * MIB)
Make = Callable[[random.Random, Sequence[bytes]], bytes]


def post(path: str, body: bytes, *, kind: str = "", more: Mapping[str, str] | None = None) -> bytes:
    """Return a whole POST with a Content-Length."""
    fields = {"Content-Type": kind, **(more or {})} if kind else dict(more or {})
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode("utf-8")
    return f"POST {path} HTTP/1.1\r\n".encode() + HOST + head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


def chunked(path: str, chunks: Sequence[bytes]) -> bytes:
    """Return a whole POST of a body in chunks (RFC 9112, 7.1)."""
    head = f"POST {path} HTTP/1.1\r\n".encode() + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks if chunk) + b"0\r\n\r\n"


def form(parts: Sequence[tuple[str, str, bytes]]) -> bytes:
    """Return a multipart body of (field, file name, bytes)."""
    lines = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'.encode() + data
        for field, name, data in parts
    ]
    return b"\r\n".join([*lines, f"--{BOUNDARY}--\r\n".encode()])


def score_json(pictures: Sequence[bytes]) -> bytes:
    """Return Azure's request for an online endpoint."""
    data = [[base64.b64encode(picture).decode()] for picture in pictures]
    return json.dumps({"input_data": {"columns": ["image"], "data": data}}).encode()


def images_json(pictures: Sequence[bytes]) -> bytes:
    """Return our own JSON request."""
    return json.dumps({"images": [base64.b64encode(picture).decode() for picture in pictures]}).encode()


def _several(rng: random.Random, originals: Sequence[bytes]) -> list[bytes]:
    return [mutated(rng, originals) if rng.random() < 0.8 else rng.choice(originals) for _ in range(rng.randint(1, 4))]


def raw_picture(rng: random.Random, originals: Sequence[bytes]) -> bytes:
    """A spoiled picture as the whole body."""
    return post("/v1/predict", mutated(rng, originals), kind=rng.choice(PICTURE_TYPES))


def wrong_type(rng: random.Random, originals: Sequence[bytes]) -> bytes:
    """A body under a type that it is not."""
    body = rng.choice((mutated(rng, originals), rng.choice(ODD_JSON), form([("image", "a", rng.choice(originals))])))
    return post(rng.choice(("/v1/predict", "/score")), body, kind=rng.choice(TYPES))


def picture_form(rng: random.Random, originals: Sequence[bytes]) -> bytes:
    """A form of several pictures with odd names."""
    parts = [(rng.choice(FIELDS), rng.choice(NAMES), data) for data in _several(rng, originals)]
    return post("/v1/predict", form(parts), kind=f"multipart/form-data; boundary={BOUNDARY}")


def broken_form(rng: random.Random, originals: Sequence[bytes]) -> bytes:
    """A form that is cut, spliced, or split by another boundary than the head names."""
    whole = form([("image", "a.png", data) for data in _several(rng, originals)])
    body = rng.choice((truncate, flip_bits, splice, surround))(rng, whole, [whole, *originals])
    boundary = rng.choice((BOUNDARY, BOUNDARY, "other", BOUNDARY + "-", '"' + BOUNDARY, "-", "\u00e4"))
    return post("/v1/predict", body, kind=f"multipart/form-data; boundary={boundary}")


def picture_json(rng: random.Random, originals: Sequence[bytes]) -> bytes:
    """Spoiled pictures as right base64, ours or Azure's."""
    if rng.random() < 0.5:
        return post("/v1/predict", images_json(_several(rng, originals)), kind="application/json")
    return post("/score", score_json(_several(rng, originals)), kind="application/json")


def broken_json(rng: random.Random, originals: Sequence[bytes]) -> bytes:
    """JSON or base64 that is spoiled itself, nested without end, or of the wrong types."""
    depth = rng.choice((3, 200, 1100, 50_000))
    nested = rng.choice((b'{"images": ' + b"[" * depth + b"]" * depth + b"}", b'{"a":' * depth + b"1" + b"}" * depth))
    whole = rng.choice((images_json, score_json))(_several(rng, originals))
    spoiled = rng.choice((truncate, flip_bits, splice, surround))(rng, whole, [whole])
    body = rng.choice((nested, rng.choice(ODD_JSON), spoiled, spoiled))
    return post(rng.choice(("/v1/predict", "/score")), body, kind=rng.choice(("application/json", "")))


def content_encoding(rng: random.Random, originals: Sequence[bytes]) -> bytes:
    """A body that is encoded, or only says so; among them a bomb of 8 MiB in 8 KiB."""
    picture = rng.choice(originals)
    body = rng.choice((picture, gzip.compress(picture), zlib.compress(picture), BOMB))
    return post("/v1/predict", body, kind="image/png", more={"Content-Encoding": rng.choice(ENCODINGS)})


def in_chunks(rng: random.Random, originals: Sequence[bytes]) -> bytes:
    """A spoiled picture in chunks of odd sizes."""
    body = mutated(rng, originals)
    step = rng.choice((1, 7, 1000, 100_000))
    chunks = [body[at : at + step] for at in range(0, min(len(body), 3000 * step), step)]
    return chunked(rng.choice(("/v1/predict", "/score")), chunks)


def operation(rng: random.Random, _: Sequence[bytes]) -> bytes:
    """A change of the model with odd names and spoiled JSON."""
    body = rng.choice((rng.choice(ODD_JSON), flip_bits(rng, b'{"version": "1"}', ()), b'{"version": "7"}'))
    verb = rng.choice(("activate", "rollback", "", "delete"))
    return post(
        f"/v1/models/{rng.choice(MODELS)}/{verb}", body, kind=rng.choice(("application/json", "", "text/plain"))
    )


def odd_path(rng: random.Random, _: Sequence[bytes]) -> bytes:
    """Any method on any path, with a header or two that should not be there."""
    more = rng.choice(
        (
            b"",
            b"Last-Event-ID: \xff\r\n",
            b"Authorization: Bearer x\r\n",
            b"X: " + b"y" * 40_000 + b"\r\n",
            b"Range: bytes=0-0\r\n",
        )
    )
    line = f"{rng.choice(METHODS)} {rng.choice(PATHS)} HTTP/1.1\r\n"
    return line.encode() + HOST + more + b"Content-Length: 0\r\n\r\n"


def large_body(rng: random.Random, _: Sequence[bytes]) -> bytes:
    """A body above the limit, or a large one below it that is no picture."""
    return post("/v1/predict", rng.randbytes(1024) * 1024 * rng.choice((4, 33)), kind="image/png")


WHOLE: Mapping[Make, int] = {
    raw_picture: 400,
    wrong_type: 80,
    picture_form: 90,
    broken_form: 70,
    picture_json: 90,
    broken_json: 90,
    content_encoding: 30,
    in_chunks: 50,
    operation: 30,
    odd_path: 60,
    large_body: 2,
}
"""Whole requests by how often they are made."""
