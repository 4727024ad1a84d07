"""What may stand between a staged version and service, and what watches a version that has begun to serve.

The rollout asks, these answer; they never call the rollout. It asks under its lock, at every look into the registry, so
that nothing here may block; a trial that wants to be asked sooner wakes the :class:`edge.rollout.Watch`.

Only a newer version that is taken by *following* goes on trial: not one that is activated or rolled back to by name,
not one that the configuration names, and not while nothing serves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from edge.ports import Candidate, Model


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a trial or a probation came out.

    ``promoted``: the version is swapped in. ``rejected``: it is not taken again by itself, also after a restart.
    ``passed``: as rejected, but it was good, and is left to ``activate``. ``rolled-back``: it served, and must not any
    longer. ``reason`` is one sentence for the log, the status and the topic, ``figures`` the numbers that were
    measured, by name, None where one could not be.
    """

    outcome: Literal["promoted", "rejected", "passed", "rolled-back"]
    reason: str
    figures: Mapping[str, float | None] = field(default_factory=dict)


class Trial(Protocol):
    """Compares a staged version with the one that serves."""

    def begin(self, candidate: Candidate, model: Model, running: Model) -> bool:
        """Take ``model`` (warm, proven) on trial beside ``running``; False: no trial, swap it in at once."""

    def verdict(self) -> Verdict | None:
        """Return how the trial came out, None while it is under way; asked until it is not None."""

    def end(self) -> None:
        """Stop and let go of the model: judged, overtaken, withdrawn, or the daemon stops. Nothing on trial: no-op."""

    def status(self) -> Mapping[str, Any]:
        """Return how far it is, JSON-ready; empty where nothing is on trial. Called from any thread."""


class Probation(Protocol):
    """Watches a version that was taken by following, or promoted, during its first time in service."""

    def begin(self, model: Model) -> None:
        """Watch ``model``, which serves from now on."""

    def verdict(self) -> Verdict | None:
        """Return why the version must be rolled back; None while all is well or nothing is watched."""

    def end(self) -> None:
        """Stop watching: another version serves. Nothing watched: no-op."""

    def status(self) -> Mapping[str, Any]:
        """Return what was seen so far, JSON-ready; empty where nothing is watched. Called from any thread."""


class NoTrial:
    """Fulfils :class:`Trial` where versions are swapped in at once."""

    def begin(self, candidate: Candidate, model: Model, running: Model) -> bool:  # noqa: ARG002 - the port's signature
        """Hold none."""
        return False

    def verdict(self) -> Verdict | None:
        """Return None."""
        return None

    def end(self) -> None:
        """Do nothing."""

    def status(self) -> Mapping[str, Any]:
        """Return nothing."""
        return {}


class NoProbation:
    """Fulfils :class:`Probation` where nothing is watched."""

    def begin(self, model: Model) -> None:
        """Do nothing."""

    def verdict(self) -> Verdict | None:
        """Return None."""
        return None

    def end(self) -> None:
        """Do nothing."""

    def status(self) -> Mapping[str, Any]:
        """Return nothing."""
        return {}
