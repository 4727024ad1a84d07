"""TOML file + environment → one frozen Config, checked as a whole.

Values come from the file; a variable ``EDGE_<SECTION>__<KEY>`` takes the place of a key. Every problem is reported at
once, with its key and the file or variable that it came from.
"""

import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edge.config.environment import Overrides, environment, read_overrides
from edge.config.problems import problems_of
from edge.config.schema import SECTIONS, Config
from edge.config.sources import FolderSource, PlaybackSource, SourceSection
from edge.config.values import is_loopback
from edge.errors import ConfigError

__all__ = [
    "Config",
    "FolderSource",
    "PlaybackSource",
    "SourceSection",
    "dump",
    "environment",
    "is_loopback",
    "load",
    "no_colour",
]


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Config:
    """Return the configuration of a TOML file and an environment (None: no file, this process's environment).

    Relative paths are taken from the file's folder, or from the working directory where there is no file. Raises
    ConfigError with every problem, one a line.
    """
    document = _read(path) if path else {}
    overrides = read_overrides(environment() if environ is None else environ)
    base = path.absolute().parent if path else Path.cwd()
    try:
        config = _validate(_merged(document, overrides), base)
    except ValidationError as error:
        found = [*overrides.problems, *problems_of(error, _origin(path, overrides))]
        raise ConfigError("\n".join(found)) from error
    if overrides.problems:
        raise ConfigError("\n".join(overrides.problems))
    return config


def no_colour(environ: Mapping[str, str] | None = None) -> bool:
    """Tell whether the environment asks for output without colours (no-color.org: ``NO_COLOR`` set to anything)."""
    return bool((environment() if environ is None else environ).get("NO_COLOR"))


def dump(config: Config) -> dict[str, Any]:
    """Return the configuration as plain values, JSON-ready, secrets masked."""
    return config.model_dump(mode="json")


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; give another with -c, or leave -c out for the defaults") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from error


def _merged(document: Mapping[str, Any], overrides: Overrides) -> dict[str, Any]:
    """Return the document with every section present, so that relative defaults are anchored too, and the overrides."""
    merged = {section: {} for section in SECTIONS} | dict(document)
    for (section, key), value in overrides.values.items():
        if isinstance(merged[section], dict):
            merged[section] = merged[section] | {key: value}
    return merged


def _validate(data: Mapping[str, Any], base: Path) -> Config:
    # Through JSON: strict validation then takes lists for tuples and text for paths, but still no "8080" for 8080.
    return Config.model_validate_json(json.dumps(data, default=str), context={"base": base})


def _origin(path: Path | None, overrides: Overrides) -> Callable[[str, str], str]:
    """Return a function that names where a key came from, or a whole section where the key is empty."""
    file = [str(path)] if path else []

    def origin(section: str, key: str) -> str:
        if key:
            return overrides.variables.get((section, key)) or "".join(file) or "defaults"
        return ", ".join([*file, *(name for (s, _), name in overrides.variables.items() if s == section)]) or "defaults"

    return origin
