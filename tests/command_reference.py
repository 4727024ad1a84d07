"""Writes commands of ``automl-train`` into docs/reference/commands.md: ``python -m tests.command_reference``."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import click

from training.cli.azure import azure
from training.cli.data import data
from training.cli.sweep import sweep

PAGE = Path(__file__).parents[1] / "docs/reference/commands.md"
BEGIN, END = "<!-- automl-train: written by tests/command_reference.py -->", "<!-- end of automl-train -->"
ROOT = "automl-train"
COLUMNS = 124
HEAD = ("option", "default", "means")
TOLD_ONCE = frozenset({"--json", "--help"})
HOW: Mapping[str, str] = {
    "data check": "[Check your pictures](../how-to/check-your-pictures.md)",
    "data convert": "[Change the format](../how-to/check-your-pictures.md#4-change-the-format)",
    "data split": "[Split into folders](../how-to/check-your-pictures.md#3-split-into-folders)",
    "data upload": "[Upload labelled pictures](../how-to/upload-data.md)",
    "sweep": "[Explore hyperparameters](../how-to/explore-hyperparameters.md), [sweeps](sweep.md)",
    "azure login-check": "[Sign in to Azure](../how-to/sign-in-to-azure.md)",
    "azure submit": "[Submit a job](../how-to/submit-a-job.md), [job files](job-file.md)",
    "azure watch": "[Follow a job](../how-to/follow-a-job.md)",
    "azure leaderboard": "[Compare its trials](../how-to/follow-a-job.md#compare-its-trials)",
    "azure fetch": "[From a job to devices](../how-to/from-job-to-device.md)",
    "azure register": "[From a job to devices](../how-to/from-job-to-device.md#2-register)",
    "azure promote": "[From a job to devices](../how-to/from-job-to-device.md#3-promote)",
    "azure deploy": "[Deploy to an endpoint](../how-to/deploy-to-an-endpoint.md)",
    "azure invoke": "[Send pictures](../how-to/deploy-to-an-endpoint.md#send-pictures)",
    "azure compare": "[Compare with the edge](../how-to/deploy-to-an-endpoint.md#compare-with-the-edge)",
    "azure pipeline": "[Train with a pipeline](../how-to/train-with-a-pipeline.md)",
}
"""Where a command is shown at work."""


def page_with_commands(page: str) -> str:
    """Return the page with what stands between its markers written anew."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{commands()}\n\n{END}{rest.partition(END)[2]}"


def commands() -> str:
    """Return the options that commands share, then each command with its own."""
    found = [*_leaves(data, "data"), ("sweep", sweep), *_leaves(azure, "azure")]
    asking = next(command for name, command in found if name == "azure login-check")
    shared = [option for option in _options(asking) if option.opts[0] not in TOLD_ONCE]
    names = {option.name for option in shared}
    without = [f"`{name}`" for name, command in found if not names & {option.name for option in _options(command)}]
    parts = [
        "### Where, and as whom",
        _wrapped(
            f"All of these take the following, but {', '.join(without[:-1])} and {without[-1]}. Each can come from the "
            "variable that is named; a client secret from `AZURE_CLIENT_SECRET` only, since others see arguments."
        ),
        _table(_row(option, variables=True) for option in shared),
    ]
    for name, command in found:
        parts += _command(name, command, names)
    return "\n\n".join(parts)


def _leaves(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        assert command is not None, word
        if command.hidden:
            continue
        if isinstance(command, click.Group):
            yield from _leaves(command, f"{name} {word}")
        else:
            yield f"{name} {word}", command


def _command(name: str, command: click.Command, shared: Iterable[str | None]) -> Iterator[str]:
    own = [each for each in _options(command) if each.name not in shared and each.opts[0] not in TOLD_ONCE]
    context = click.Context(command)
    words = [ROOT, name, *(each.make_metavar(context) for each in command.params if isinstance(each, click.Argument))]
    words += ["[--json]"] if any("--json" in option.opts for option in _options(command)) else []
    yield f"### {ROOT} {name}"
    first, *rest = (command.help or "").split("\n\n")
    yield _wrapped(f"`{' '.join(words)}`: {first[:1].lower()}{first[1:]}")
    yield from map(_wrapped, [*rest, *filter(None, [command.epilog])])
    if own:
        yield _table(map(_row, own))
    if name in HOW:
        yield f"{HOW[name]}."


def _wrapped(text: str) -> str:
    plain = " ".join(text.split()).replace("<", r"\<")
    return "\n".join(textwrap.wrap(plain, COLUMNS, break_on_hyphens=False, break_long_words=False))


def _options(command: click.Command) -> list[click.Option]:
    return [each for each in command.params if isinstance(each, click.Option) and not each.hidden]


def _row(option: click.Option, *, variables: bool = False) -> list[str]:
    value = "" if option.is_flag else f" {_value(option)}"
    said = re.fullmatch(r"(.*?)\s*\[default: (.+)\]", option.help or "", re.DOTALL)
    means, default = said.groups() if said else (option.help or "", _default(option))
    if variables and option.envvar:
        means += f" `{option.envvar if isinstance(option.envvar, str) else option.envvar[0]}`."
    elif isinstance(option.type, click.IntRange | click.FloatRange):
        means += f" {_range(option.type)}"
    cells = (f"`{', '.join(option.opts)}{value}`", "required" if option.required else default, means)
    return [cell.replace("|", r"\|").replace("<", r"\<") for cell in cells]


def _value(option: click.Option) -> str:
    metavar = option.make_metavar(click.Context(click.Command("any")))
    return {"INTEGER RANGE": "N", "FLOAT RANGE": "X", "DIRECTORY": "DIR"}.get(metavar, metavar)


def _range(kind: click.IntRange | click.FloatRange) -> str:
    least = [] if kind.min is None else [f"above {kind.min}" if kind.min_open else f"at least {kind.min}"]
    most = [] if kind.max is None else [f"below {kind.max}" if kind.max_open else f"at most {kind.max}"]
    return f"{' and '.join([*least, *most]).capitalize()}."


def _default(option: click.Option) -> str:
    if isinstance(option.show_default, str):
        return option.show_default
    return "" if option.is_flag or option.default is None or not option.show_default else f"`{option.default}`"


def _table(rows: Iterable[Iterable[str]]) -> str:
    lines = [HEAD, ["---"] * len(HEAD), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page_with_commands(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
