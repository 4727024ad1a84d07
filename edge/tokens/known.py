"""The tokens that open: the one of the configuration, and those of the file, read again when it changes."""

import hmac
import logging
from dataclasses import dataclass, field
from pathlib import Path

from edge.changes import LOOK_S, Changes
from edge.errors import ConfigError
from edge.tokens.file import Entry, TokensFile
from edge.tokens.grants import ALL_SCOPES, MASTER, Grant, digest_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Tokens:
    """What is known at one moment. ``met`` remembers tokens that came and were right: never more than there are."""

    entries: tuple[tuple[bytes, Grant], ...]
    met: dict[bytes, Grant] = field(default_factory=dict)


class KnownTokens:
    """Finds what a token allows. Thread-safe; asks the disk at most once in ``every_s``.

    ``token`` is the configuration's own, which may do everything; ``path`` the file of the others. A file that is gone
    holds no token, so that nobody gets in by it; one that cannot be read keeps what was read last, and ``problem``
    says so. Raises ConfigError for an empty token, and for a file that cannot be read at the start.
    """

    def __init__(self, token: str | None = None, path: Path | None = None, *, every_s: float = LOOK_S) -> None:
        if token == "":
            raise ConfigError("[http] token is empty; give one, or leave it out to ask for none")
        self._own = ((digest_of(token.encode()), Grant(MASTER, ALL_SCOPES)),) if token else ()
        self._file = TokensFile(path) if path else None
        self._changes = Changes(*([path] if path else []), every_s=every_s)
        self._problem: str | None = None
        self._tokens = self._with(self._file.read() if self._file else ())

    def grant_of(self, token: bytes) -> Grant | None:
        """Return what a token allows, though it may be expired; None where nobody knows it."""
        self._refresh()
        tokens, digest = self._tokens, digest_of(token)
        return tokens.met.get(digest) or _found(tokens, digest)

    @property
    def problem(self) -> str | None:
        """What is wrong with the file, with its remedy."""
        self._refresh()
        return self._problem

    def _refresh(self) -> None:
        if self._file is None or not self._changes.found():
            return
        try:
            self._tokens = self._with(self._file.read())
        except ConfigError as error:
            self._changes.forget()
            self._report(f"{error}; the tokens that were read last still hold")
        else:
            log.info("tokens read again", extra={"file": str(self._file.path), "count": len(self._tokens.entries)})

    def _with(self, entries: tuple[Entry, ...]) -> _Tokens:
        self._report(self._remark(entries))
        return _Tokens((*self._own, *((entry.digest, entry.grant) for entry in entries)))

    def _report(self, problem: str | None) -> None:
        """Keep what is wrong, and log it once."""
        if problem and problem != self._problem:
            log.warning(problem)
        self._problem = problem

    def _remark(self, entries: tuple[Entry, ...]) -> str | None:
        if self._file is None:
            return None
        path = self._file.path
        if self._file.others_may_write():
            return f"{path}: other users may write this file, and so make themselves tokens: chmod 600 {path}"
        if not entries and not self._own:
            return f"{path} holds no token, so nobody gets in: make one with 'automl-edge token new'"
        return None


def _found(tokens: _Tokens, digest: bytes) -> Grant | None:
    """Compare with every digest, each in constant time, so that the time tells nothing about any of them."""
    found: Grant | None = None
    for known, grant in tokens.entries:
        if hmac.compare_digest(known, digest):
            found = grant
    if found is not None:
        tokens.met[digest] = found
    return found
