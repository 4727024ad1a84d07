"""Trials of a job in Azure or of a sweep here, best first, with what tells them apart."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from typing import Any, Literal, Protocol

from training.errors import TrainingError, UsageError

State = Literal["waiting", "running", "completed", "terminated", "failed", "cancelled"]
"""``terminated``: by a policy of early termination; Azure does not tell it from ``cancelled``."""
ENDED: frozenset[State] = frozenset(("completed", "terminated", "failed", "cancelled"))
MODEL = "model_name"
_SMALLER_IS_BETTER = re.compile(r"loss|error|rmse|mae\b|mape", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: ``metrics`` are the last values that it logged, ``score`` that of the job's primary metric."""

    name: str
    state: State
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    score: float | None = None
    started: datetime | None = None
    ended: datetime | None = None

    @property
    def number(self) -> int | None:
        """The number that its name ends with."""
        found = re.search(r"_(\d+)$", self.name)
        return int(found[1]) if found else None

    def seconds(self, now: datetime | None = None) -> float | None:
        """How long it ran, or has been running ``now``; None before it began."""
        until = self.ended or now or datetime.now(UTC)
        return (until - self.started).total_seconds() if self.started else None


class Overview(Protocol):
    """What was tried, as it stands: a job in Azure, or a sweep here.

    ``status`` is a word for people for ``state``, ``metric`` the primary metric, ``planned`` how many trials there may
    be, ``best`` the name of the best trial, ``note`` what else there is to know.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - see above
    @property
    def called(self) -> str: ...  # noqa: D102 - what it is, and its name
    @property
    def state(self) -> State: ...  # noqa: D102 - see above
    @property
    def status(self) -> str: ...  # noqa: D102 - see above
    @property
    def ended(self) -> bool: ...  # noqa: D102 - whether nothing will change any more
    @property
    def metric(self) -> str | None: ...  # noqa: D102 - see above
    @property
    def planned(self) -> int | None: ...  # noqa: D102 - see above
    @property
    def best(self) -> str | None: ...  # noqa: D102 - see above
    @property
    def note(self) -> str | None: ...  # noqa: D102 - see above
    @property
    def trials(self) -> tuple[Trial, ...]: ...  # noqa: D102 - see above


@dataclass(frozen=True, slots=True)
class Row:
    """A trial's place: ``rank`` counts from 1 and is None without a ``value``; ``best``: whoever tried it says so."""

    rank: int | None
    trial: Trial
    value: float | None
    best: bool


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Trials by ``metric``, best first; those without a value last, by number.

    ``settings`` are the names of hyperparameters that differ between trials, and the model's; ``metrics`` the names of
    all metrics, ``metric`` first.
    """

    view: Overview
    metric: str
    rows: tuple[Row, ...]
    settings: tuple[str, ...]
    metrics: tuple[str, ...]

    @property
    def first(self) -> Row | None:
        """The row with the best value."""
        return self.rows[0] if self.rows and self.rows[0].rank else None


def leaderboard(view: Overview, metric: str | None = None) -> Leaderboard:
    """Return the leaderboard by the primary metric, or by another one.

    Raises:
        TrainingError: there are no trials.
        UsageError: no trial has such a metric, or there is no primary one.
    """
    if not view.trials:
        later = "" if view.ended else " yet"
        raise TrainingError(f"{view.called}: has no trials{later}; it is {view.status}")
    known = names(trial.metrics for trial in view.trials)
    chosen = _chosen(view, metric, known)
    values = {trial.name: metric_of(trial.metrics, chosen) for trial in view.trials}
    sign = 1 if smaller_is_better(chosen) else -1

    def place(trial: Trial) -> tuple[bool, float, int]:
        value = values[trial.name]
        return value is None, sign * (value or 0.0), trial.number or 0

    ordered = sorted(view.trials, key=place)
    rows = tuple(
        Row(rank if values[trial.name] is not None else None, trial, values[trial.name], trial.name == view.best)
        for rank, trial in enumerate(ordered, 1)
    )
    others = [name for name in known if name != chosen]
    return Leaderboard(view, chosen, rows, differing(view.trials), (chosen, *others))


def _chosen(view: Overview, metric: str | None, known: Sequence[str]) -> str:
    wanted = metric or view.metric
    if wanted is None:
        raise UsageError(f"{view.called}: has no primary metric; name one: {', '.join(known) or 'it logged none'}")
    found = next((name for name in known if name.lower() == wanted.lower()), None)
    if found is None and metric is not None:
        raise UsageError(f"{view.called}: no trial has the metric {metric}; there is {', '.join(known) or 'none yet'}")
    return found or wanted


def smaller_is_better(metric: str) -> bool:
    """Tell a loss or an error from a figure that shall be high."""
    return bool(_SMALLER_IS_BETTER.search(metric))


def metric_of(metrics: Mapping[str, float], name: str) -> float | None:
    """Return a metric by its name, capitals aside; None where it is missing."""
    return metrics.get(name, {key.lower(): value for key, value in metrics.items()}.get(name.lower()))


def names(mappings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return all keys, each once, in the order in which they first come."""
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def differing(trials: Sequence[Trial]) -> tuple[str, ...]:
    """Return the hyperparameters that are not the same in all trials, of a single one all; the model's comes first."""
    known = names(trial.hyperparameters for trial in trials)
    values = {name: {repr(trial.hyperparameters.get(name)) for trial in trials} for name in known if name != MODEL}
    telling = [name for name, found in values.items() if len(trials) == 1 or len(found) > 1]
    return (*([MODEL] if MODEL in known else []), *telling)


def records(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows as plain data, with all hyperparameters and metrics; times as ISO 8601, seconds once it ended."""
    return [
        {
            "rank": row.rank,
            "trial": row.trial.name,
            "state": row.trial.state,
            "best": row.best,
            "value": row.value,
            "started": _iso(row.trial.started),
            "ended": _iso(row.trial.ended),
            "seconds": row.trial.seconds() if row.trial.ended else None,
            "metrics": dict(row.trial.metrics),
            "hyperparameters": dict(row.trial.hyperparameters),
        }
        for row in rows
    ]


def _iso(at: Any) -> str | None:
    return at.isoformat(timespec="seconds") if at else None


def as_csv(board: Leaderboard, rows: Sequence[Row]) -> str:
    """Return rows as CSV: a column for each metric, then one for each hyperparameter that any trial has."""
    settings = names(row.trial.hyperparameters for row in board.rows)
    plain = ("rank", "trial", "state", "best", "started", "ended", "seconds")
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*plain, *board.metrics, *settings])
    for record in records(rows):
        metrics = [record["metrics"].get(name, "") for name in board.metrics]
        chosen = [record["hyperparameters"].get(name, "") for name in settings]
        writer.writerow([*("" if record[key] is None else record[key] for key in plain), *metrics, *chosen])
    return text.getvalue()
