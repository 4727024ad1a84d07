"""The registry that a command looks into: a folder, or what a configuration file names."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from edge import config
from edge.cli.selection import LATEST, Wanted
from edge.errors import ModelInvalidError, ModelNotFoundError
from edge.ports import Candidate, Registry

DEFAULT = Path("models")


@dataclass(frozen=True, slots=True)
class Configured:
    """A registry that is no folder of versions, and the model that is followed there; ``place`` is for a person."""

    registry: Registry
    wanted: Wanted
    place: str


def where_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--registry`` and ``-c``, which are given to the command as ``where``."""

    @wraps(command)
    def with_where(*, registry: Path | None, config_path: Path | None, **options: Any) -> None:
        command(where=where(registry, config_path), **options)

    made: Callable[..., None] = with_where
    for option in (
        click.option(
            "-c",
            "--config",
            "config_path",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Configuration file (TOML) whose [registry] is meant: a folder, a bundle or Azure.",
        ),
        click.option(
            "--registry",
            type=click.Path(file_okay=False, path_type=Path),
            metavar="DIR",
            help=f"Folder that holds NAME/VERSION/.  [default: {DEFAULT}]",
        ),
    ):
        made = option(made)
    return made


def where(registry: Path | None, config_path: Path | None) -> Path | Configured:
    """Return the folder of versions that is meant, or what else the configuration names. Raises ConfigError."""
    if config_path is None:
        return registry or DEFAULT
    if registry is not None:
        raise click.UsageError("--registry and -c both name a registry: give one of them")
    loaded = config.load(config_path)
    return loaded.registry.path if loaded.registry.kind == "local" else configured(loaded)


def configured(loaded: config.Config) -> Configured:
    """Return what a configuration follows that is no folder of versions; nothing is asked yet."""
    from edge.daemon.registries import make_registry  # noqa: PLC0415 - brings the whole daemon

    version = loaded.model.version
    wanted = Wanted(loaded.model.name, None if version == LATEST else version)
    return Configured(make_registry(loaded), wanted, _place(loaded))


def _place(loaded: config.Config) -> str:
    azure, kind = loaded.azure, loaded.registry.kind
    if kind == "bundle":
        return str(loaded.registry.path)
    return f"registry {azure.shared_registry}" if azure.shared_registry else f"workspace {azure.workspace}"


def find(source: Configured, wanted: Wanted) -> Candidate:
    """Return the version that is wanted, where nothing is named the one that the configuration means.

    Raises RegistryError, ModelNotFoundError naming what there is, ModelInvalidError where the very version is refused.
    """
    wanted = wanted if wanted.name else source.wanted
    survey = source.registry.survey(wanted.name, version=wanted.version, asked=True)
    for candidate in survey.candidates:
        if wanted.version in (None, candidate.version):
            return candidate
    refused = [f"{place}: {reason}" for place, reason in survey.refused.items()]
    if refused:
        raise ModelInvalidError("; ".join(refused))
    there = ", ".join(f"{one.name}:{one.version}" for one in survey.candidates) or "nothing of it"
    raise ModelNotFoundError(f"no {wanted} in {source.place}; there is {there}")
