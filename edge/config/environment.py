"""``EDGE_<SECTION>__<KEY>`` variables as values of the configuration. The only place that reads the environment."""

import difflib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin

from edge.config.schema import SECTIONS

PREFIX = "EDGE_"
SEPARATOR = "__"

_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the environment says: values and the variable each came from, by (section, key), and what is wrong."""

    values: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    variables: Mapping[tuple[str, str], str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def environment() -> Mapping[str, str]:
    """Return this process's environment."""
    return os.environ


def variable(section: str, key: str) -> str:
    """Return the name of the variable that takes the place of a key."""
    return f"{PREFIX}{section.upper()}{SEPARATOR}{key.upper()}"


def known_variables() -> dict[str, tuple[str, str]]:
    """Return (section, key) by variable, for every key that the environment may set."""
    return {variable(s, k): (s, k) for s, section in SECTIONS.items() for k in section.model_fields}


def read_overrides(environ: Mapping[str, str]) -> Overrides:
    """Return what ``environ`` overrides. A variable with ``EDGE_`` but without ``__`` is not ours and is ignored."""
    known = known_variables()
    given = {name: text for name, text in sorted(environ.items()) if name.startswith(PREFIX) and SEPARATOR in name}
    keys = {known[name]: name for name in given if name in known}
    values = {(s, k): _value(SECTIONS[s].model_fields[k].annotation, given[name]) for (s, k), name in keys.items()}
    return Overrides(values, keys, tuple(_unknown(name, known) for name in given if name not in known))


def _unknown(name: str, known: Mapping[str, tuple[str, str]]) -> str:
    if name.startswith(f"{PREFIX}SOURCE{SEPARATOR}"):
        return f"{name}: sources cannot come from the environment; write a [[source]] into a config file"
    close = difflib.get_close_matches(name.upper(), known, n=1)
    hint = f"did you mean {close[0]}?" if close else "sections are " + ", ".join(SECTIONS)
    return f"{name}: no such key; {hint}"


def _value(annotation: Any, text: str) -> Any:
    """Return ``text`` as the key's type; as it stands where it is none, for the schema to refuse it by name."""
    kinds = get_args(annotation) if type(None) in get_args(annotation) else (annotation,)
    if type(None) in kinds and not text:
        return None
    kind = next(k for k in kinds if k is not type(None))
    parse = _PARSERS.get(get_origin(kind) or kind)
    try:
        return parse(text) if parse else text
    except ValueError:
        return text


def _bool(text: str) -> bool | str:
    return _WORDS.get(text.strip().lower(), text)


def _list(text: str) -> Any:
    """Return a list written as JSON or with commas."""
    if text.lstrip().startswith("["):
        return json.loads(text)
    return [_number(part.strip()) for part in text.split(",") if part.strip()]


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


_PARSERS: Mapping[Any, Callable[[str], Any]] = {bool: _bool, int: int, float: float, tuple: _list}
