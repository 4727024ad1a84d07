"""The file of tokens: JSON with a hash, scopes and an expiry for each. Only commands write it.

Rule: readers see the old file or the new one, never a part; two writers wait for each other; nobody but the owner may
read it.
"""

import errno
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.durable import sync_folder
from edge.errors import ConfigError, StoreError
from edge.tokens.grants import Grant, Scope, digest_of, mint

SCHEMA = "automl-edge/tokens/1"
MAX_BYTES = 4 << 20
MODE = 0o600

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


@dataclass(frozen=True, slots=True)
class Entry:
    """One token as it is stored: what it allows, its SHA-256, and when it was made."""

    grant: Grant
    digest: bytes
    created_at: datetime


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Name
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    created_at: AwareDatetime
    expires_at: AwareDatetime | None = None

    def entry(self) -> Entry:
        return Entry(
            Grant(self.name, frozenset(self.scopes), self.expires_at), bytes.fromhex(self.sha256), self.created_at
        )


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True)

    schema_: Annotated[Literal["automl-edge/tokens/1"], Field(alias="schema")]
    tokens: tuple[_Row, ...] = ()

    @model_validator(mode="after")
    def _told_apart(self) -> "_Document":
        names = [row.name for row in self.tokens]
        for name in sorted({n for n in names if names.count(n) > 1}):
            raise ValueError(f"the name {name!r} is given twice")
        return self


def _document(rows: tuple[_Row, ...]) -> _Document:
    return _Document.model_validate({"schema": SCHEMA, "tokens": rows})


class TokensFile:
    """The tokens in ``path``. A file that is not there holds none."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> tuple[Entry, ...]:
        """Return all tokens, in the order in which they were made. Raises ConfigError naming file and remedy."""
        return tuple(row.entry() for row in self._document().tokens)

    def add(self, grant: Grant) -> str:
        """Make a token, store its hash and return it: nobody can show it again.

        Raises ConfigError where the name is taken or the file is damaged, StoreError where it cannot be written.
        """
        token = mint()
        row = _Row(
            name=grant.name,
            scopes=tuple(sorted(grant.scopes)),
            sha256=digest_of(token.encode()).hex(),
            created_at=datetime.now(UTC),
            expires_at=grant.expires_at,
        )

        def added(rows: tuple[_Row, ...]) -> tuple[_Row, ...]:
            if any(known.name == grant.name for known in rows):
                raise ConfigError(
                    f"{self.path}: there is a token {grant.name!r} already; revoke it first, or choose another name"
                )
            return (*rows, row)

        self._change(added)
        return token

    def revoke(self, name: str) -> None:
        """Forget a token. Raises ConfigError for an unknown name, StoreError where the file cannot be written."""

        def left(rows: tuple[_Row, ...]) -> tuple[_Row, ...]:
            if all(row.name != name for row in rows):
                names = ", ".join(row.name for row in rows) or "none"
                raise ConfigError(f"{self.path}: there is no token {name!r}; there are: {names}")
            return tuple(row for row in rows if row.name != name)

        self._change(left)

    def others_may_write(self) -> bool:
        """Tell whether somebody else than the owner could add tokens."""
        try:
            return bool(self.path.stat().st_mode & 0o022)
        except OSError:
            return False

    def _document(self) -> _Document:
        try:
            with self.path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return _document(())
        except OSError as error:
            raise ConfigError(
                f"{self.path}: the tokens cannot be read: {error.strerror}; it must be a file of the daemon's own user"
            ) from error
        if len(data) > MAX_BYTES:
            raise ConfigError(f"{self.path}: has more than {MAX_BYTES >> 20} MiB and is no file of tokens")
        try:
            return _Document.model_validate_json(data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ": ".join([".".join(map(str, first["loc"])), first["msg"]]).removeprefix(": ")
            raise ConfigError(
                f"{self.path}: is damaged: {place}; put back a copy, or remove it and make the tokens anew with "
                "'automl-edge token new'"
            ) from error

    def _change(self, change: Callable[[tuple[_Row, ...]], tuple[_Row, ...]]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(self.path):
                rows = change(self._document().tokens)
                text = _document(rows).model_dump_json(by_alias=True, indent=2)
                _replace(self.path, text.encode() + b"\n")
        except OSError as error:
            raise StoreError(
                f"{self.path}: the tokens cannot be written: {error.strerror}; {_remedy(error)}"
            ) from error


def _remedy(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full: free space; the tokens are as they were"
    return "run the command as the daemon's user, or name another file with --file; the tokens are as they were"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other writers out. The lock lies beside the file, which is replaced; it ends with the process."""
    descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
    try:
        _give_to_daemon(descriptor, path)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, data: bytes) -> None:
    """Put ``data`` in the file's place in one step, readable by its owner only. Raises OSError."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _give_to_daemon(file.fileno(), path)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _give_to_daemon(descriptor: int, path: Path) -> None:
    """Let root write for the daemon's user: the file keeps its owner, a new one gets its folder's."""
    if os.geteuid() != 0:
        return
    owner = (path if path.exists() else path.parent).stat()
    os.fchown(descriptor, owner.st_uid, owner.st_gid)
