"""``automl-edge token``: who may do what over HTTP. The daemon notices each change within a second."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from edge import config
from edge.cli.options import config_option, json_option
from edge.cli.rows import json_text
from edge.cli.terminal import show, table
from edge.results import instant
from edge.tokens import SCOPES, Entry, Grant, Scope, TokensFile, looks_minted

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
SPANS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
MAX_SPAN = timedelta(days=36500)
DEFAULT_FILE = "tokens.json"

file_option = click.option(
    "--file",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="PATH",
    help="File of tokens; by default http.tokens_file, else tokens.json in storage.path.",
)


class TokenName(click.ParamType[str]):
    """What a token is called."""

    name = "NAME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name; one that a file of tokens cannot hold is a usage error. What was given is never shown."""
        if looks_minted(str(value).encode()):
            self.fail("this is a token, not the name of one", param, ctx)
        if not NAME.fullmatch(str(value)):
            self.fail(
                "a name is letters, digits, '.', '_' or '-', begins with a letter or digit, and holds at most 128",
                param,
                ctx,
            )
        return str(value)


class Span(click.ParamType[timedelta]):
    """A span of time: ``12h``, ``90d``, ``4w``."""

    name = "SPAN"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the span; anything else is a usage error."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"([1-9][0-9]{0,5})([hdw])", str(value))
        span = int(found[1]) * SPANS[found[2]] if found else None
        if span is None or span > MAX_SPAN:
            self.fail(f"{value!r} is no span such as 12h, 90d or 4w", param, ctx)
        return span


@click.group()
def token() -> None:
    """Make, list and revoke tokens for the HTTP interface."""


@token.command()
@click.argument("name", type=TokenName(), metavar="NAME")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(list(SCOPES)),
    multiple=True,
    required=True,
    help="What it may do; may be repeated. " + "; ".join(f"{scope}: {means}" for scope, means in SCOPES.items()) + ".",
)
@click.option("--expires", type=Span(), metavar="SPAN", help="How long it holds: 12h, 90d, 4w. By default for ever.")
@file_option
@config_option
def new(
    *, name: str, scopes: tuple[Scope, ...], expires: timedelta | None, path: Path | None, config_path: Path | None
) -> None:
    """Make a token and print it, this once.

    Only its SHA-256 is stored. Whoever uses it sends the header `Authorization: Bearer TOKEN`.
    """
    place = _Place(config_path, path)
    expires_at = datetime.now(UTC) + expires if expires else None
    made = place.file.add(Grant(name, frozenset(scopes), expires_at))
    click.echo(made)
    until = f"until {instant(expires_at)}" if expires_at else "for ever"
    click.echo(f"{name}: {', '.join(sorted(scopes))}, {until}, in {place.file.path}", err=True)
    place.warn()


@token.command("list")
@file_option
@config_option
@json_option
def list_tokens(*, path: Path | None, config_path: Path | None, as_json: bool) -> None:
    """List the tokens' names, scopes and expiry. The tokens themselves are stored nowhere."""
    place = _Place(config_path, path)
    entries, now = place.file.read(), datetime.now(UTC)
    if as_json:
        click.echo(json_text({"file": str(place.file.path), "tokens": [_row(entry, now) for entry in entries]}))
        return
    if entries:
        show(table(["name", "scopes", "made", "expires"], [_cells(entry, now) for entry in entries]))
    else:
        click.echo(f"no tokens in {place.file.path}; make one with: automl-edge token new", err=True)
    place.warn()


@token.command()
@click.argument("name", type=TokenName(), metavar="NAME")
@file_option
@config_option
def revoke(*, name: str, path: Path | None, config_path: Path | None) -> None:
    """Forget a token: a running daemon refuses it within a second."""
    place = _Place(config_path, path)
    place.file.revoke(name)
    click.echo(f"{name} opens nothing any more")


class _Place:
    """The file that a command works on, and whether the configured daemon reads it."""

    def __init__(self, config_path: Path | None, path: Path | None) -> None:
        resolved = config.load(config_path) if path is None or config_path is not None else None
        self._named = resolved.http.tokens_file if resolved else None
        self._known = resolved is not None
        self.file = TokensFile(path or self._named or self._default(resolved))

    @staticmethod
    def _default(resolved: config.Config | None) -> Path:
        return (resolved.storage.path if resolved else Path()) / DEFAULT_FILE

    def warn(self) -> None:
        """Tell where the configuration does not name the file, so that nobody is asked for these tokens."""
        for line in self._remarks():
            click.echo(f"note: {line}", err=True)

    def _remarks(self) -> Iterator[str]:
        own = self.file.path.absolute()
        if self._known and (self._named is None or self._named.absolute() != own):
            yield f'the daemon does not ask for these tokens yet: set [http] tokens_file = "{own}"'


def _row(entry: Entry, now: datetime) -> dict[str, Any]:
    grant = entry.grant
    return {
        "name": grant.name,
        "scopes": sorted(grant.scopes),
        "created_at": instant(entry.created_at),
        "expires_at": instant(grant.expires_at) if grant.expires_at else None,
        "expired": grant.expired(now),
    }


def _cells(entry: Entry, now: datetime) -> list[str]:
    row = _row(entry, now)
    expires = "never" if row["expires_at"] is None else row["expires_at"][:16] + "Z"
    if row["expired"]:
        expires += " (expired)"
    return [row["name"], ", ".join(row["scopes"]), row["created_at"][:10], expires]
