"""``automl-edge models activate`` and ``rollback``: what the running daemon serves, changed over HTTP."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from edge import config
from edge.cli.options import config_option, json_option
from edge.cli.remote import Daemon, daemon_of
from edge.cli.rows import json_text
from edge.cli.selection import ModelSpec, Wanted

url_option = click.option("--url", metavar="URL", help="Where the daemon listens; by default what [http] says.")
token_option = click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    metavar="FILE",
    help="File that holds a token with the scope operate, - for standard input; by default http.token.",
)
ca_option = click.option(
    "--ca",
    "ca_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Certificates (PEM) of who signed the daemon's; by default http.cert_file itself, with --url the system's.",
)


def remote_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what every command needs that asks a running daemon."""
    for option in (json_option, ca_option, token_option, url_option, config_option):
        command = option(command)
    return command


@click.command()
@click.argument("wanted", type=ModelSpec(), metavar="NAME[:VERSION]")
@remote_options
def activate(*, wanted: Wanted, as_json: bool, **where: Any) -> None:
    """Let the running daemon serve a version and stay with it.

    Without a version it follows the newest again. The token comes from --token-file, EDGE_HTTP__TOKEN or the
    config file.
    """
    daemon = _daemon(**where)
    body = {"version": wanted.version} if wanted.version else None
    _tell(daemon.change("activate", str(wanted.name), body), as_json=as_json)


@click.command()
@click.argument("name", metavar="NAME")
@remote_options
def rollback(*, name: str, as_json: bool, **where: Any) -> None:
    """Let the running daemon go back to the previous version.

    The version that is left is not taken again by itself.
    """
    _tell(_daemon(**where).change("rollback", name), as_json=as_json)


def _daemon(*, config_path: Path | None, url: str | None, token_file: Path | None, ca_file: Path | None) -> Daemon:
    return daemon_of(config.load(config_path), url, token_file=token_file, ca_file=ca_file)


def _tell(model: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json_text(model))
    else:
        unproven = "" if model.get("proven") else " (unproven: it has no golden pictures)"
        click.echo(f"{model.get('name')}:{model.get('version')} serves now{unproven}")
