"""docs/reference/commands.md names what there is."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from edge.cli.root import COMMANDS, root
from edge.preprocess.decode import SUFFIXES

PAGE = (Path(__file__).parents[3] / "docs/reference/commands.md").read_text(encoding="utf-8")


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command that does something, with its whole name."""
    context = click.Context(root)
    for name in COMMANDS:
        command = root.get_command(context, name)
        if isinstance(command, click.Group):
            yield from ((f"{name} {below}", each) for below, each in command.commands.items())
        elif command is not None:
            yield name, command


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_every_command_and_option_is_on_the_page(name: str, command: click.Command) -> None:
    """A command or an option that nobody wrote about fails here."""
    assert f"`automl-edge {name}" in PAGE
    options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    assert options <= set(re.findall(r"--[a-z-]+", PAGE))


def test_every_suffix_is_on_the_page() -> None:
    """So is every kind of file that is taken for a picture."""
    assert all(f"`{suffix}`" in PAGE for suffix in SUFFIXES)
