"""``automl-edge check``: the resolved configuration, or every problem in it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from edge import config
from edge.cli.options import config_option, json_option


@click.command()
@config_option
@json_option
def check(config_path: Path | None, as_json: bool) -> None:
    """Show the resolved configuration, or every problem in it.

    Secrets are masked. What is shown without --json is TOML again. Exit code 2 where there are problems.
    """
    resolved = config.dump(config.load(config_path))
    click.echo(json.dumps(resolved, indent=2) if as_json else "\n".join(toml_lines(resolved)))


def toml_lines(resolved: Mapping[str, Any]) -> Iterator[str]:
    """Yield a configuration as the lines of a TOML file; keys that are not set are comments."""
    for section, keys in resolved.items():
        for heading, table in _tables(section, keys):
            yield heading
            yield from (_line(key, value) for key, value in table.items())
            yield ""


def _tables(section: str, keys: Any) -> list[tuple[str, Mapping[str, Any]]]:
    return [(f"[[{section}]]", table) for table in keys] if isinstance(keys, list) else [(f"[{section}]", keys)]


def _line(key: str, value: Any) -> str:
    # For text, whole and broken numbers, switches and lists of them, JSON and TOML are spelled alike.
    return f"# {key} is not set" if value is None else f"{key} = {json.dumps(value, ensure_ascii=False)}"
