"""Refusals: what is told of versions that do not serve, in which order, and for how long."""

from datetime import UTC, datetime

from edge.errors import ModelInvalidError
from edge.ports import Candidate
from edge.rollout.refusals import Refusals


def candidate(version: str) -> Candidate:
    return Candidate("colours", version, datetime(2026, 1, 1, tzinfo=UTC), f"digest-{version}")


def versions(refusals: Refusals) -> list[str]:
    return [refusal.version for refusal in refusals.all()]


def test_the_newest_refusal_is_told_first() -> None:
    """Whether the device or the registry refuses: where not all can be shown, the newest are."""
    refusals = Refusals()
    refusals.add(candidate("1"), ModelInvalidError("broken"))
    refusals.survey(["digest-1"], {"colours/2": "cut off"})
    refusals.add(candidate("3"), ModelInvalidError("broken"))
    assert versions(refusals) == ["3", "2", "1"]


def test_another_reason_makes_a_refusal_new() -> None:
    """It is told again, and first."""
    refusals = Refusals()
    refusals.survey([], {"colours/1": "cut off", "colours/2": "cut off"})
    (again,) = refusals.survey([], {"colours/1": "hash wrong", "colours/2": "cut off"})
    assert (again.version, again.reason) == ("1", "hash wrong")
    assert versions(refusals) == ["1", "2"]


def test_what_is_gone_is_refused_no_longer() -> None:
    """A version that was removed, or is to be tried again, is told no more."""
    refusals = Refusals()
    for version in ("1", "2"):
        refusals.add(candidate(version), ModelInvalidError("broken"))
    refusals.survey(["digest-2"], {"colours/3": "cut off"})
    assert versions(refusals) == ["3", "2"]
    refusals.forget("digest-2")
    refusals.survey([], {})
    assert versions(refusals) == []
