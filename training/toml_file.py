"""A TOML file of the user's, checked as a whole: every problem at once, each with its key, in words for a person."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from training.errors import UsageError
from training.hyperparameters import cut
from training.image_models import nearest
from training.sweep_schema import POLICIES

Tables = Mapping[str, type[BaseModel]]
"""The tables of a file by name; the whole file has an empty one."""


def read_toml(path: Path, what: str) -> Mapping[str, Any]:
    """Return what a file says.

    Raises:
        UsageError: it cannot be read as ``what``.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as {what} ({error})") from error


def schema_problems(error: ValidationError, tables: Tables) -> Iterator[str]:
    """Yield what is wrong with a file's form, with the nearest right name of a key that there is not."""
    return (_text(dict(item), tables) for item in error.errors(include_url=False))


def refusal(path: Path, problems: Sequence[str]) -> UsageError:
    """Return the error that tells all problems, a line each."""
    count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
    return UsageError("\n".join([f"{path} has {count}:", *(f"  {' '.join(problem.split())}" for problem in problems)]))


def _text(item: Mapping[str, Any], tables: Tables) -> str:
    """Return one of pydantic's problems in words for a person."""
    location, kind = item["loc"], str(item["type"])
    place = ".".join(str(part) for part in location if part not in POLICIES)
    if kind == "extra_forbidden":
        return f"{place}: {_unknown(location, tables)}"
    if kind == "missing":
        return f"{place}: is required"
    said = str(item["msg"]).removeprefix("Value error, ").replace("Input should be", "must be").replace("valid ", "")
    said = re.sub(r"a dictionary( or instance of \w+)?", "a table", said)
    if kind == "string_pattern_mismatch":
        said = "must have letters, digits, '_' and '-' only, at most 200, a letter or digit first"
    given = item["input"]
    shown = "" if isinstance(given, dict | list) else f", got {cut(repr(given))}"
    return f"{place}: {said.replace('a integer', 'a whole number')}{shown}"


def _unknown(location: tuple[int | str, ...], tables: Tables) -> str:
    key, table = str(location[-1]), str(location[-2]) if len(location) > 1 else ""
    there = list(tables[table].model_fields)
    close = nearest(key, there)
    homes = [home for home, section in tables.items() if home != table and key in section.model_fields]
    if close:
        return f"no such key; did you mean {close}?"
    return (
        f"no such key here; it belongs into [{homes[0]}]"
        if homes and homes[0]
        else f"no such key; there are {', '.join(there)}"
    )
