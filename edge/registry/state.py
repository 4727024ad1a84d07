"""What a device remembers about its models, and how that changes. Pure: the store writes it down.

``earlier`` makes going back a walk into the past: each rollback takes the next older version, and the version left is
not taken again by itself, though it may be activated by name.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from edge.errors import ModelNotFoundError
from edge.ports import Candidate

STATE_SCHEMA = "automl-edge/state/1"
EARLIER = 2
"""How many versions before the current one are kept."""
SKIPPED = 100
"""How many of the digests that were left by a rollback are remembered."""
JUDGED = 100
"""How many judgements are remembered."""

KEPT_OUT = ("rejected", "passed")
"""Judgements after which a version is not taken by itself."""

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class Kept:
    """A bundle in the store; ``created_at`` is when its registry says that the version was made (aware)."""

    name: str
    version: str
    digest: str
    created_at: datetime | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"


@dataclass(frozen=True, slots=True)
class Judged:
    """How a version came out of its trial (``promoted``, ``rejected``, ``passed``) or probation (``rolled-back``).

    ``at`` is when, RFC 3339; ``figures`` are what was measured, numbers or None by name.
    """

    digest: str
    outcome: str
    reason: str
    at: str = ""
    figures: Mapping[str, float | None] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class State:
    """Which bundle serves, which served before (newest first), whether to stay with it, what rollbacks left behind.

    ``judged`` are the last judgements, at most one for a digest, newest last.
    """

    current: Kept | None = None
    earlier: tuple[Kept, ...] = ()
    pinned: bool = False
    skipped: tuple[str, ...] = ()
    judged: tuple[Judged, ...] = ()

    def judgement(self, digest: str) -> Judged | None:
        """Return how the bundle of that digest was judged."""
        return next((one for one in self.judged if one.digest == digest), None)

    @property
    def previous(self) -> Kept | None:
        """The bundle that a rollback goes back to."""
        return self.earlier[0] if self.earlier else None

    @property
    def kept(self) -> frozenset[Kept]:
        """All bundles that must stay on the disk."""
        return frozenset(self.earlier) | ({self.current} if self.current else frozenset())


def activated(state: State, kept: Kept, *, pinned: bool) -> State:
    """Return the state after ``kept`` began to serve; ``pinned`` says whether to stay with it or follow the newest."""
    skipped = tuple(digest for digest in state.skipped if digest != kept.digest)
    if kept == state.current:
        return replace(state, pinned=pinned, skipped=skipped)
    before = (*((state.current,) if state.current else ()), *state.earlier)
    earlier = tuple(one for one in before if one != kept)[:EARLIER]
    return replace(state, current=kept, earlier=earlier, pinned=pinned, skipped=skipped)


def rolled_back(state: State) -> State:
    """Return the state after the previous bundle began to serve again. Raises ModelNotFoundError without one."""
    if state.current is None or state.previous is None:
        raise ModelNotFoundError("there is no previous version to go back to")
    left = state.current.digest
    skipped = (*(digest for digest in state.skipped if digest not in (left, state.previous.digest)), left)
    return replace(state, current=state.previous, earlier=state.earlier[1:], pinned=False, skipped=skipped[-SKIPPED:])


def judged(state: State, judgement: Judged) -> State:
    """Return the state that remembers how a version was judged."""
    others = tuple(one for one in state.judged if one.digest != judgement.digest)
    return replace(state, judged=(*others, judgement)[-JUDGED:])


def wanted(state: State, candidates: Sequence[Candidate]) -> Candidate | None:
    """Return the newest of ``candidates`` (newest first) that was not left by a rollback, nor kept out by a trial."""
    out = {*state.skipped, *(one.digest for one in state.judged if one.outcome in KEPT_OUT)}
    return next((one for one in candidates if one.digest not in out), None)


def state_json(state: State) -> bytes:
    """Return the state as it is written to disk."""
    body = {
        "schema": STATE_SCHEMA,
        "current": _kept_json(state.current) if state.current else None,
        "earlier": [_kept_json(kept) for kept in state.earlier],
        "pinned": state.pinned,
        "skipped": list(state.skipped),
        "judged": [asdict(one) for one in state.judged],
    }
    return (json.dumps(body, indent=2) + "\n").encode()


def _kept_json(kept: Kept) -> dict[str, str | None]:
    made = kept.created_at.isoformat() if kept.created_at else None
    return {"name": kept.name, "version": kept.version, "digest": kept.digest, "created_at": made}


def parse_state(data: bytes) -> State:
    """Return the state in ``data``. Raises ValueError for anything that :func:`state_json` did not write."""
    try:
        body = json.loads(data)
        if body["schema"] != STATE_SCHEMA or not isinstance(body["pinned"], bool):
            raise ValueError(f"schema {body['schema']!r} is not {STATE_SCHEMA}")
        return State(
            current=None if body["current"] is None else _parse_kept(body["current"]),
            earlier=tuple(_parse_kept(kept) for kept in body["earlier"]),
            pinned=body["pinned"],
            skipped=tuple(_safe(digest) for digest in body["skipped"]),
            judged=tuple(_parse_judged(one) for one in body.get("judged", ())),
        )
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a state: {error!r}") from error


def _parse_kept(body: Mapping[str, Any]) -> Kept:
    safe = _safe(body["name"]), _safe(body["version"]), _safe(body["digest"])
    made = body.get("created_at")  # what earlier versions of this program wrote has none
    created_at = datetime.fromisoformat(made) if made else None
    if created_at is not None and created_at.tzinfo is None:
        raise ValueError(f"not an instant: {made!r}")
    return Kept(*safe, created_at)


def _parse_judged(body: Mapping[str, Any]) -> Judged:
    texts = (body["outcome"], body["reason"], body.get("at", ""))
    figures = body.get("figures", {})
    if not all(isinstance(text, str) for text in texts) or not isinstance(figures, dict):
        raise ValueError("not a judgement")
    if not all(isinstance(value, int | float | None) for value in figures.values()):
        raise ValueError(f"not figures: {figures!r}")
    return Judged(_safe(body["digest"]), *texts, figures)


def _safe(text: Any) -> str:
    """Accept what may become part of a path."""
    if not isinstance(text, str) or not _SAFE.fullmatch(text):
        raise ValueError(f"not a name, version or digest: {text!r}")
    return text


def check_safe(kept: Kept) -> Kept:
    """Return ``kept`` if its name, version and digest may become parts of a path. Raises ValueError."""
    return _parse_kept(_kept_json(kept))
