"""What happened to which version, and what is happening: data that the shell publishes, counts and shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from edge.results import instant

Kind = Literal["activated", "promoted", "rolled-back", "refused", "rejected", "passed"]
"""``promoted``, ``rejected`` and ``passed`` end a trial: see :mod:`edge.rollout.trial`."""
SERVES: frozenset[Kind] = frozenset({"activated", "promoted", "rolled-back"})
"""The changes after which another version serves."""
Phase = Literal["pulling", "verifying", "rehearsing", "loading", "swapping", "on trial"]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a version.

    ``previous`` is the version (of the same or another name) that served before, where another one serves now.
    ``reason`` tells why, where it was not simply the newest. ``figures`` are what a trial measured, JSON-ready.
    """

    kind: Kind
    name: str
    version: str
    previous: tuple[str, str] | None = None
    reason: str | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"


@dataclass(frozen=True, slots=True)
class Update:
    """A version on its way to serve, the phase it is in, and since when (aware, UTC).

    While it is pulled: how many bytes of how many are here, 0 where that is not known.
    """

    name: str
    version: str
    phase: Phase
    since: datetime
    took: int = 0
    of: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A version that does not serve, and why; without a version all those of the name."""

    name: str
    version: str
    reason: str

    def __str__(self) -> str:
        who = f"{self.name}:{self.version}" if self.version else self.name
        return self.reason if self.reason.startswith(who) else f"{who}: {self.reason}"


def change_json(change: Change) -> dict[str, Any]:
    """Return a change as it goes over MQTT, without what the device adds."""
    previous = change.previous and {"name": change.previous[0], "version": change.previous[1]}
    body = {"change": change.kind, "model": {"name": change.name, "version": change.version}, "previous": previous}
    return body | {"reason": change.reason} | ({"figures": dict(change.figures)} if change.figures else {})


def update_json(update: Update | None) -> dict[str, Any] | None:
    """Return what is under way for the status, None where nothing is."""
    if update is None:
        return None
    return {"name": update.name, "version": update.version, "phase": update.phase, "since": instant(update.since)}


def pulled_json(update: Update | None) -> dict[str, int]:
    """Return how much of what is being pulled is here, and empty where that is not known."""
    return {"bytes": update.took, "of_bytes": update.of} if update is not None and update.of else {}


def refusal_json(refusal: Refusal) -> dict[str, str]:
    """Return a refusal for the status."""
    return {"name": refusal.name, "version": refusal.version, "reason": refusal.reason}
