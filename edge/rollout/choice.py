"""Which version is wanted. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeGuard

from edge.bundle import version_key
from edge.ports import Candidate, Survey
from edge.registry.state import Kept, State, wanted

LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the configuration asks for: any name where it is None; a version, or ``latest``."""

    name: str | None = None
    version: str = LATEST

    def allows(self, kept: Kept | None) -> TypeGuard[Kept]:
        """Tell whether a stored bundle may serve."""
        return kept is not None and self.name in (None, kept.name) and self.version in (LATEST, kept.version)

    def followed_name(self, state: State) -> str | None:
        """Return the wished name, else the one that served last: a device does not change its model's name."""
        return self.name or (state.current.name if state.current else None)


@dataclass(frozen=True, slots=True)
class InService:
    """What serves now, as far as choosing needs to know."""

    digest: str
    created_at: datetime


def choose(
    survey: Survey, wish: Wish, state: State, serving: InService | None, *, is_refused: Callable[[Candidate], bool]
) -> Candidate | None:
    """Return the version that should replace the one that serves, None where none should.

    The newest one's removal is no reason to go back: an older version is not taken by following, unless it is the
    newest that somebody chose (see :class:`edge.ports.Survey`).
    """
    usable = tuple(c for c in survey.candidates if not is_refused(c))
    chosen = _chosen(survey)
    if wish.version != LATEST:
        choice = next((c for c in usable if c.version == wish.version), None)
    elif state.pinned and serving is not None:
        return None
    else:
        choice = wanted(state, tuple(c for c in usable if c == chosen or not is_older(c, serving)))
    return None if choice is None or (serving is not None and choice.digest == serving.digest) else choice


def _chosen(survey: Survey) -> Candidate | None:
    """Return the newest version that somebody chose; None where that may be one that cannot be read at the moment."""
    if not survey.exact or not survey.candidates:
        return None
    newest = survey.candidates[0]
    refused = (place.partition("/")[2] for place in survey.refused)
    return None if any(version_key(version) > version_key(newest.version) for version in refused) else newest


def is_older(candidate: Candidate, serving: InService | None) -> bool:
    """Tell whether taking a version means going back."""
    return serving is not None and candidate.created_at < serving.created_at


def matching(survey: Survey, name: str, version: str | None) -> Candidate | None:
    """Return the version that was asked for by name, the newest one for None and ``latest``."""
    wished = (c for c in survey.candidates if c.name == name and version in (None, LATEST, c.version))
    return next(wished, None)
