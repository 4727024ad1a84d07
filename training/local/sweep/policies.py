"""Policies of early termination, with AutoML's meaning: which trials are ended that will not be the best.

Azure's words: "How to tune hyperparameters", section on early termination
(learn.microsoft.com/azure/machine-learning/how-to-tune-hyperparameters). A trial's n-th report of the primary metric is
its interval n. Trials are compared as they were at the same interval, so that a young one is not held against old ones;
those that have ended are compared with too. The metrics of a fit here shall all be high.
"""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, median
from typing import Any

from training.sweep_schema import Bandit, MedianStopping, TruncationSelection

AnyPolicy = Bandit | MedianStopping | TruncationSelection
Curves = Mapping[int, Sequence[float]]
"""The reports of each trial by its number, in their order."""


def ends(policy: AnyPolicy | None, curves: Curves, number: int) -> bool:
    """Tell whether a trial that has just reported is ended."""
    reports = len(curves[number])
    if policy is None or not is_due(policy, reports):
        return False
    alike = {trial: values[:reports] for trial, values in curves.items() if len(values) >= reports}
    return _RULES[policy.type](policy, alike, number)


def is_due(policy: AnyPolicy, interval: int) -> bool:
    """Tell whether trials are judged at an interval: each multiple of the evaluation interval, from the delay on."""
    return interval % policy.evaluation_interval == 0 and interval >= policy.delay_evaluation


def _bandit(policy: Bandit, alike: Curves, number: int) -> bool:
    """End what is further behind the best than the slack: best / (1 + factor), or best - amount."""
    best = max(max(values) for values in alike.values())
    least = best - policy.slack_amount if policy.slack_amount is not None else best / (1 + (policy.slack_factor or 0.0))
    return max(alike[number]) < least


def _median(_: MedianStopping, alike: Curves, number: int) -> bool:
    """End a trial whose best is worse than the median of all trials' averages up to this interval."""
    return max(alike[number]) < median(fmean(values) for values in alike.values())


def _truncation(policy: TruncationSelection, alike: Curves, number: int) -> bool:
    """End a trial that is among the worst; of trials that do alike the later ones go first."""
    worst_first = sorted(alike, key=lambda trial: (max(alike[trial]), -trial))
    return number in worst_first[: len(alike) * policy.truncation_percentage // 100]


_RULES: Mapping[str, Callable[[Any, Curves, int], bool]] = {
    "bandit": _bandit,
    "median_stopping": _median,
    "truncation_selection": _truncation,
}
