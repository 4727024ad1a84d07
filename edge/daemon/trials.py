"""What stands between a newer version and service, as ``[rollout]`` says: the shadow, and the watch on probation."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from edge.config import Config
from edge.config.sections import RolloutSection
from edge.metrics import Metrics
from edge.ports import Executor, Witness
from edge.rollout.gate import Limits
from edge.rollout.probation import ProbationWatch
from edge.rollout.shadow import Shadow
from edge.session import usable_cores


@dataclass(frozen=True, slots=True)
class Trials:
    """``shadow`` is None where newer versions are swapped in at once."""

    shadow: Shadow | None
    probation: ProbationWatch

    @property
    def witnesses(self) -> Sequence[Witness]:
        """Who must see each answered frame."""
        return (self.probation.witness, *((self.shadow.witness,) if self.shadow else ()))


def open_trials(
    config: Config, stack: ExitStack, *, executor: Executor, metrics: Metrics, wake: Callable[[], object]
) -> Trials:
    """Return them, idle; ``wake`` is called when a version has been judged. The stack ends a trial under way."""
    rollout = config.rollout
    shadow = _shadow(rollout, executor, metrics, wake) if rollout.shadow else None
    if shadow is not None:
        stack.callback(shadow.close)
    probation = ProbationWatch(span_s=rollout.probation_s, max_failure_share=rollout.max_failure_share, breached=wake)
    return Trials(shadow, probation)


def _shadow(rollout: RolloutSection, executor: Executor, metrics: Metrics, wake: Callable[[], object]) -> Shadow:
    limits = Limits(
        frames=rollout.shadow_frames,
        max_s=rollout.shadow_max_h * 3600,
        min_agreement=rollout.min_agreement,
        max_latency_ratio=rollout.max_latency_ratio,
        max_score_shift=rollout.max_score_shift,
    )
    return Shadow(
        limits,
        under_way=lambda: executor.queued,
        share=rollout.shadow_share,
        spare=max(1, usable_cores() // 2),
        after=rollout.after_shadow,
        decided=wake,
        counted=metrics.shadowed,
    )
