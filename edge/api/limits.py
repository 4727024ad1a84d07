"""How much one client may ask of the HTTP face."""

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of requests, of the memory that they may hold, and of the time that they may take.

    ``deadline_s`` is the longest wait of a picture before its work begins; None waits as long as it takes.
    ``max_buffered_bytes`` bounds the bodies of all requests together.
    """

    max_body_bytes: int = 20 * MIB
    max_images: int = 64
    deadline_s: float | None = 10.0
    body_timeout_s: float = 30.0
    max_buffered_bytes: int = 256 * MIB
