"""What pydantic found wrong, in words for a person: the key, what it must be, what was given, where it came from."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from edge.config.schema import SECTIONS, Config
from edge.config.sources import SOURCE_KINDS

SHAPES = {"model_type": "a table", "model_attributes_type": "a table", "path_type": "a path"}
"""What a value should have been, by pydantic's name of the problem, where its own words would confuse."""

CONSEQUENCE = "default_factory_not_called"
"""A default that depends on other keys, of which one is wrong, and told as such."""
SOURCES = "written as [[source]], once for each source"

Location = tuple[int | str, ...]


def problems_of(error: ValidationError, origin: Callable[[str, str], str]) -> list[str]:
    """Return one text a problem. ``origin`` names the file or variable that a section's key came from."""
    found = (dict(item) for item in error.errors(include_url=False) if item["type"] != CONSEQUENCE)
    return [text for item in found for text in _texts(item, origin)]


def _texts(item: Mapping[str, Any], origin: Callable[[str, str], str]) -> list[str]:
    location: Location = item["loc"]
    if not location:
        return [f"{origin(*_keys(line))}: {line}" for line in _said(item).splitlines()]
    where = origin(str(location[0]), str(location[1]) if len(location) > 1 else "")
    return [f"{where}: {_place(location)}: {_reason(item)}"]


def _keys(line: str) -> tuple[str, str]:
    """Return section and key of a rule between sections, whose text begins with them."""
    section, _, key = line.partition(":")[0].partition(".")
    return section, key


def _place(location: Location) -> str:
    """Return a key's path as a person counts: ``http.port``, ``source 2: fps``."""
    if location[0] == "source" and len(location) > 1:
        rest = [str(part) for part in location[2:] if part not in SOURCE_KINDS]
        return f"source {int(location[1]) + 1}" + (f": {'.'.join(rest)}" if rest else "")
    return ".".join(str(part) for part in location)


def _reason(item: Mapping[str, Any]) -> str:
    kind, location = str(item["type"]), item["loc"]
    if kind == "extra_forbidden":
        return _unknown_key(location)
    if kind == "missing":
        return "is required"
    if kind == "union_tag_not_found":
        return f"kind is required: one of {', '.join(SOURCE_KINDS)}"
    if kind == "union_tag_invalid":
        return f"kind must be one of {', '.join(SOURCE_KINDS)}{_given(item['ctx']['tag'])}"
    many = location == ("source",) and kind.endswith("_type")
    if many or kind in SHAPES:
        return f"must be {SOURCES if many else SHAPES[kind]}{_given_at(item)}"
    return _said(item) if kind == "value_error" and isinstance(item["input"], dict) else _said(item) + _given_at(item)


def _said(item: Mapping[str, Any]) -> str:
    message = str(item["msg"]).removeprefix("Value error, ")
    message = message.replace("Input should be", "must be").replace("should have", "must have")
    return message.replace("a valid tuple", "a list").replace("a valid integer", "a whole number").replace("valid ", "")


def _given_at(item: Mapping[str, Any]) -> str:
    """Return what was given, but never a secret."""
    section, key = (str(part) for part in (*item["loc"], "", "")[:2])
    return "" if is_secret(section, key) else _given(item["input"])


def _given(value: object) -> str:
    """Return a value for a person; a table, or a list of them, may hold secrets and is left out."""
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict | list) for item in value)):
        return ""
    text = repr(value)
    return f", got {text}" if len(text) <= 60 else f", got {text[:57]}…"


def _unknown_key(location: Location) -> str:
    key, known = str(location[-1]), _siblings(location)
    close = difflib.get_close_matches(key, known, n=1)
    if close:
        return f"no such key; did you mean {close[0]}?"
    homes = [section for section, schema in SECTIONS.items() if key in schema.model_fields]
    if homes:
        return f"no such key here; it belongs into {' or '.join(f'[{home}]' for home in homes)}"
    return f"no such key; there are {', '.join(known)}"


def _siblings(location: Location) -> Sequence[str]:
    if len(location) == 1:
        return list(Config.model_fields)
    if location[0] == "source":
        return list(SOURCE_KINDS[str(location[2])].model_fields)
    return list(SECTIONS[str(location[0])].model_fields)


def is_secret(section: str, key: str) -> bool:
    """Tell whether a key holds a password or token."""
    schema = SECTIONS.get(section)
    return schema is not None and key in schema.model_fields and "SecretStr" in str(schema.model_fields[key].annotation)
