"""Which model of a registry a command takes: ``NAME``, ``NAME:VERSION``, or the newest of all."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from edge.errors import ModelInvalidError, ModelNotFoundError
from edge.ports import Candidate, Survey
from edge.registry.local import LocalRegistry

LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for; None stands for any name or the newest version."""

    name: str | None = None
    version: str | None = None

    def __str__(self) -> str:
        return f"model {self.name}:{self.version or LATEST}" if self.name else "model"


class ModelSpec(click.ParamType[Wanted]):
    """``NAME`` or ``NAME:VERSION`` as a value of an option or an argument."""

    name = "NAME[:VERSION]"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Wanted:
        """Return what was asked for; a text that names no model is a usage error."""
        if isinstance(value, Wanted):
            return value
        name, colon, version = str(value).partition(":")
        if not name or (colon and not version) or "/" in str(value):
            self.fail(f"{value!r} is not NAME or NAME:VERSION", param, ctx)
        return Wanted(name, version if version not in ("", LATEST) else None)


@dataclass(frozen=True, slots=True)
class Choice:
    """The version that is taken, its folder, and what was passed over and why."""

    candidate: Candidate
    folder: Path
    refused: tuple[str, ...]


def choose(root: Path, wanted: Wanted) -> Choice:
    """Return the version that is wanted from the registry ``root``.

    Raises RegistryError, ModelNotFoundError naming what there is, ModelInvalidError where the very version is refused.
    """
    registry = LocalRegistry(root)
    survey = registry.survey(wanted.name)
    if wanted.version is not None and f"{wanted.name}/{wanted.version}" in survey.refused:
        raise ModelInvalidError(survey.refused[f"{wanted.name}/{wanted.version}"])
    for candidate in survey.candidates:
        if wanted.version in (None, candidate.version):
            return Choice(candidate, registry.folder(candidate), tuple(_refusals(survey)))
    raise ModelNotFoundError(_absent(root, wanted, survey))


def _refusals(survey: Survey) -> Iterator[str]:
    return (f"{place} is passed over: {reason}" for place, reason in survey.refused.items())


def _absent(root: Path, wanted: Wanted, survey: Survey) -> str:
    """Return why there is nothing to take, and what to do."""
    if survey.candidates:
        there = ", ".join(f"{candidate.name}:{candidate.version}" for candidate in survey.candidates)
        return f"no {wanted} in {root}; there are {there}"
    refused = "".join(f"; {refusal}" for refusal in _refusals(survey))
    known = sorted({candidate.name for candidate in LocalRegistry(root).survey().candidates})
    hint = f"there are {', '.join(known)}" if known else "register one with: automl-edge models import"
    return f"no {wanted} in {root}{refused}; {hint}"
