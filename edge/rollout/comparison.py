"""How a newer version's answers compare with the running one's, frame by frame. Pure: no I/O, no clock, no threads.

What is compared, for a frame that the running model answered live:

- **agreement**: the share of frames on which both give the same label; where a model selects several, the same set.
  Labels are compared as texts, so the two models may know different ones. A failure on one side is a disagreement; a
  frame that neither side answers is not compared at all.
- **latency ratio**: the newer version's median time over the running one's, each from the picture to the prediction
  (preprocess, inference, postprocess, no waiting). The live answer's own time is no measure, since it may have had all
  cores or many neighbours: whoever compares lets both answer the same picture one after the other, in one thread, on
  one core, and hands both times in. The first :data:`TIMED` frames are enough for a median.
- **score shift**: how far the newer version's score of the label that won live lies from the live score, as the mean
  of absolute differences over the frames that both answered. A label that the newer version does not know has score 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median

from edge.results import Classification, Failure, Prediction

TIMED = 100
"""How many frames are timed on both sides."""


@dataclass(frozen=True, slots=True)
class Times:
    """What one frame took, in milliseconds, on either side, in the same thread."""

    running_ms: float
    candidate_ms: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was counted so far.

    ``failures`` are the newer version's. ``answered`` frames have an answer from both; ``shift_sum`` runs over them.
    """

    frames: int = 0
    agreed: int = 0
    answered: int = 0
    failures: int = 0
    shift_sum: float = 0.0
    times: tuple[Times, ...] = ()

    @property
    def disagreed(self) -> int:
        """Frames on which the two differ, failures of one side included."""
        return self.frames - self.agreed

    @property
    def agreement(self) -> float | None:
        """Share of frames with the same answer, 0..1; None before the first."""
        return self.agreed / self.frames if self.frames else None

    @property
    def latency_ratio(self) -> float | None:
        """The newer version's median time over the running one's; None where none was timed."""
        if not self.times:
            return None
        running_ms = median(one.running_ms for one in self.times)
        return median(one.candidate_ms for one in self.times) / max(running_ms, 1e-6)

    @property
    def score_shift(self) -> float | None:
        """Mean absolute difference of the live winner's score, 0..1; None where both never answered."""
        return self.shift_sum / self.answered if self.answered else None

    @property
    def wants_times(self) -> bool:
        """Whether more frames should be timed on both sides."""
        return len(self.times) < TIMED


def compared(
    before: Comparison, running: Prediction, candidate: Prediction, times: Times | None = None
) -> tuple[Comparison, bool | None]:
    """Return the comparison with one frame more, and whether the two agree; None where neither answers.

    ``times`` is ignored beyond the first :data:`TIMED` and where a side failed.
    """
    if isinstance(running, Failure) and isinstance(candidate, Failure):
        return before, None
    if isinstance(running, Failure) or isinstance(candidate, Failure):
        failures = before.failures + isinstance(candidate, Failure)
        return replace(before, frames=before.frames + 1, failures=failures), False
    agree = _chosen(running) == _chosen(candidate)
    timed = (times,) if times is not None and before.wants_times else ()
    after = replace(
        before,
        frames=before.frames + 1,
        agreed=before.agreed + agree,
        answered=before.answered + 1,
        shift_sum=before.shift_sum + abs(running.score - _score(candidate, running.label)),
        times=before.times + timed,
    )
    return after, agree


def _chosen(prediction: Classification) -> frozenset[str]:
    """Return the answer as a set: the selected labels of a multi-label model, else the one label."""
    return frozenset((prediction.label,) if prediction.selected is None else prediction.selected)


def _score(prediction: Classification, label: str) -> float:
    return dict(zip(prediction.labels, prediction.probs, strict=True)).get(label, 0.0)


def figures(comparison: Comparison) -> Mapping[str, float | None]:
    """Return the comparison as it is shown and recorded: JSON-ready, None for what is not known yet."""
    return {
        "frames": comparison.frames,
        "agreement": _rounded(comparison.agreement, 4),
        "latency_ratio": _rounded(comparison.latency_ratio, 3),
        "score_shift": _rounded(comparison.score_shift, 4),
        "failures": comparison.failures,
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
