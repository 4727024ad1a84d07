"""Who may ask: one pure ASGI layer in front of all routes.

A request passes in this order: is it for this server, may a browser send it, does its path want a token, is the token
known, may it do this, does it come too often.
"""

import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from fastapi import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from edge.api.errors import problem
from edge.api.rates import Rate, address_of
from edge.api.scopes import is_open, scope_of
from edge.api.sites import Sites, foreign
from edge.tokens import SCOPES, Grant, KnownTokens, looks_minted

STILL_GRANTED = "automl_edge.still_granted"
"""Where a request's scope (ASGI) keeps what :func:`still_granted` asks."""
TOLD_PER_S = 1 / 60
"""How often an address that tries many wrong tokens is named in the log."""
ASK = "this route wants the header 'Authorization: Bearer <token>'"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask what. Without ``tokens`` nobody needs one; ``rate`` 0 limits nobody.

    ``names`` are the names that a request may call this server by, beside any address; None: every name. ``wrong_rate``
    is how many wrong tokens a second one address may try.
    """

    tokens: KnownTokens | None = None
    rate: float = 0.0
    names: Iterable[str] | None = None
    wrong_rate: float = 10.0


class _Head(NamedTuple):
    """The headers that matter here, the first of each."""

    host: bytes | None
    origin: bytes | None
    authorization: bytes | None


class Guard:
    """Answers what may not pass: 401, 403, 421, 429."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._tokens = access.tokens
        self._sites = Sites(access.names)
        self._rate = Rate(access.rate) if access.rate else None
        self._wrong = Rate(access.wrong_rate)
        self._told = Rate(TOLD_PER_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        head = _head(scope)
        if (wrong := self._sites.misdirected(head.host)) is not None:
            return problem(421, wrong)
        if (wrong := foreign(scope["method"], head.origin, head.host)) is not None:
            return problem(403, wrong)
        if is_open(scope["path"]):
            return None
        if self._tokens is None:
            return self._too_often(("address", address_of(scope["client"]))) if self._rate else None
        return self._refused_token(scope, head.authorization, self._tokens)

    def _refused_token(self, scope: Scope, authorization: bytes | None, tokens: KnownTokens) -> Response | None:
        scheme, _, token = (authorization or b"").partition(b" ")
        token = token.strip()
        if scheme.lower() != b"bearer" or not token:
            return _challenge(401, ASK)
        address = address_of(scope["client"])
        wait_s = self._wrong.wait_s(address)
        # A minted token cannot be guessed: who has one is not held back by those who guess beside it.
        grant = tokens.grant_of(token) if wait_s == 0 or looks_minted(token) else None
        if grant is None:
            return self._wrong_token(address)
        refused = _not_granted(grant, scope)
        if scope["method"] == "GET":  # what goes on and on is looked at, never handed in
            scope[STILL_GRANTED] = partial(_still_granted, tokens, token, scope)
        return refused or (self._too_often(("token", grant.name)) if self._rate else None)

    def _wrong_token(self, address: str) -> Response:
        wait_s = self._wrong.take(address)
        if wait_s > 0:
            if self._told.take(address) == 0:
                log.warning("many wrong tokens come from one address", extra={"address": address})
            return _later(wait_s, "too many wrong tokens from this address")
        return _challenge(401, "this token is not known here", 'error="invalid_token"')

    def _too_often(self, client: tuple[str, str]) -> Response | None:
        wait_s = self._rate.take(client) if self._rate else 0.0
        what = "with this token" if client[0] == "token" else "from this address"
        return _later(wait_s, f"more requests {what} than http.rate_limit allows") if wait_s > 0 else None


def still_granted(scope: Scope) -> bool:
    """Tell whether what a request was let in by still holds, for answers that go on and on."""
    holds: Callable[[], bool] | None = scope.get(STILL_GRANTED)
    return holds is None or holds()


def _still_granted(tokens: KnownTokens, token: bytes, scope: Scope) -> bool:
    grant = tokens.grant_of(token)
    return grant is not None and _not_granted(grant, scope) is None


def _not_granted(grant: Grant, scope: Scope) -> Response | None:
    if grant.expires_at is not None and grant.expired(datetime.now(UTC)):
        return _challenge(
            401,
            f"the token {grant.name!r} expired at {grant.expires_at:%Y-%m-%d %H:%M} UTC: have a new one made with "
            "'automl-edge token new'",
            'error="invalid_token"',
        )
    wanted = scope_of(scope["method"], scope["path"])
    if wanted in grant.scopes:
        return None
    return _challenge(
        403,
        f"this wants the scope {wanted!r} ({SCOPES[wanted]}), which the token {grant.name!r} does not have; it has "
        f"{', '.join(sorted(grant.scopes))}",
        f'error="insufficient_scope", scope="{wanted}"',
    )


def _challenge(status: int, detail: str, parameters: str = "") -> Response:
    """Return a refusal with the challenge that RFC 6750, 3 asks for."""
    return problem(status, detail, headers={"WWW-Authenticate": f"Bearer {parameters}".rstrip()})


def _later(wait_s: float, detail: str) -> Response:
    return problem(429, f"{detail}; try again later", headers={"Retry-After": str(max(1, math.ceil(wait_s)))})


def _head(scope: Scope) -> _Head:
    host = origin = authorization = None
    for name, value in scope["headers"]:
        if name == b"host":
            host = host or value
        elif name == b"authorization":
            authorization = authorization or value
        elif name == b"origin":
            origin = origin or value
    return _Head(host, origin, authorization)
