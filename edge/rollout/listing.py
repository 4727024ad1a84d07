"""What ``/v1/models`` shows: every known version and its state. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge.ports import Candidate, Survey
from edge.registry.state import State
from edge.results import instant
from edge.rollout.refusals import Refusals


@dataclass(frozen=True, slots=True)
class Known:
    """What is known at one moment: the state, why versions are refused, the digests that serve and are on trial."""

    state: State
    refusals: Refusals
    serving: str | None
    on_trial: str | None

    def state_of(self, digest: str) -> str:
        """Return the word for a version: current, trial, refused, previous, skipped, rejected, passed or available."""
        judged = self.state.judgement(digest)
        if digest == self.serving:
            return "current"
        if digest == self.on_trial:
            return "trial"
        if self.refusals.reason(digest) is not None:
            return "refused"
        if self.state.previous is not None and digest == self.state.previous.digest:
            return "previous"
        if judged is not None and judged.outcome in ("rejected", "passed"):
            return judged.outcome
        return "skipped" if digest in self.state.skipped else "available"


def listed(survey: Survey, known: Known) -> list[Mapping[str, Any]]:
    """Return what the registry offers (newest first), what only this device keeps, and what the registry refuses."""
    offered = [_offered(candidate, known) for candidate in survey.candidates]
    broken = [_broken(place, reason) for place, reason in survey.refused.items()]
    return [*offered, *_only_stored(survey, known), *broken]


def _offered(candidate: Candidate, known: Known) -> Mapping[str, Any]:
    own = {"name": candidate.name, "version": candidate.version, "created_at": instant(candidate.created_at)}
    digest = candidate.digest
    return {**own, "state": known.state_of(digest), **_reason(digest, known), **_trial(digest, known)}


def _reason(digest: str, known: Known) -> Mapping[str, str]:
    """Return why a version is in its state, where there is anything to tell."""
    judged = known.state.judgement(digest)
    reason = known.refusals.reason(digest) or (judged.reason if judged and judged.outcome != "promoted" else None)
    return {"reason": reason} if reason else {}


def _trial(digest: str, known: Known) -> Mapping[str, Any]:
    """Return how a version came out of its trial or probation, where it was on one."""
    judged = known.state.judgement(digest)
    if judged is None:
        return {}
    return {"trial": {"outcome": judged.outcome, "at": judged.at, "reason": judged.reason, **judged.figures}}


def _only_stored(survey: Survey, known: Known) -> list[Mapping[str, Any]]:
    offered = {candidate.digest for candidate in survey.candidates}
    gone = [kept for kept in known.state.kept if kept.digest not in offered]
    return [
        {"name": k.name, "version": k.version, "state": known.state_of(k.digest), **_trial(k.digest, known)}
        for k in gone
    ]


def _broken(place: str, reason: str) -> Mapping[str, Any]:
    name, _, version = place.partition("/")
    return {"name": name, "version": version, "state": "refused", "reason": reason}
