"""What a browser on this machine may be made to do by a page of somebody else: nothing.

Two ways are closed. A page of another site sends a request by itself (cross-site request forgery): its ``Origin`` is
not this server's. A page has its own name point to this machine (DNS rebinding): the browser takes both for one site,
but the ``Host`` that it sends is that name.
"""

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from edge.api.scopes import SAFE_METHODS

REMEMBERED = 64

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\[\]:@]+?)\.?)(?::[0-9]*)?")  # RFC 9110, 7.2


class Sites:
    """Knows the ``names`` that this server is asked by, beside any address; None takes every name."""

    def __init__(self, names: Iterable[str] | None = None) -> None:
        self._names = None if names is None else frozenset(name.lower() for name in names)
        self._is_own = lru_cache(REMEMBERED)(self._judged)

    def misdirected(self, host: bytes | None) -> str | None:
        """Return why a request that names ``host`` is not for this server; None where it is.

        An address cannot be rebound, so that any is taken. A program may leave the header out, a browser never does.
        """
        if self._names is None or host is None or self._is_own(host):
            return None
        name = host.decode("latin-1")[:100]
        return (
            f"{name!r} is no name of this device, and without a token only its own are answered, so that no web page "
            "can reach it by a name of its own (DNS rebinding): ask localhost or the address, or set http.token"
        )

    def _judged(self, host: bytes) -> bool:
        found = _HOST.fullmatch(host.decode("latin-1").lower())
        name = (found[1] or found[2]) if found else ""
        return name in (self._names or ()) or name.endswith(".localhost") or _is_address(name)


def foreign(method: str, origin: bytes | None, host: bytes | None) -> str | None:
    """Return why a browser's request may not change anything: it was sent by a page of another site. None: it may."""
    if origin is None or method in SAFE_METHODS:
        return None
    text = origin.decode("latin-1")
    try:
        own = urlsplit(text).netloc.encode("latin-1") == (host or b"")
    except ValueError:
        own = False
    return None if own else f"a page of {text[:100]} may not send this request: only pages of this device may"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
