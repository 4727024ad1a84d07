"""The shadow: a newer version answers live frames beside the running one, unseen, until the gate decides.

It fulfils :class:`edge.rollout.trial.Trial` for the rollout and sees the frames as an :data:`edge.ports.Witness`. It
touches no result: a live answer has been made when the shadow is shown it, and the shadow only queues.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from edge.ports import Candidate, Frame, Model
from edge.results import Outcome, instant
from edge.rollout.beside import Beside, Counted, Pair
from edge.rollout.comparison import figures
from edge.rollout.gate import Limits, Ruling, summary
from edge.rollout.pace import Pace
from edge.rollout.trial import Verdict

AfterShadow = Literal["promote", "report"]
CLOSE_S = 5.0
"""How long closing waits for the picture that is being worked on."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A trial under way: which version, since when (aware, UTC), and what compares it."""

    candidate: Candidate
    since: datetime
    beside: Beside


class Shadow:
    """Holds one trial at a time; a newer one ends the one before. Thread-safe.

    ``share`` (0..1) of the live frames are sampled. ``under_way`` tells how many live pictures are accepted and not
    answered, ``spare`` how many may be for the device to count as calm. ``decided`` is called, from the shadow's own
    thread, once there is a verdict; ``counted`` for every sampled frame. ``clock`` gives monotonic seconds.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        under_way: Callable[[], int],
        share: float = 1.0,
        spare: int = 1,
        after: AfterShadow = "promote",
        decided: Callable[[], object] = lambda: None,
        counted: Callable[[Counted], object] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._under_way = under_way
        self._share = share
        self._spare = spare
        self._after = after
        self._decided = decided
        self._counted = counted
        self._clock = clock
        self._begun: Begun | None = None

    def witness(self, frame: Frame, outcome: Outcome) -> None:
        """See an answered frame (a Witness)."""
        begun = self._begun
        if begun is not None:
            begun.beside.offer(frame, outcome)

    def begin(self, candidate: Candidate, model: Model, running: Model) -> bool:
        """Take ``model`` on trial beside ``running``; see :meth:`edge.rollout.trial.Trial.begin`."""
        self.end()
        beside = Beside(
            Pair(running, model),
            self._limits,
            pace=Pace(share=self._share, spare=self._spare, clock=self._clock),
            under_way=self._under_way,
            decided=self._decided,
            counted=self._counted,
            clock=self._clock,
        )
        self._begun = Begun(candidate, datetime.now(UTC), beside)
        return True

    def verdict(self) -> Verdict | None:
        """Return how the trial came out, None while it is under way."""
        begun = self._begun
        if begun is None:
            return None
        ruling = begun.beside.ruling()
        if ruling.decision == "not yet":
            return None
        return self._verdict(begun.beside, ruling)

    def end(self) -> None:
        """Take no more frames and let go of the model; what is being worked on ends by itself."""
        begun, self._begun = self._begun, None
        if begun is not None:
            begun.beside.stop()

    def close(self, *, timeout_s: float = CLOSE_S) -> None:
        """End, and wait ``timeout_s`` for the picture that is being worked on."""
        begun = self._begun
        self.end()
        if begun is not None:
            begun.beside.join(timeout_s)

    def status(self) -> Mapping[str, Any]:
        """Return how far the trial is, JSON-ready; empty where there is none. ``decides_at`` is the latest moment."""
        begun = self._begun
        if begun is None:
            return {}
        measured = figures(begun.beside.comparison)
        latest = begun.since + timedelta(seconds=self._limits.max_s)
        return {
            "name": begun.candidate.name,
            "version": begun.candidate.version,
            **measured,
            "skipped": begun.beside.skipped,
            "wanted": self._limits.frames,
            "since": instant(begun.since),
            "decides_at": instant(latest),
        }

    def _verdict(self, beside: Beside, ruling: Ruling) -> Verdict:
        measured = {**figures(beside.comparison), "skipped": beside.skipped}
        if ruling.decision != "pass":
            return Verdict("rejected", ruling.text, measured)
        return Verdict("promoted" if self._after == "promote" else "passed", summary(beside.comparison), measured)
