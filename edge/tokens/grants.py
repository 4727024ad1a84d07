"""What a token is and what it allows. Pure but for the random source.

A token is ``aedge_`` and 256 random bits in base64url (RFC 4648, 5), 49 characters. By the prefix secret scanners find
one that was committed or pasted by mistake: ``aedge_[A-Za-z0-9_-]{43}``.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

Scope = Literal["predict", "read", "operate"]

SCOPES: Mapping[Scope, str] = {
    "predict": "hand in pictures",
    "read": "see status, models, results, metrics",
    "operate": "change what runs",
}
"""What a token may be allowed to do, each by itself: whoever may operate need not be able to read."""
ALL_SCOPES: frozenset[Scope] = frozenset(get_args(Scope))
MASTER = "http.token"
"""The name of the one token of the configuration, which may do everything."""
PREFIX = "aedge_"
RANDOM_BYTES = 32

_MINTED = re.compile(rb"aedge_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token allows, and until when (aware, UTC; None: for ever). Its ``name`` is no secret and opens nothing."""

    name: str
    scopes: frozenset[Scope]
    expires_at: datetime | None = None

    def expired(self, now: datetime) -> bool:
        """Tell whether its time is over."""
        return self.expires_at is not None and now >= self.expires_at


def mint() -> str:
    """Return a new token."""
    return PREFIX + secrets.token_urlsafe(RANDOM_BYTES)


def looks_minted(token: bytes) -> bool:
    """Tell whether a text has the form of a token that was made here, so that it cannot be found by guessing."""
    return _MINTED.fullmatch(token) is not None


def digest_of(token: bytes) -> bytes:
    """Return the SHA-256 of a token, 32 bytes: all that is ever stored of it.

    A slow hash (Argon2, bcrypt) and a salt protect passwords, which people choose and which can be guessed from a list.
    256 random bits stand in no list: trying them all is out of reach however quick the hash is, and no two are alike.
    A slow one would only cost each request 50 ms or more, and give strangers a way to keep the device busy.
    """
    return hashlib.sha256(token).digest()
